"""How many rows relations hold, at a price that does not grow with them. No Dagster.

A number is exact or says that it is not; what would cost too much is left out rather than guessed.
"""

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

EXACT_UP_TO = 200_000
"""Rows of a table that are counted one by one: some 20 ms. Of more, the planner's number is told (`ops.count_rows`)."""
CHEAP = 5_000.0
"""What the planner may ask for a view that is counted, in its own units: some 50 ms."""

_IS_TABLE = sql.SQL("select relkind in ('r', 'p') from pg_class where oid = {}::regclass")


@dataclass(frozen=True)
class Rows:
    """A number of rows; not `exact`: the planner's, which statistics keep within some 10 %."""

    number: int
    exact: bool

    def __add__(self, other: "Rows") -> "Rows":
        return Rows(self.number + other.number, self.exact and other.exact)

    def said(self, name: str) -> dict[str, int]:
        """Return it as metadata: `rows_out`, or `rows_out_about`."""
        return {name if self.exact else f"{name}_about": self.number}


@dataclass
class RowCounts:
    """Counts each relation once. The connection must see what others commit: autocommit."""

    connection: psycopg.Connection[Any]
    _known: dict[tuple[str, ...], Rows | None] = field(default_factory=dict)

    def of(self, *name: str) -> Rows | None:
        """Return the rows of a relation (schema, name); None for a view that is dear to count."""
        if name not in self._known:
            self._known[name] = self._count(sql.Identifier(*name))
        return self._known[name]

    def of_all(self, names: list[tuple[str, ...]]) -> Rows | None:
        """Return the rows of all; None where one is unknown."""
        found = [self.of(*name) for name in names]
        known = [rows for rows in found if rows is not None]
        return sum(known, Rows(0, exact=True)) if len(known) == len(found) else None

    def _count(self, relation: sql.Identifier) -> Rows | None:
        plan = self._one(sql.SQL("explain (format json) select from {}").format(relation))[0]["Plan"]
        if self._one(_IS_TABLE.format(sql.Literal(relation.as_string()))):
            if plan["Plan Rows"] > EXACT_UP_TO:
                return Rows(int(plan["Plan Rows"]), exact=False)
        elif plan["Total Cost"] > CHEAP:
            return None
        return Rows(self._one(sql.SQL("select count(*) from {}").format(relation)), exact=True)

    def _one(self, query: sql.Composed) -> Any:
        row = self.connection.execute(query).fetchone()
        return row[0] if row else None
