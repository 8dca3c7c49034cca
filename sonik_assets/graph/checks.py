"""The invariants of the graphs: each holds what PostgreSQL holds (it blocks what follows), and the log is read."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.dagster import Stores
from sonik_assets.graph import schema

if TYPE_CHECKING:
    import psycopg

    from sonik_assets.changes.slot import State
    from sonik_assets.graph.parity import Parity

SAMPLE = 20
FULL = 0.5
"""Share of the log that the slot may keep from which somebody should look: past all of it, it is lost."""


def same_check(graph: str) -> dg.AssetChecksDefinition:
    """Return the blocking check `graph_is_as_the_tables` of one graph."""

    @dg.asset_check(
        asset=dg.AssetKey(["graph", graph]),
        name="graph_is_as_the_tables",
        blocking=True,
        description="Ids and row hashes of every label and type are those of PostgreSQL, and in one of 256 parts, a"
        " different one each hour, the properties too. What others wrote is not looked at.",
    )
    def _same(stores: Stores) -> dg.AssetCheckResult:
        from sonik_assets.graph.parity import bucket_of, falsified, parities

        bucket = bucket_of(datetime.now(UTC))
        with stores.postgres() as pg:
            selected = stores.falkordb().select_graph(graph)
            found = list(parities(pg, selected, graph))
            wrong = [f"{p.name} {id}" for p in schema.parts_of(graph) for id in falsified(pg, selected, p, bucket)]
            late = not all(each.holds for each in found) and _late(pg, graph)
        return _result(found, wrong, late=late)

    return _same


def _late(pg: "psycopg.Connection[Any]", graph: str) -> bool:
    """Return whether changes came meanwhile that the graph lacks: then it may well differ."""
    from sonik_assets.changes import feed
    from sonik_assets.graph.sync import store_of

    pg.commit()
    pg.autocommit = True
    return feed.waiting(pg, store_of(graph))


def _result(parities: "Sequence[Parity]", wrong: list[str], *, late: bool) -> dg.AssetCheckResult:
    broken = [parity for parity in parities if not parity.holds]
    names = [f"{each.part.name} {id}" for each in broken for id in (*each.missing, *each.surplus, *each.different)]
    return dg.AssetCheckResult(
        passed=not broken and not wrong,
        severity=dg.AssetCheckSeverity.WARN if late and not wrong else dg.AssetCheckSeverity.ERROR,
        description="Changes came while it was compared: the next run applies them." if late else None,
        metadata={
            "expected": sum(parity.expected for parity in parities),
            "found": sum(parity.found for parity in parities),
            "missing": sum(len(parity.missing) for parity in parities),
            "surplus": sum(len(parity.surplus) for parity in parities),
            "different": sum(len(parity.different) for parity in parities) + len(wrong),
            "sample": dg.MetadataValue.json((names + wrong)[:SAMPLE]),
            "sql": dg.MetadataValue.md(_statements(broken or parities)),
            "next": "materialize graph/repair, then this check again" if broken or wrong else "nothing to do",
        },
    )


def _statements(parities: "Sequence[Parity]") -> str:
    return "\n\n".join(f"```sql\n-- {parity.part.name}\n{parity.sql}\n```" for parity in parities)


@dg.asset_check(
    asset=dg.AssetKey(["graph", schema.OPERATIONS]),
    name="change_feed_is_read",
    description="The slot of the change feed is there, is not lost, and keeps less than half of the log that it may.",
)
def change_feed_is_read(stores: Stores) -> dg.AssetCheckResult:
    """Warn while there is time: past its limit the server drops what the slot keeps, and every graph is made anew."""
    from sonik_assets.changes import slot

    with stores.postgres() as pg:
        state = slot.state(pg)
        acks = pg.execute("select store, lsn::text, at::text from ops.store_acks order by lsn, store").fetchall()
    return dg.AssetCheckResult(
        passed=state.exists and not state.lost and _share(state) < FULL,
        severity=dg.AssetCheckSeverity.WARN if state.exists and not state.lost else dg.AssetCheckSeverity.ERROR,
        metadata={
            "retained_bytes": state.retained,
            "limit": state.limit,
            "share_of_limit": round(_share(state), 4),
            "stores": dg.MetadataValue.md(
                "\n".join(["| store | at | since |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in acks)])
            ),
            "next": "materialize the store furthest behind; delete the row (ops.store_acks) of one that is gone",
        },
    )


def _share(state: "State") -> float:
    """Return how much of what the slot may keep is kept; 0 where there is no limit."""
    return 0.0 if state.safe is None else state.retained / max(1, state.retained + state.safe)


CHECKS = [*(same_check(graph) for graph in schema.GRAPHS), change_feed_is_read]
