"""The invariant of the graphs: each holds exactly the ids that PostgreSQL holds. It blocks what follows."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import dagster as dg

from resources.dagster import Stores
from sonik_assets.graph import schema

if TYPE_CHECKING:
    from sonik_assets.graph.parity import Parity

SAMPLE = 20


def same_ids_check(graph: str) -> dg.AssetChecksDefinition:
    """Return the blocking check `graph_holds_same_ids` of one graph."""

    @dg.asset_check(
        asset=dg.AssetKey(["graph", graph]),
        name="graph_holds_same_ids",
        blocking=True,
        description="Every node and edge of PostgreSQL is in the graph under its id, none of ours besides.",
    )
    def _same_ids(stores: Stores) -> dg.AssetCheckResult:
        from sonik_assets.graph.parity import parities

        with stores.postgres() as pg:
            return _result(list(parities(pg, stores.falkordb().select_graph(graph))))

    return _same_ids


def _result(parities: "Sequence[Parity]") -> dg.AssetCheckResult:
    broken = [parity for parity in parities if not parity.holds]
    sample = [f"{parity.name} {id}" for parity in broken for id in (*parity.missing, *parity.surplus)]
    return dg.AssetCheckResult(
        passed=not broken,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={
            "expected": sum(parity.expected for parity in parities),
            "found": sum(parity.found for parity in parities),
            "missing": sum(len(parity.missing) for parity in parities),
            "surplus": sum(len(parity.surplus) for parity in parities),
            "sample": dg.MetadataValue.json(sample[:SAMPLE]),
            "sql": dg.MetadataValue.md(_statements(broken or parities)),
        },
    )


def _statements(parities: "Sequence[Parity]") -> str:
    return "\n\n".join(f"```sql\n-- {parity.name}\n{parity.sql}\n```" for parity in parities)


CHECKS = [same_ids_check(graph) for graph in schema.GRAPHS]
