"""The clock: a whole run every morning over the last days, so that a record that came late is still read."""

from datetime import timedelta

import dagster as dg

from sonik_assets.jobs import EVERYTHING

LOOK_BACK_DAYS = 7
"""What a source touched longer ago than this and never showed before needs a backfill by hand."""


@dg.schedule(
    job=EVERYTHING,
    cron_schedule="0 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description=f"04:00 UTC: the last {LOOK_BACK_DAYS} days, through all stages.",
)
def every_morning(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Request one run from a week ago to yesterday; its key is the day, so a tick twice is one run."""
    day = context.scheduled_execution_time.date()
    first, last = day - timedelta(days=LOOK_BACK_DAYS), day - timedelta(days=1)
    return dg.RunRequest(
        run_key=day.isoformat(),
        tags={
            "dagster/asset_partition_range_start": first.isoformat(),
            "dagster/asset_partition_range_end": last.isoformat(),
        },
    )


SCHEDULES = [every_morning]
