"""Compares all ids that a live source has with the rows we hold: what no log told is found here.

A row whose record is gone becomes a tombstone; a tombstone whose record is there comes back; what we never saw is read.
A guard stops a comparison that would delete much: a source that answers half is likelier than one that lost half.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.sources import batches
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable
from resources.stores.copy import copy_frame
from sonik_assets.raw import schema, state

GUARD = 0.20
"""The share of a table's live rows that one comparison may delete unasked."""
MOST_AGAIN = 5_000
"""Ids that are read again in one go. Where more are missing a backfill is the right way, and the run says so."""
_CHUNK = 20_000
_Query = sql.SQL | sql.Composed

_PRESENT = """
create temporary table if not exists present (record_id text) on commit preserve rows;
truncate present;
"""
# Rows that changed since the listing began may not have been listed: the next comparison judges them.
_GONE = """
select r.record_id, greatest(%(at)s, r.source_updated_at) from {relation} as r
where r.deleted_at is null and r.changed_at < %(at)s
    and not exists (select from present where present.record_id = r.record_id)
"""
_REVIVE = """
update {relation} as r set deleted_at = null, changed_at = now(), run_id = %(run_id)s
where r.deleted_at < %(at)s and not ({flagged}) and exists (select from present where present.record_id = r.record_id)
returning r.record_id
"""
_UNSEEN = """
select distinct record_id from present
where not exists (select from {relation} as r where r.record_id = present.record_id)
"""


@dataclass(frozen=True)
class Difference:
    """`at`: when the listing began (UTC). `gone` is to delete, `again` to read again; `unread` were too many to."""

    at: datetime
    gone: list[tuple[str, datetime]]
    """With the time of the deletion, which is not before the record's own: that may be far ahead."""
    again: list[str]
    revived: int
    unread: int

    def tombstones(self) -> Iterator[Batch]:
        """Yield what is gone as batches."""
        for start in range(0, len(self.gone), _CHUNK):
            ids, times = zip(*self.gone[start : start + _CHUNK], strict=True)
            yield batches.tombstones(ids, times, origin="reconciliation")


def compare(
    connection: psycopg.Connection, table: SourceTable, ids: Iterable[list[str]], run_id: str, *, acknowledged: bool
) -> Difference:
    """Return how the source and our rows differ; bring back rows that were wrongly buried. Commits.

    Raises TerminalError where more than `GUARD` of the live rows would be deleted and nobody acknowledged it.
    """
    names = {"relation": schema.relation(table), "flagged": _flagged(table)}
    at = _one(connection, sql.SQL("select clock_timestamp()"))
    connection.execute(_PRESENT)
    for chunk in ids:
        with connection.cursor() as cursor:
            copy_frame(cursor, sql.Identifier("present"), pl.DataFrame({"record_id": chunk}, {"record_id": pl.String}))
    connection.execute("analyze present")
    values = {"at": at, "run_id": run_id}
    gone = connection.execute(sql.SQL(_GONE).format(**names), values).fetchall()
    if not acknowledged:
        _guard(connection, table, gone)
    revived = _column(connection, sql.SQL(_REVIVE).format(**names), values)
    unseen = _column(connection, sql.SQL(_UNSEEN).format(**names), values)
    again = [*revived, *unseen[: max(0, MOST_AGAIN - len(revived))]]
    state.mark(connection, table, again)  # with the revival, or a kill between them would leave an empty row alive
    connection.commit()
    return Difference(at, gone, again, len(revived), len(revived) + len(unseen) - len(again))


def _guard(connection: psycopg.Connection, table: SourceTable, gone: list[tuple[str, datetime]]) -> None:
    query = sql.SQL("select count(*) from {} where deleted_at is null").format(schema.relation(table))
    live = _one(connection, query)
    if len(gone) > GUARD * live:
        sample = ", ".join(id for id, _ in gone[:5])
        raise TerminalError(
            f"reconciliation would delete {len(gone):,} of {live:,} live rows of {table.relation} "
            f"({len(gone) / live:.0%}, the guard is {GUARD:.0%}), as {sample}: "
            "look whether the source answers in full; "
            f"if this is right, run `sonik reconcile {table.source}.{table.name} --acknowledge`"
        )


def _flagged(table: SourceTable) -> sql.Composable:
    """Whether the record itself says that it is deleted: then it is listed and dead, as it should be."""
    tests = [sql.SQL("r.payload ->> {} is not null").format(sql.Literal(name)) for name in table.deleted]
    return sql.SQL(" or ").join(tests) if tests else sql.SQL("false")


def _column(connection: psycopg.Connection, query: _Query, values: dict[str, object]) -> list[str]:
    return [row[0] for row in connection.execute(query, values)]


def _one(connection: psycopg.Connection, query: _Query) -> Any:
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 - both queries have one row
    return row[0]
