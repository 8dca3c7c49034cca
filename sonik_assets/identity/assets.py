"""The assets of identity: one step, one transaction, three tables. The work is in `resolve.py`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.dagster import Stores
from sonik_assets.automation import follow, version

if TYPE_CHECKING:
    from resources.places import Places
    from sonik_assets.identity.resolve import Report

STAGING = [dg.AssetKey(["staging", name]) for name in ("mentions", "event_mentions", "visitor_evidence")]
CLAIMS = dg.AssetKey(["ops", "claims"])
"""Before identity: two things that are both claimed are not made one."""
_OUTPUTS = {
    "identifiers": "Normalised identifiers of every record (Instagram, domain, Places id, e-mail, phone).",
    "entity_map": "Which entity each source record is; ids never change, merges leave a redirect.",
    "visitors": "Which known user an anonymous visitor is, and from when to when.",
}


class IdentityConfig(dg.Config):
    """`full`: read every record again. `acknowledge`: let a run through that changes much; `sonik identity held`."""

    full: bool = False
    acknowledge: bool = False


@dg.multi_asset(
    name="identity",
    specs=[
        dg.AssetSpec(
            ["identity", name],
            deps=[*STAGING, CLAIMS],
            group_name="identity",
            owners=["team:data"],
            kinds={"postgres", "polars"},
            description=description,
            automation_condition=follow(),
        )
        for name, description in _OUTPUTS.items()
    ],
    backfill_policy=dg.BackfillPolicy.single_run(),
    pool="postgres_identity",
)
def identity(
    context: dg.AssetExecutionContext, stores: Stores, config: IdentityConfig
) -> Iterator[dg.MaterializeResult[Any]]:
    """Resolve what changed into entities, in one transaction under one lock; a run that changes too much is held."""
    from sonik_assets.identity.resolve import Options, resolve

    started = time.monotonic()
    with stores.postgres() as connection, _places(stores) as places:
        options = Options(full=config.full, acknowledged="run configuration" if config.acknowledge else None)
        report = resolve(connection, places, options)
    seconds = round(time.monotonic() - started, 3)
    for name, facts in _facts(report).items():
        rows = {"rows_out": report.rows[name], "rows_written": report.written[name].total, "seconds": seconds}
        key, changed = dg.AssetKey(["identity", name]), report.decided or report.written[name].total > 0
        kept = version(context, key, changed=changed)
        yield dg.MaterializeResult(asset_key=key, metadata={**rows, **facts}, data_version=kept)


@contextmanager
def _places(stores: Stores) -> Iterator["Places | None"]:
    """Open what knows places; what is spent on it is counted outside of the run's transaction."""
    from resources.places import open_places
    from sonik_assets.identity.normalize.text import name_key
    from sonik_assets.identity.places import PostgresMeter

    with stores.postgres() as meter:
        meter.autocommit = True
        yield open_places(stores.settings().exports, name_key, meter=partial(PostgresMeter, meter))


def _facts(report: "Report") -> dict[str, dict[str, Any]]:
    """Return rows in and rejected, and the breakdowns that explain them, by output."""
    return {
        "identifiers": {
            "rows_in": report.mentions,
            "rows_rejected": sum(report.refused.values()),
            "refused": dict(report.refused),
            "weak_values": report.weak,
            "places": dict(report.places),
        },
        "entity_map": {
            "rows_in": report.mentions,
            "rows_rejected": report.unresolved,
            "everything": report.full,
            "looked_at": report.scope,
            **({} if report.held else {"entities": dict(report.entities)}),
            "would_change" if report.held else "changes": dict(report.changes),
            "judged": dict(report.judged),
            "time_warnings": dict(report.warnings),
            "held": list(report.held),
            "step_seconds": report.seconds,
        },
        "visitors": {"rows_in": report.evidence, "rows_rejected": report.evidence_unused},
    }


ASSETS = [identity]
