"""The tables of identity, made where they are missing. Their contract is docs/identity.md."""

import psycopg

_TABLES = """
create schema if not exists identity;
create schema if not exists unified;

create table if not exists identity.identifiers (
    source text not null, table_name text not null, record_id text not null,
    entity_type text not null, scheme text not null, value text not null,
    weak boolean not null, -- seen where it cannot be one thing's own (a chain, an agency): links nothing
    valid_from timestamptz not null default now(), valid_to timestamptz, verified_at timestamptz,
    primary key (source, table_name, record_id, scheme, value)
);
create table if not exists identity.entity_map (
    source text not null, table_name text not null, record_id text not null,
    entity_id uuid not null, entity_type text not null, linked_by text not null,
    linked_at timestamptz not null default now(),
    primary key (source, table_name, record_id)
);
create index if not exists entity_map_entity_id on identity.entity_map (entity_id);
create table if not exists identity.entities (
    entity_id uuid primary key, entity_type text not null,
    canonical_scheme text not null, canonical_id text not null, first_seen_at timestamptz not null,
    -- Deferred: two entities may swap their canonical ids in one transaction.
    unique (entity_type, canonical_scheme, canonical_id) deferrable initially deferred
);
create table if not exists identity.redirects (
    old_id uuid primary key, new_id uuid not null, reason text not null, at timestamptz not null default now()
);
create table if not exists identity.event_times (
    source text not null, table_name text not null, record_id text not null, entity_id uuid not null,
    starts_at timestamptz, ends_at timestamptz, local_date date, has_time boolean,
    zone text, event_key text, venue_id uuid, warning text,
    primary key (source, table_name, record_id)
);
create table if not exists identity.places_cache (
    query_hash text primary key, query jsonb not null, place_id text, answer jsonb,
    candidates integer not null, looked_up_at timestamptz not null default now(), expires_at timestamptz,
    alias_of text
);
create table if not exists identity.visitors (
    anonymous_id text not null, entity_id uuid not null, user_record text not null, method text not null,
    evidence_at timestamptz not null, valid_from timestamptz not null, valid_to timestamptz,
    status text not null check (status in ('linked', 'contested', 'undone')),
    linked_at timestamptz not null default now(),
    primary key (anonymous_id, user_record, evidence_at)
);
create table if not exists unified.changes (
    seq bigint generated always as identity primary key,
    kind text not null check (kind in ('created', 'merged', 'split', 'tombstoned')),
    entity_id uuid not null, new_id uuid, at timestamptz not null default now()
);
"""
# One writer decides at a time, so that `seq` follows the order of commits.
_LOCK = "select pg_advisory_xact_lock(hashtext('sonik.identity'))"


def ensure_tables(connection: psycopg.Connection) -> None:
    """Create what is missing; changes nothing that exists."""
    connection.execute(_TABLES)


def lock(connection: psycopg.Connection) -> None:
    """Hold the one lock of identity decisions until the transaction ends."""
    connection.execute(_LOCK)
