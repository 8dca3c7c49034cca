"""The clock: a whole run every morning, over the day that has just ended."""

import dagster as dg

from sonik_assets.jobs import EVERYTHING

DAILY_RUN = dg.build_schedule_from_partitioned_job(
    EVERYTHING,
    name="every_morning",
    hour_of_day=4,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="04:00 UTC: yesterday, through all stages.",
)
SCHEDULES = [DAILY_RUN]
