"""Batch -> `raw_<source>.<table>` and `raw.dead_letters`, in sets: COPY, then one statement each.

Unchanged records cost no write; an older version never overwrites a newer one; a delete is a tombstone.
"""

from dataclasses import dataclass

import polars as pl
import psycopg
from psycopg import sql

from resources.sources.catalogue import SourceTable
from resources.stores.copy import copy_frame
from sonik_assets.raw import schema

_STAGED = """
create temporary table if not exists staged (
    position bigint generated always as identity,
    record_id text, payload text, source_updated_at timestamptz, deleted_at timestamptz,
    partial boolean, reason text, origin text
) on commit drop;
truncate staged;
"""
# What polars takes for JSON PostgreSQL may still refuse: NUL and lone surrogates.
_REFUSE = """
update staged set reason = 'not jsonb: ' || (pg_input_error_info(payload, 'jsonb')).message
where reason is null and not pg_input_is_valid(payload, 'jsonb')
"""
# The id is made of the line and its reason: the same line read twice is one letter.
_DEAD_LETTERS = """
insert into raw.dead_letters (id, source, table_name, record_id, payload, reason, error_class, run_id)
select distinct on (id)
    md5(concat_ws('|', %(source)s::text, %(table)s::text, payload, reason))::uuid as id,
    %(source)s, %(table)s, record_id, payload, origin || ': ' || reason, 'contract', %(run_id)s
from staged
where reason is not null
on conflict (id) do nothing
"""
_MERGE = """
with latest as (
    select distinct on (key) coalesce(record_id, md5(payload)) as key, staged.*
    from staged
    where reason is null
    order by key, source_updated_at desc nulls last, position desc
),
-- Several partial changes of one record in a batch: each field as the last that names it says. Debezium writes a
-- placeholder for a large value that did not change.
folded as (
    select coalesce(record_id, md5(payload)) as key,
        jsonb_object_agg(field.key, field.value order by source_updated_at nulls first, position)
            filter (where field.value <> '"__debezium_unavailable_value"') as payload
    from staged
    cross join lateral jsonb_each(payload::jsonb) as field
    where reason is null and partial
    group by 1
),
merged as (
    select
        latest.key, latest.source_updated_at, latest.deleted_at,
        old.payload_hash as old_hash, old.deleted_at as old_deleted_at, old.record_id is null as is_new,
        old.first_seen_at, old.source_updated_at as old_updated_at,
        case when latest.partial then coalesce(old.payload, '{{}}') || folded.payload
             else latest.payload::jsonb end as payload
    from latest
    left join folded on folded.key = latest.key
    left join {relation} as old on old.record_id = latest.key
    where old.record_id is null
        or coalesce(latest.source_updated_at, '-infinity') >= coalesce(old.source_updated_at, '-infinity')
),
hashed as (select *, sha256(convert_to(payload::text, 'UTF8')) as payload_hash from merged),
written as (
    insert into {relation} as t (
        record_id, payload, source_updated_at, payload_hash, first_seen_at, changed_at, deleted_at,
        partition_date, run_id
    )
    select
        key, payload, source_updated_at, payload_hash, now(), now(), deleted_at,
        (coalesce(source_updated_at, first_seen_at, now()) at time zone 'UTC')::date, %(run_id)s
    from hashed
    where is_new or (deleted_at is null) <> (old_deleted_at is null)
        -- Two versions at one time: nothing says which is newer, but it must be the same one in every run.
        or payload_hash > old_hash
        or (payload_hash <> old_hash and source_updated_at is distinct from old_updated_at)
        or (payload_hash <> old_hash and source_updated_at is null)
    on conflict (record_id) do update set
        payload = excluded.payload, source_updated_at = excluded.source_updated_at,
        payload_hash = excluded.payload_hash, changed_at = excluded.changed_at,
        deleted_at = excluded.deleted_at, partition_date = excluded.partition_date, run_id = excluded.run_id
    returning 1
)
select count(*) from written
"""
_TOMBSTONES = """
update {relation} as t set deleted_at = now(), changed_at = now(), run_id = %(run_id)s
where t.deleted_at is null and t.record_id <> all(%(present)s)
"""


@dataclass
class Counts:
    """Rows read, written (inserted, changed, revived or deleted) and rejected."""

    read: int = 0
    written: int = 0
    rejected: int = 0


def load(connection: psycopg.Connection, table: SourceTable, batch: pl.DataFrame, run_id: str, counts: Counts) -> None:
    """Merge one batch inside the caller's transaction, adding to `counts`."""
    names = {"relation": schema.relation(table)}
    values = {"source": table.source, "table": table.name, "run_id": run_id}
    with connection.cursor() as cursor:
        cursor.execute(_STAGED)
        # PostgreSQL's text holds no NUL: a dead letter shows the symbol for it, the lake keeps the line as it was.
        shown = batch.with_columns(pl.col(pl.String).str.replace_all("\0", "\N{SYMBOL FOR NULL}", literal=True))
        copy_frame(cursor, sql.Identifier("staged"), shown)
        cursor.execute(_REFUSE)
        cursor.execute("select count(*) from staged where reason is not null")
        rejected = _one(cursor)
        cursor.execute(_DEAD_LETTERS, values)
        cursor.execute(sql.SQL(_MERGE).format(**names), values)
        written = _one(cursor)
        if table.snapshot and not rejected:  # what could not be read is not gone
            present = batch["record_id"].drop_nulls().to_list()
            cursor.execute(sql.SQL(_TOMBSTONES).format(**names), {**values, "present": present})
            written += cursor.rowcount
        if written:  # the staging views are read at once, long before autovacuum would count the rows
            cursor.execute(sql.SQL("analyze {relation}").format(**names))
    counts.written += written
    counts.read += batch.height
    counts.rejected += rejected


def _one(cursor: psycopg.Cursor) -> int:
    row = cursor.fetchone()
    return int(row[0]) if row else 0
