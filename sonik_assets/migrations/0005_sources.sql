-- What an extract remembers between batches and between runs, and what it tells of itself.

create schema if not exists raw;

create table if not exists raw.extracts (
    run_id text not null, source text not null, table_name text not null,
    "window" tstzrange not null, started_at timestamptz not null, finished_at timestamptz not null,
    rows bigint not null, complete boolean not null
);
-- Rows that the extract inserted, changed, deleted or revived: what the asset's data version is made of.
alter table raw.extracts add column if not exists written bigint not null default 0;
create index if not exists extracts_latest on raw.extracts (source, table_name, finished_at desc);

create table if not exists raw.dead_letters (
    id uuid primary key, source text not null, table_name text not null, record_id text,
    payload text not null, reason text not null, error_class text not null,
    failed_at timestamptz not null default now(), run_id text not null, replayed_at timestamptz
);

-- Fields that came although the contract does not know them.
create table raw.drift (
    source text not null, table_name text not null, field text not null,
    first_seen_at timestamptz not null default now(), last_seen_at timestamptz not null default now(),
    primary key (source, table_name, field)
);

-- An unfinished extract: where it goes on, and what it has done so far. Gone when it is finished.
create table ops.checkpoints (
    source text not null, table_name text not null, "window" tstzrange not null,
    position jsonb, rows bigint not null, written bigint not null, rejected bigint not null,
    started_at timestamptz not null, saved_at timestamptz not null default now(),
    primary key (source, table_name, "window")
);

-- Where the next extract of a table begins, whatever its window: a resume token, an offset, the id of a log row.
create table ops.bookmarks (
    source text not null, table_name text not null, bookmark jsonb not null,
    saved_at timestamptz not null default now(),
    primary key (source, table_name)
);

-- Records to read again, whatever their clock says: a webhook or a reconciliation named them.
create table ops.marks (
    source text not null, table_name text not null, record_id text not null,
    marked_at timestamptz not null default now(),
    primary key (source, table_name, record_id)
);

-- Circuit breakers. Closed: open_until is null.
create table ops.circuits (
    source text primary key, failures int not null, reason text not null,
    open_until timestamptz, failed_at timestamptz not null default now()
);

-- Of a payload's content, whatever text it came as; sha256 of the text took a quarter of a first load. Whether a payload
-- changed is decided by comparing payloads, never by this.
create function ops.payload_hash(payload jsonb) returns bytea
language sql immutable strict parallel safe
return int8send(jsonb_hash_extended(payload, 0));
