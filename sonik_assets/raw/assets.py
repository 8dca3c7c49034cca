"""One asset a source table, made by one factory from the catalogue. Daily partitions, one run a backfill."""

import time
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from resources.dagster import Stores
from resources.errors import TerminalError
from resources.sources.catalogue import TABLES, SourceTable
from sonik_assets.partitions import DAILY, window

if TYPE_CHECKING:
    from sonik_assets.raw.load import Counts

_FROM = {
    "directus": "Directus (CMS)",
    "twenty": "Twenty CRM",
    "mongo": "Sonik's MongoDB",
    "scraper": "the scrapers' landing zone",
    "sonik": "Sonik itself",
}


WEBHOOKS = dg.AssetKey(["raw_twenty", "webhooks"])


class ExtractConfig(dg.Config):
    """What a run may ask of an extract beside its days."""

    reconcile: bool = Field(default=False, description="Compare all ids with the source; delete what it has no more.")
    acknowledge: bool = Field(default=False, description="Let that delete more than the guard allows.")


def raw_asset(table: SourceTable) -> dg.AssetsDefinition:
    """Return the asset that extracts this table."""

    @dg.asset(
        key=[f"raw_{table.source}", table.name],
        group_name="raw",
        owners=["team:data"],
        kinds={"postgres", "parquet"},
        description=f"`{table.name}` of {_FROM[table.source]}, verbatim; its extracts stay in the lake.",
        # Webhooks mark records of the other tables: in one run they come first.
        deps=[WEBHOOKS] if table.source == "twenty" and table.name != "webhooks" else [],
        pool="twenty" if table.source == "twenty" else None,  # its rate limit is of the workspace, not of a process
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        retry_policy=dg.RetryPolicy(max_retries=2, delay=2, backoff=dg.Backoff.EXPONENTIAL, jitter=dg.Jitter.FULL),
        check_specs=[dg.AssetCheckSpec("every_field_is_known", asset=[f"raw_{table.source}", table.name])],
    )
    def extract_table(context: dg.AssetExecutionContext, config: ExtractConfig, stores: Stores) -> dg.MaterializeResult:  # type: ignore[type-arg]
        # No parameter on the result: it would hide from Dagster that a check comes with it.
        from sonik_assets.raw import circuit, state
        from sonik_assets.raw.extract import extract, reconcile

        started, days = time.monotonic(), context.partition_key_range
        settings, span = stores.settings(), window(days.start, days.end)
        try:
            with stores.postgres() as connection:
                counts = extract(settings, connection, table, span, context.run_id)
                if config.reconcile:
                    acknowledged = config.acknowledge
                    counts.add(reconcile(settings, connection, table, context.run_id, acknowledged=acknowledged))
                version = state.data_version(connection, table, span)
        except (TerminalError, circuit.OpenCircuitError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        return dg.MaterializeResult(
            metadata={**_metadata(counts), "seconds": round(time.monotonic() - started, 3)},
            check_results=[_every_field_is_known(counts)],
            # The same while no row changed, so that a read of nothing new starts nothing.
            data_version=dg.DataVersion(version),
        )

    return extract_table


def _metadata(counts: "Counts") -> dict[str, Any]:
    found: dict[str, Any] = {
        "rows_in": counts.read,
        "rows_out": counts.written,
        "rows_rejected": counts.rejected,
    }
    if counts.gone or counts.unread:
        found |= {"rows_reconciled_away": counts.gone, "rows_left_to_a_backfill": counts.unread}
    return found | ({"unknown_fields": sorted(counts.unknown)} if counts.unknown else {})


def _every_field_is_known(counts: "Counts") -> dg.AssetCheckResult:
    """Return a warning where not: the fields are kept, and somebody should say in the contract what they are."""
    return dg.AssetCheckResult(
        check_name="every_field_is_known",
        passed=not counts.unknown,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"unknown_fields": sorted(counts.unknown)[:20], "contract": "resources/sources/contracts.toml"},
    )


ASSETS = [raw_asset(table) for table in TABLES]
