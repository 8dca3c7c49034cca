"""Asks for a run over the stores that lack changes of the log: claims and edits need no other run.

Here: whether there is anything, and what holds it back. Not here: what a change is (`sonik_assets/changes`), and what a
run does with it (`sonik_assets/graph`, `vectors`, `cache`).
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterRunStatus as Status

from resources.dagster import Stores
from resources.errors import SonikError

if TYPE_CHECKING:
    import psycopg
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph

UNDER_WAY = [Status.QUEUED, Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING]
ASSETS = {"embeddings": "unified/embeddings", "cache/answers": "cache/warm"}
"""The asset that brings a store up to date, where it has another name."""
RETRY_SECONDS = 600
"""A run that failed is asked for again when so much time is over."""


@dg.sensor(
    name="change_feed",
    asset_selection=dg.AssetSelection.groups("graph", "vectors", "cache"),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Changes of the unified tables that a store lacks: one run that applies them.",
)
def change_feed(
    context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request the stores that are behind, unless a run is under way or an invariant does not hold."""
    if context.instance.get_runs_count(dg.RunsFilter(statuses=UNDER_WAY)):
        yield dg.SkipReason("a run is under way: looked at again when it has ended")
        return
    if reason := held_back(context):
        yield dg.SkipReason(reason)
        return
    try:
        with stores.postgres() as pg:
            pg.commit()
            pg.autocommit = True
            behind, place = _behind(pg, stores)
    except SonikError as error:
        yield dg.SkipReason(str(error))
        return
    if not behind:
        yield dg.SkipReason("nothing new on the log")
        return
    turn = int(datetime.now(UTC).timestamp()) // RETRY_SECONDS
    keys = [dg.AssetKey(ASSETS.get(store, store).split("/")) for store in behind]
    yield dg.RunRequest(f"{place}@{turn}", asset_selection=keys)


def held_back(context: dg.SensorEvaluationContext) -> str:
    """Return which blocking check before the graphs failed last: what it found must not leave PostgreSQL."""
    if context.repository_def is None:
        return ""
    assets = context.repository_def.asset_graph
    keys = [key for key in assets.asset_check_keys if _gates(assets, key)]
    latest = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    failed = sorted(key.to_user_string() for key, record in latest.items() if record.status.value == "FAILED")
    return f"held back: {', '.join(failed[:3])} failed; see its result, and run the stage again" if failed else ""


def _gates(assets: "AssetGraph", key: dg.AssetCheckKey) -> bool:
    groups = ("identity", "staging", "unified")
    return bool(assets.get_check_spec(key).blocking) and assets.get(key.asset_key).group_name in groups


def _behind(pg: "psycopg.Connection", stores: Stores) -> tuple[list[str], str]:
    """Return the stores that lack changes or must be made anew, and how far all are; none that was never made."""
    from psycopg.errors import UndefinedTable

    from sonik_assets.changes import acks, feed

    try:
        known = acks.places(pg)
    except UndefinedTable:
        return [], ""
    behind = [store for store in known if _must_be_mended(pg, stores, store) or feed.waiting(pg, store)]
    if known and not behind:
        feed.pass_over(pg)
    return behind, " ".join(str(place.lsn) for place in known.values())


def _must_be_mended(pg: "psycopg.Connection", stores: Stores, store: str) -> bool:
    """Return whether a store is not what it said it was: deleted, gone back with, or the log went on without it."""
    from resources.stores import lancedb
    from sonik_assets.graph import sync as graph
    from sonik_assets.vectors import sync as vectors

    if store in graph.STORES:
        return bool(graph.why_anew(pg, stores.falkordb(), graph.graph_of(store)))
    if store in vectors.STORES:
        table = lancedb.open_table(lancedb.connect(stores.settings().lancedb_uri), vectors.table_of(store))
        return table is None or bool(vectors.why_compared(pg, table))
    return False
