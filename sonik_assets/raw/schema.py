"""The tables of the raw stage, one a source table. Names and columns are the contract of the platform.

What all tables share (extracts, dead letters, checkpoints): `sonik_assets/migrations/0005_sources.sql`.
"""

import psycopg
from psycopg import sql

from resources.sources.catalogue import TABLES, SourceTable
from sonik_assets.migrations import migrate

_TABLE = """
create schema if not exists {schema};
create table if not exists {relation} (
    record_id text primary key, payload jsonb not null, source_updated_at timestamptz,
    payload_hash bytea not null, first_seen_at timestamptz not null, changed_at timestamptz not null,
    deleted_at timestamptz, partition_date date not null, run_id text not null
);
"""


def relation(table: SourceTable) -> sql.Identifier:
    """Return the quoted name of the table in PostgreSQL."""
    return sql.Identifier(f"raw_{table.source}", table.name)


def ensure(connection: psycopg.Connection) -> None:
    """Create what is missing. All tables at once: the staging views need each of them, read or not."""
    migrate(connection)
    # The lock: `create if not exists` of two processes at once can still collide.
    connection.execute("select pg_advisory_xact_lock(hashtext('sonik.schema'))")
    if _complete(connection):
        return
    for table in TABLES:
        names = {"schema": sql.Identifier(f"raw_{table.source}"), "relation": relation(table)}
        connection.execute(sql.SQL(_TABLE).format(**names))


def _complete(connection: psycopg.Connection) -> bool:
    query = "select bool_and(to_regclass(name) is not null) from unnest(%s::text[]) as name"
    found = connection.execute(query, [[table.relation for table in TABLES]]).fetchone()
    return bool(found and found[0])
