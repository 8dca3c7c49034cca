"""COPY of a polars frame into a PostgreSQL table: the one way that rows enter in bulk."""

from collections.abc import Sequence

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TransientError

CHUNK_ROWS = 2_000
"""While PostgreSQL takes one chunk the next is written."""


def copy_frame(
    cursor: psycopg.Cursor, table: sql.Composable, frame: pl.DataFrame, columns: Sequence[str] | None = None
) -> None:
    """COPY the frame's columns into the table's columns of the same names.

    Text stays as it is; null is null; times are ISO 8601. Raises TransientError where the disk is full.
    """
    names = list(columns or frame.columns)
    target = sql.SQL(", ").join(map(sql.Identifier, names))
    statement = sql.SQL("copy {} ({}) from stdin (format csv)").format(table, target)
    try:
        with cursor.copy(statement) as copy:
            for chunk in frame.select(names).iter_slices(CHUNK_ROWS):
                # Quoted strings: an empty text must not come out as null.
                copy.write(chunk.write_csv(include_header=False, quote_style="non_numeric").encode())
    except psycopg.errors.DiskFull as error:
        raise TransientError(f"PostgreSQL's disk is full: {error}; make room and run again") from error
