"""Asks for a run over the graphs when the log has changes that they lack: claims and edits need no other run.

Here: whether there is anything, and what holds it back. Not here: what a change is (`sonik_assets/changes`), and what a
run does with it (`sonik_assets/graph`).
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg
from dagster import DagsterRunStatus as Status

from resources.dagster import Stores
from resources.errors import SonikError

if TYPE_CHECKING:
    import psycopg
    from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
    from falkordb import FalkorDB

UNDER_WAY = [Status.QUEUED, Status.NOT_STARTED, Status.STARTING, Status.STARTED, Status.CANCELING]
RETRY_SECONDS = 600
"""A run that failed is asked for again when so much time is over."""


@dg.sensor(
    name="change_feed",
    asset_selection=dg.AssetSelection.groups("graph"),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Changes of the unified tables that a graph lacks: one run that applies them.",
)
def change_feed(
    context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Request the graphs that are behind, unless a run is under way or an invariant does not hold."""
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
            behind, place = _behind(pg, stores.falkordb())
    except SonikError as error:
        yield dg.SkipReason(str(error))
        return
    if not behind:
        yield dg.SkipReason("nothing new on the log")
        return
    turn = int(datetime.now(UTC).timestamp()) // RETRY_SECONDS
    yield dg.RunRequest(f"{place}@{turn}", asset_selection=[dg.AssetKey(name.split("/")) for name in behind])


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


def _behind(pg: "psycopg.Connection", client: "FalkorDB") -> tuple[Iterable[str], str]:
    """Return the graphs that lack changes or must be made anew, and how far they are; none that was never made."""
    from psycopg.errors import UndefinedTable

    from sonik_assets.changes import acks, feed
    from sonik_assets.graph.sync import STORES, graph_of, why_anew

    try:
        places = {store: acks.acknowledged(pg, store) for store in STORES}
    except UndefinedTable:
        return [], ""
    known = {store: place for store, place in places.items() if place}
    behind = [store for store in known if why_anew(pg, client, graph_of(store)) or feed.waiting(pg, store)]
    if known and not behind:
        feed.pass_over(pg)
    return behind, " ".join(str(place.lsn) for place in known.values())
