"""The warm cache as an asset. The work is in `warm.py`; here are keys, dependencies and metadata only."""

import time

import dagster as dg

from resources.dagster import Stores
from sonik_assets.automation import follow
from sonik_assets.vectors.documents import TABLES

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
    description="Answers to the most asked questions, ready in Redis before anybody asks again.",
    deps=DEPENDENCIES,
    automation_condition=follow(),
)
def warm_cache(stores: Stores) -> dg.MaterializeResult:  # type: ignore[type-arg]
    """Answer the most asked questions in advance."""
    from sonik_assets.cache.warm import warm

    started = time.monotonic()
    with stores.postgres() as pg:
        done = warm(stores.settings(), pg, stores.redis())
    return dg.MaterializeResult(
        metadata={
            "rows_in": done.asked,
            "rows_out": done.asked,
            "rows_rejected": 0,
            "stored": done.stored,
            "swept": done.swept,
            "seconds": round(time.monotonic() - started, 3),
        }
    )


ASSETS = [warm_cache]
