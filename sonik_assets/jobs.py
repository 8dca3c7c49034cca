"""The jobs: everything over a range of days, and each part that the clock or an operator runs alone."""

import dagster as dg

from resources.sources.catalogue import TABLES
from sonik_assets.automation import BY_CLOCK, BY_HAND, WHOLE_RUN

EVERYTHING = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all() - BY_HAND - BY_CLOCK,
    executor_def=dg.in_process_executor,
    tags=WHOLE_RUN,
    description="From the sources to the cache. Over a range of days it is one run (raw reads the range once).",
)
"""In process: a process a step costs two seconds of imports each (measured: 47 s against 11 s)."""

RECONCILE = dg.define_asset_job(
    "reconcile",
    selection=[dg.AssetKey(t.relation.split(".")) for t in TABLES if t.source in ("directus", "twenty", "mongo")],
    executor_def=dg.in_process_executor,
    description="Compares the ids of live sources with ours (config `reconcile: true`): finds deletes nobody logged.",
)

UPKEEP = dg.define_asset_job(
    "upkeep",
    selection=BY_CLOCK,
    executor_def=dg.in_process_executor,
    description="Vector indexes with every row, old versions off the disk.",
)

JOBS = [EVERYTHING, RECONCILE, UPKEEP]
