"""What extracts remember in PostgreSQL: checkpoints, bookmarks, marks and drift. The caller commits.

Checkpoint: where an unfinished extract of one window goes on. Bookmark: where the next extract of the table begins.
Mark: a record to read again whatever its clock says.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
from psycopg.types.json import Jsonb

from resources.sources import Window
from resources.sources.batches import State
from resources.sources.catalogue import SourceTable
from sonik_assets.raw.load import Counts

_SAVE = """
insert into ops.checkpoints as c (source, table_name, "window", position, rows, written, rejected, started_at)
values (%s, %s, tstzrange(%s, %s), %s, %s, %s, %s, %s)
on conflict (source, table_name, "window") do update set
    position = coalesce(excluded.position, c.position), rows = excluded.rows, written = excluded.written,
    rejected = excluded.rejected, saved_at = now()
"""
_BOOKMARK = """
insert into ops.bookmarks as bookmarks (source, table_name, bookmark) values (%s, %s, %s)
on conflict (source, table_name) do update set bookmark = bookmarks.bookmark || excluded.bookmark, saved_at = now()
"""
_EXTRACT = """
insert into raw.extracts (
    run_id, source, table_name, "window", started_at, finished_at, rows, written, complete
) values (%s, %s, %s, tstzrange(%s, %s), %s, clock_timestamp(), %s, %s, true)
"""
_MARK = """
insert into ops.marks (source, table_name, record_id) select %s, %s, unnest(%s::text[])
on conflict (source, table_name, record_id) do update set marked_at = now()
"""
_DRIFT = """
insert into raw.drift (source, table_name, field) select %s, %s, unnest(%s::text[])
on conflict (source, table_name, field) do update set last_seen_at = now()
where drift.last_seen_at < now() - interval '1 hour'
"""
_VERSION = """
select version from (
    select run_id as version, source, table_name, "window", written, finished_at as at from raw.extracts
    union all
    -- What an extract wrote that was killed: whoever reads the window next must not call it unchanged.
    select 'unfinished-' || saved_at, source, table_name, "window", written, saved_at from ops.checkpoints
) as loads
where source = %s and table_name = %s and written > 0 and (isempty("window") or "window" && tstzrange(%s, %s))
order by at desc limit 1
"""


@dataclass(frozen=True)
class Unfinished:
    """An extract that was killed: where it goes on, when it began, what it had counted."""

    position: State | None
    started_at: datetime
    counts: Counts


def unfinished(connection: psycopg.Connection, table: SourceTable, window: Window) -> Unfinished:
    """Return the checkpoint of this window, or a fresh start."""
    query = """
    select position, started_at, rows, written, rejected from ops.checkpoints
    where (source, table_name, "window") = (%s, %s, tstzrange(%s, %s))
    """
    row = connection.execute(query, [*_names(table), *window]).fetchone()
    return Unfinished(row[0], row[1], Counts(*row[2:])) if row else Unfinished(None, datetime.now(UTC), Counts())


def save(
    connection: psycopg.Connection, table: SourceTable, window: Window, position: State | None, begun: Unfinished
) -> None:
    """Keep the position; None leaves it where it was."""
    c = begun.counts
    at = Jsonb(position) if position is not None else None
    connection.execute(_SAVE, [*_names(table), *window, at, c.read, c.written, c.rejected, begun.started_at])


def finish(
    connection: psycopg.Connection,
    table: SourceTable,
    window: Window,
    begun: Unfinished,
    *,
    run_id: str,
    bookmark: State,
) -> None:
    """Turn the checkpoint into a finished extract, and keep the bookmark."""
    delete = 'delete from ops.checkpoints where (source, table_name, "window") = (%s, %s, tstzrange(%s, %s))'
    connection.execute(delete, [*_names(table), *window])
    record(connection, table, window, begun, run_id)
    if bookmark:
        connection.execute(_BOOKMARK, [*_names(table), Jsonb(bookmark)])


def record(connection: psycopg.Connection, table: SourceTable, window: Window, begun: Unfinished, run_id: str) -> None:
    """Note that the window was read, and the fields that no contract knows."""
    c = begun.counts
    connection.execute(_EXTRACT, [run_id, *_names(table), *window, begun.started_at, c.read, c.written])
    if c.unknown:
        connection.execute(_DRIFT, [*_names(table), sorted(c.unknown)])


def bookmark(connection: psycopg.Connection, table: SourceTable) -> State | None:
    """Return what the last finished extract left."""
    query = "select bookmark from ops.bookmarks where (source, table_name) = (%s, %s)"
    row = connection.execute(query, _names(table)).fetchone()
    return row[0] if row else None


def mark(connection: psycopg.Connection, table: SourceTable, ids: Iterable[str]) -> None:
    """Have these records read again by the next extract of their table."""
    connection.execute(_MARK, [*_names(table), list(ids)])


def marked(connection: psycopg.Connection, table: SourceTable) -> tuple[list[str], datetime]:
    """Return the marked ids, and the database's time (UTC): what is marked later is another mark."""
    query = "select coalesce(array_agg(record_id), '{}'), now() from ops.marks where (source, table_name) = (%s, %s)"
    row = connection.execute(query, _names(table)).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return row[0], row[1]


def unmark(connection: psycopg.Connection, table: SourceTable, ids: Sequence[str], until: datetime) -> None:
    """Forget the marks of these records that were made up to then: they have been read."""
    query = "delete from ops.marks where (source, table_name) = (%s, %s) and record_id = any(%s) and marked_at <= %s"
    connection.execute(query, [*_names(table), list(ids), until])


def data_version(connection: psycopg.Connection, table: SourceTable, window: Window = (None, None)) -> str:
    """Return the run that last changed a row in a window that overlaps this one, or `empty`."""
    row = connection.execute(_VERSION, [*_names(table), *window]).fetchone()
    return str(row[0]) if row else "empty"


def _names(table: SourceTable) -> tuple[str, str]:
    return table.source, table.name
