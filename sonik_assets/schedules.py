"""The clock: upkeep at night, a whole run every morning, which reads late records, all ids compared every week."""

from datetime import timedelta

import dagster as dg

from resources.dagster import Stores
from sonik_assets.jobs import EVERYTHING, RECONCILE, UPKEEP

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


@dg.schedule(
    job=RECONCILE,
    cron_schedule="0 5 * * SUN",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Sunday 05:00 UTC: all ids of the live sources against ours.",
)
def every_week_reconcile(
    context: dg.ScheduleEvaluationContext, stores: dg.ResourceParam[Stores]
) -> dg.RunRequest | dg.SkipReason:
    """Request one run over the tables that are read live; skip where none is."""
    from resources import sources
    from resources.sources.catalogue import TABLES

    settings, day = stores.settings(), context.scheduled_execution_time.date().isoformat()
    keys = [dg.AssetKey(table.relation.split(".")) for table in TABLES if sources.live(settings, table)]
    if not keys:
        return dg.SkipReason("no source is read live (DIRECTUS_URL, TWENTY_URL and MONGO_URL are not set)")
    return dg.RunRequest(
        run_key=day,
        asset_selection=keys,
        run_config={"ops": {"__".join(key.path): {"config": {"reconcile": True}} for key in keys}},
        tags={"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": day},
    )


every_night_upkeep = dg.ScheduleDefinition(
    name="every_night_upkeep",
    job=UPKEEP,
    cron_schedule="0 3 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="03:00 UTC: upkeep of the vector tables.",
)

SCHEDULES = [every_morning, every_week_reconcile, every_night_upkeep]
