"""The jobs: everything over a range of days, and one for each part that operators run alone."""

import dagster as dg

EVERYTHING = dg.define_asset_job(
    "everything",
    selection=dg.AssetSelection.all(),
    executor_def=dg.in_process_executor,
    description="From the sources to the cache. Over a range of days it is one run (raw reads the range once).",
)
"""In process: a process a step costs two seconds of imports each (measured: 47 s against 11 s)."""

JOBS = [EVERYTHING]
