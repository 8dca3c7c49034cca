"""The cache as an asset. The work is in `warm.py`; here are keys, dependencies and metadata only."""

import time
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.dagster import Stores
from sonik_assets.automation import follow
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    import psycopg

    from sonik_assets.cache.warm import Warmed

PATIENCE_SECONDS = 60.0
"""Nobody waits for a run: Redis may take its time to write to disk."""
DEPENDENCIES = [
    *(dg.AssetKey(["vectors", name]) for name in TABLES),
    dg.AssetKey(["graph", "operations"]),
    dg.AssetKey(["unified", "agent_queries"]),
]


@dg.asset(
    key=["cache", "warm"],
    group_name="cache",
    kinds={"redis"},
    owners=["team:data"],
    description="Answers in Redis: those of changed records dropped, the most asked ready before anybody asks again.",
    deps=DEPENDENCIES,
    automation_condition=follow(),
)
def warm_cache(stores: Stores) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Drop, sweep, renew and warm, in this order."""
    from sonik_assets.cache.warm import warm
    from sonik_assets.serving import shelf

    started = time.monotonic()
    settings, endpoints = stores.settings(), stores.endpoints()
    held = shelf.held(settings, shelf.connect(endpoints.redis, PATIENCE_SECONDS))
    with stores.postgres() as pg:
        done = warm(settings, pg, endpoints.postgres, held)
        looks = _looks(pg)
    return dg.MaterializeResult(
        metadata={**_metadata(done), **looks, "seconds": round(time.monotonic() - started, 3)},
    )


def _metadata(done: "Warmed") -> dict[str, Any]:
    return {
        "rows_in": done.asked,
        "rows_out": done.asked,
        "rows_rejected": 0,
        "stored": done.made,
        "renewed": done.renewed,
        "changes_read": done.dropped.changed,
        "dropped": done.dropped.answers,
        "all_dropped": done.dropped.emptied or "no",
        "swept": done.swept,
        "log_lines_forgotten": done.forgotten,
    }


def _looks(pg: "psycopg.Connection[Any]") -> dict[str, Any]:
    """Return hit rate and saved time of the last days, as numbers, picture and tables."""
    from sonik_assets.cache import log, picture

    days = log.days(pg)
    asked, hits = sum(day.asked for day in days), sum(day.hits for day in days)
    return {
        "hit_rate": round(hits / asked, 4) if asked else 0.0,
        "saved_ms": round(sum(day.saved_ms for day in days), 1),
        "by_kind": dg.MetadataValue.md(picture.kinds_table(days)),
        "by_day": dg.MetadataValue.md(picture.as_markdown(picture.svg(days))),
        "hottest": dg.MetadataValue.md(picture.hottest_table(log.hottest(pg))),
    }


ASSETS = [warm_cache]
