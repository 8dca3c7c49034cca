"""Everything assembled, nothing decided: `defs` is what Dagster loads."""

from typing import Any

import dagster as dg

from resources.dagster import Stores
from sensors.change_feed import change_feed
from sensors.directus import directus
from sensors.landing_zone import landing_zone
from sensors.mongo import mongo
from sensors.twenty import twenty
from sonik_assets import automation, jobs, schedules
from sonik_assets.cache import assets as cache
from sonik_assets.graph import assets as graph
from sonik_assets.graph import checks as graph_checks
from sonik_assets.identity import assets as identity
from sonik_assets.identity import checks as identity_checks
from sonik_assets.raw import assets as raw
from sonik_assets.unified import assets as unified
from sonik_assets.unified import checks as unified_checks
from sonik_assets.vectors import assets as vectors
from sonik_assets.vectors import checks as vectors_checks

STAGES = (raw, identity, unified, graph, vectors, cache)
CHECKS = (identity_checks, unified_checks, graph_checks, vectors_checks)


def build_defs(resource_overrides: dict[str, Any] | None = None) -> dg.Definitions:
    """Return fresh definitions; a test passes its own resources instead of patching globals."""
    return dg.Definitions(
        assets=[asset for stage in STAGES for asset in stage.ASSETS],
        asset_checks=[check for stage in CHECKS for check in stage.CHECKS],
        resources={"stores": Stores(), **unified.RESOURCES, **(resource_overrides or {})},
        jobs=jobs.JOBS,
        schedules=schedules.SCHEDULES,
        sensors=[directus, twenty, mongo, landing_zone, change_feed, automation.FOLLOW],
        executor=dg.in_process_executor,  # of runs that sensors ask for: a process a step costs two seconds of imports
    )


defs = build_defs()
