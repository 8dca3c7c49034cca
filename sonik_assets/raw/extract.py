"""One table of one source over one window of time: source -> lake -> `raw_*`. One transaction a table.

Pure of Dagster. A killed extract leaves the database as it was, and at most files in the lake that the next
run finds again.
"""

from datetime import UTC, datetime

import polars as pl
import psycopg

from resources import sources
from resources.settings import Settings
from resources.sources.catalogue import SourceTable
from sonik_assets.raw import lake, schema
from sonik_assets.raw.load import Counts, load

Window = tuple[datetime | None, datetime | None]
"""From (inclusive) to (exclusive), UTC; None is open."""

_EXTRACT = """
insert into raw.extracts (run_id, source, table_name, "window", started_at, finished_at, rows, complete)
values (%s, %s, %s, tstzrange(%s, %s), %s, clock_timestamp(), %s, true)
"""


def extract(
    settings: Settings, connection: psycopg.Connection, table: SourceTable, window: Window, run_id: str
) -> Counts:
    """Read the window of the table; return what was read, written and rejected. The caller commits."""
    started, counts = datetime.now(UTC), Counts()
    schema.ensure(connection)
    connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [table.relation])
    for batch in sources.read(settings, table):
        inside = batch.filter(in_window(window))
        if inside.height:
            lake.write(settings.lake_uri, table, inside)
            load(connection, table, inside, run_id, counts)
    connection.execute(_EXTRACT, [run_id, table.source, table.name, *window, started, counts.read])
    return counts


def in_window(window: Window) -> pl.Expr:
    """Keep rows of the window. A row without a time cannot be placed, so every window reads it."""
    at, (start, end) = pl.col("source_updated_at"), window
    inside = pl.lit(value=True)
    if start:
        inside = inside & (at >= start)
    if end:
        inside = inside & (at < end)
    return at.is_null() | inside
