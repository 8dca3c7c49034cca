"""Reads `raw.dead_letters`: the records that broke the contract, and why. They are written by `load`."""

from typing import Any

import psycopg
from psycopg.rows import dict_row

_WANTED = """
where (%(source)s::text is null or source = %(source)s) and (%(table)s::text is null or table_name = %(table)s)
"""
_NEWEST = f"""
select id, source, table_name, record_id, payload, reason, failed_at, run_id, replayed_at
from raw.dead_letters {_WANTED}
order by failed_at desc, source, table_name, reason, id
limit %(limit)s
"""
_BY_TABLE = f"""
select source, table_name, count(*) as letters
from raw.dead_letters {_WANTED}
group by source, table_name
order by letters desc, source, table_name
"""


def newest(
    connection: psycopg.Connection[Any], *, source: str | None, table: str | None, limit: int
) -> list[dict[str, Any]]:
    """Return letters, the newest first; `reason` begins with file and line."""
    return _rows(connection, _NEWEST, source=source, table=table, limit=limit)


def by_table(connection: psycopg.Connection[Any], *, source: str | None, table: str | None) -> list[dict[str, Any]]:
    """Return how many letters each source table has (source, table_name, letters), the most first."""
    return _rows(connection, _BY_TABLE, source=source, table=table)


def _rows(connection: psycopg.Connection[Any], query: str, **bound: object) -> list[dict[str, Any]]:
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query.encode(), bound).fetchall()
