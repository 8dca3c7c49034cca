"""The tables of identity, made where they are missing. Their contract is docs/identity.md."""

from hashlib import md5

import psycopg
from psycopg import sql

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
-- What resolution remembers of each mention: which comparable profile it has (`key`: of a record of its own its ref).
create table if not exists identity.mentions (
    source text not null, table_name text not null, record_id text not null,
    ref text not null generated always as (source || '/' || table_name || '/' || record_id) stored unique,
    entity_type text not null, embedded boolean not null, key text not null,
    first_seen_at timestamptz, updated_at timestamptz,
    primary key (source, table_name, record_id)
);
create index if not exists mentions_key on identity.mentions (key);
-- The record that a mention is inside of; of several of one kind (`record#1`) each has it.
create index if not exists mentions_record on identity.mentions (regexp_replace(record_id, '#[0-9]+$', ''));
-- What a matcher compares, normalised; lists are texts, one value a line. `blocks`: where to look for its like.
create table if not exists identity.profiles (
    key text primary key, entity_type text not null, embedded boolean not null, source text not null,
    name text, name_key text, address text, city_key text, country_code text, postcode text,
    latitude double precision, longitude double precision,
    phones text, domains text, handles text, emails text, category text, genres text, lineup text,
    birth_date text, night text, starts_at timestamptz, marker text, url text,
    blocks text[] not null default '{}'
);
create index if not exists profiles_name on identity.profiles (entity_type, name_key);
create index if not exists profiles_blocks on identity.profiles using gin (blocks) with (fastupdate = off);
-- How alike two profiles are by the matcher in use, where it is enough to ask a person or more.
create table if not exists identity.candidates (
    left_key text not null, right_key text not null, entity_type text not null, probability double precision not null,
    primary key (left_key, right_key), check (left_key < right_key)
);
create index if not exists candidates_right on identity.candidates (right_key);
-- Released matchers are never changed; the newest adopted one of a kind is in use.
create table if not exists identity.matchers (
    version text primary key, kind text not null, payload bytea not null,
    made_at timestamptz not null default now(), adopted_at timestamptz
);
create table if not exists identity.judgements (
    id uuid primary key default uuidv7(), entity_type text not null,
    left_ref text not null, right_ref text not null check (left_ref < right_ref),
    judgement text not null check (judgement in ('same', 'different', 'unsure')),
    score double precision not null, method text not null, explanation jsonb not null default '{}',
    decided_by text not null, decided_at timestamptz not null default now(), retired_at timestamptz
);
create unique index if not exists judgements_live on identity.judgements (left_ref, right_ref) where retired_at is null;
create index if not exists judgements_right on identity.judgements (right_ref) where retired_at is null;
create index if not exists judgements_claimed on identity.judgements (left_ref)
    where retired_at is null and explanation ->> 'reason' = 'both are claimed';
create index if not exists judgements_people on identity.judgements (left_ref)
    where retired_at is null and decided_by <> 'sonik';
-- Two values of one scheme that are one thing's: a renamed handle, a refreshed or duplicate place. `alias_of` is null
-- where a person said that the value stands for no other. What a person said no run changes.
create table if not exists identity.aliases (
    scheme text not null, value text not null, alias_of text, reason text not null,
    at timestamptz not null default now(), primary key (scheme, value), check (value <> alias_of)
);
-- Every time a record went from one entity to another: what a split restores, and what history shows.
create table if not exists identity.moves (
    id bigint generated always as identity primary key,
    source text not null, table_name text not null, record_id text not null,
    old_id uuid not null, new_id uuid not null, at timestamptz not null default now()
);
create index if not exists moves_record on identity.moves (source, table_name, record_id);
-- Runs that would have changed too much; the last one waits until someone acknowledges it.
create table if not exists identity.held (
    id uuid primary key default uuidv7(), at timestamptz not null default now(), reasons jsonb not null,
    worst jsonb not null, acknowledged_by text, acknowledged_at timestamptz, closed_at timestamptz
);
-- Entities over the cap of records that someone let through.
create table if not exists identity.large (
    entity_id uuid primary key, accepted_by text not null, at timestamptz not null default now()
);
-- Up to which change of the raw tables resolution has seen everything.
create table if not exists identity.seen (
    one boolean primary key default true check (one), until timestamptz not null, rules text not null
);
-- `decided`: people changed something since; what follows identity has to be made anew.
alter table identity.seen add column if not exists decided boolean not null default false;
alter table identity.identifiers alter column weak set default false;
alter table identity.profiles add column if not exists day text;
alter table identity.held add column if not exists counts jsonb not null default '{}';
alter table identity.aliases alter column alias_of drop not null,
    add column if not exists decided_by text not null default 'sonik';
-- `reused_from`: given up by that record and taken by another, differently named: it links nothing until someone looks.
alter table identity.identifiers add column if not exists name_key text, add column if not exists reused_from text;
alter table identity.event_times add column if not exists marker text, add column if not exists name_hash text,
    add column if not exists series text, add column if not exists venue_ref text,
    add column if not exists changed_at timestamptz not null default now();
create index if not exists event_times_venue_ref on identity.event_times (venue_ref);
create index if not exists event_times_entity_id on identity.event_times (entity_id);
alter table identity.entity_map add column if not exists attached boolean not null default false;
create index if not exists identifiers_reused_from on identity.identifiers (reused_from)
    where reused_from is not null;
create index if not exists identifiers_value on identity.identifiers (scheme, value);
-- What holds, with what the two records are today; null: they stand for nothing.
create or replace view identity.judged_pairs as
select
    j.id, j.entity_type, j.left_ref, j.right_ref, j.judgement, j.score, j.method, j.decided_by, j.decided_at,
    l.entity_id as left_entity, l.attached as left_attached, r.entity_id as right_entity, r.attached as right_attached
from identity.judgements as j
inner join identity.mentions as lm on lm.ref = j.left_ref
inner join identity.mentions as rm on rm.ref = j.right_ref
left join identity.entity_map as l
    on (l.source, l.table_name, l.record_id) = (lm.source, lm.table_name, lm.record_id)
left join identity.entity_map as r
    on (r.source, r.table_name, r.record_id) = (rm.source, rm.table_name, rm.record_id)
where j.retired_at is null;

create table if not exists unified.changes (
    seq bigint generated always as identity primary key,
    kind text not null check (kind in ('created', 'merged', 'split', 'tombstoned')),
    entity_id uuid not null, new_id uuid, at timestamptz not null default now()
);
do $$ begin
    if to_regprocedure('ops.protect(regclass)') is not null then
        perform ops.protect('unified.changes');
    end if;
end $$;
"""
# One writer decides at a time, so that `seq` follows the order of commits.
_LOCK = "select pg_advisory_xact_lock(hashtext('sonik.identity'))"


def ensure_tables(connection: psycopg.Connection) -> None:
    """Create what is missing; where all is there, nothing is even locked: readers and runs do not wait for each other.

    The schema's comment says which version of these statements made it.
    """
    from sonik_assets.identity import places, rekeying, repeats, visitors

    statements = "".join((_TABLES, repeats.TABLES, rekeying.TABLES, places.TABLES, visitors.TABLES))
    version = md5(statements.encode(), usedforsecurity=False).hexdigest()
    made = connection.execute("select obj_description(to_regnamespace('identity'), 'pg_namespace')").fetchone()
    if made != (version,):
        connection.execute(statements)
        connection.execute(sql.SQL("comment on schema identity is {}").format(sql.Literal(version)))


def lock(connection: psycopg.Connection) -> None:
    """Hold the one lock of identity decisions until the transaction ends."""
    connection.execute(_LOCK)
