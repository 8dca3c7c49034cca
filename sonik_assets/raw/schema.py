"""The tables of the raw stage. Names and columns are the contract of the platform."""

import psycopg
from psycopg import sql

from resources.sources.catalogue import TABLES, SourceTable
from sonik_assets.migrations import migrate

_SHARED = """
create schema if not exists raw;
create table if not exists raw.extracts (
    run_id text not null, source text not null, table_name text not null,
    "window" tstzrange not null, started_at timestamptz not null, finished_at timestamptz not null,
    rows bigint not null, complete boolean not null
);
create table if not exists raw.dead_letters (
    id uuid primary key, source text not null, table_name text not null, record_id text,
    payload text not null, reason text not null, error_class text not null,
    failed_at timestamptz not null default now(), run_id text not null, replayed_at timestamptz
);
"""
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
    connection.execute(_SHARED)
    for table in TABLES:
        names = {"schema": sql.Identifier(f"raw_{table.source}"), "relation": relation(table)}
        connection.execute(sql.SQL(_TABLE).format(**names))


def _complete(connection: psycopg.Connection) -> bool:
    expected = ["raw.extracts", "raw.dead_letters", *(table.relation for table in TABLES)]
    query = "select bool_and(to_regclass(name) is not null) from unnest(%s::text[]) as name"
    found = connection.execute(query, [expected]).fetchone()
    return bool(found and found[0])
