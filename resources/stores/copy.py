"""COPY of a polars frame into a PostgreSQL table: the one way that rows enter in bulk."""

from collections.abc import Mapping, Sequence
from typing import Any

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


def copy_out(connection: psycopg.Connection, query: sql.Composable, schema: Mapping[str, Any]) -> pl.DataFrame:
    """Return the query's rows in the columns and polars types of `schema`, which follow the query's order.

    COPY takes no parameters: bind literals with `sql.Literal`. An empty text comes back as null.
    """
    texts = {
        name: pl.String if kind == pl.Boolean or isinstance(kind, pl.Datetime) else kind
        for name, kind in schema.items()
    }
    with connection.cursor() as cursor:
        cursor.execute("set local time zone 'UTC'")
        with cursor.copy(sql.SQL("copy ({}) to stdout (format csv)").format(query)) as copy:
            data = b"".join(copy)
    if not data:
        return pl.DataFrame(schema=schema)
    found = pl.read_csv(data, has_header=False, schema=texts)
    return found.with_columns(_typed(name, kind) for name, kind in schema.items() if texts[name] != kind)


def _typed(name: str, kind: Any) -> pl.Expr:
    if kind == pl.Boolean:
        return pl.col(name) == "t"
    return pl.col(name).str.to_datetime("%Y-%m-%d %H:%M:%S%.f%#z", time_zone="UTC", time_unit="us")
