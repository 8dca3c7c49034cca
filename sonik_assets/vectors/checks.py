"""The invariant of the vector tables: each holds the ids that PostgreSQL holds. It blocks what follows.

Of the copy in PostgreSQL it is told, and blocks nothing: nothing follows from it.
"""

from typing import TYPE_CHECKING

import dagster as dg

from resources.dagster import Stores
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    from sonik_assets.vectors.parity import Parity

SAMPLE = 20


def same_ids_check(name: str) -> dg.AssetChecksDefinition:
    """Return the blocking check `vectors_hold_same_ids` of one table."""

    @dg.asset_check(
        asset=dg.AssetKey(["vectors", name]),
        name="vectors_hold_same_ids",
        blocking=True,
        description="Every document of PostgreSQL is in LanceDB once under its id, and nothing besides.",
    )
    def _same_ids(stores: Stores) -> dg.AssetCheckResult:
        from sonik_assets.vectors.parity import parity

        with stores.postgres() as pg:
            return _result(parity(pg, stores.settings(), name))

    return _same_ids


def _result(found: "Parity") -> dg.AssetCheckResult:
    sample = [*found.missing, *found.surplus][:SAMPLE]
    return dg.AssetCheckResult(
        passed=found.holds,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "expected": found.expected,
            "found": found.found,
            "missing": len(found.missing),
            "surplus": len(found.surplus),
            "duplicates": found.duplicates,
            "sample": dg.MetadataValue.json(sample),
            "sql": dg.MetadataValue.md(f"```sql\n{found.sql}\n```"),
        },
    )


@dg.asset_check(
    asset=dg.AssetKey(["unified", "embeddings"]),
    name="embeddings_hold_same_ids",
    description="Every document is in unified.embeddings once, and nothing besides.",
)
def embeddings_hold_same_ids(stores: Stores) -> dg.AssetCheckResult:
    """Compare all tables; hold where the server has no pgvector."""
    from sonik_assets.vectors.parity import copy_parity

    with stores.postgres() as pg:
        if pg.execute("select to_regclass('unified.embeddings')").fetchone() == (None,):
            return dg.AssetCheckResult(passed=True, metadata={"left_out": "the server has no pgvector"})
        found = [copy_parity(pg, name) for name in TABLES]
    return next((_result(each) for each in found if not each.holds), _result(found[0]))


CHECKS = [*(same_ids_check(name) for name in TABLES), embeddings_hold_same_ids]
