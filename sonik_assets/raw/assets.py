"""One asset a source table, made by one factory from the catalogue. Daily partitions, one run a backfill."""

import time
from typing import Any

import dagster as dg

from resources.dagster import Stores
from resources.errors import TerminalError
from resources.sources.catalogue import TABLES, SourceTable
from sonik_assets.partitions import DAILY, window

_FROM = {
    "directus": "Directus (CMS)",
    "twenty": "Twenty CRM",
    "mongo": "Sonik's MongoDB",
    "scraper": "the scrapers' landing zone",
    "sonik": "Sonik itself",
}


def raw_asset(table: SourceTable) -> dg.AssetsDefinition:
    """Return the asset that extracts this table."""

    @dg.asset(
        key=[f"raw_{table.source}", table.name],
        group_name="raw",
        owners=["team:data"],
        kinds={"postgres", "parquet"},
        description=f"`{table.name}` of {_FROM[table.source]}, verbatim; its extracts stay in the lake.",
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL),
    )
    def extract_table(context: dg.AssetExecutionContext, stores: Stores) -> dg.MaterializeResult[Any]:
        from sonik_assets.raw.extract import extract

        started, days = time.monotonic(), context.partition_key_range
        settings = stores.settings()
        try:
            with stores.postgres() as connection:
                counts = extract(settings, connection, table, window(days.start, days.end), context.run_id)
        except TerminalError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return dg.MaterializeResult(
            metadata={
                "rows_in": counts.read,
                "rows_out": counts.written,
                "rows_rejected": counts.rejected,
                "seconds": round(time.monotonic() - started, 3),
            }
        )

    return extract_table


ASSETS = [raw_asset(table) for table in TABLES]
