"""Batch -> `raw_<source>.<table>` and `raw.dead_letters`, in sets: COPY, then one statement each.

A row is two last-writer-wins registers: the newest version, and the newest deletion. Versions and deletions may come
in any order, any number of times; the rows end the same. Unchanged records cost no write.
"""

from dataclasses import dataclass, field

import polars as pl
import psycopg
from psycopg import sql

from resources.sources.catalogue import SourceTable
from resources.stores.copy import copy_frame
from sonik_assets.raw import schema

_STAGED = """
create temporary table if not exists staged (
    record_id text, payload jsonb, source_updated_at timestamptz, deleted_at timestamptz, partial boolean
) on commit drop;
create temporary table if not exists refused (
    record_id text, payload text, source_updated_at timestamptz, deleted_at timestamptz, partial boolean,
    reason text, origin text
) on commit drop;
truncate staged, refused;
"""
# A batch is small beside its table: each row is found by the key. Left alone the planner hashes the whole table with
# its payloads for every batch (100,000 changed rows: 3.4 s instead of 2.5). Folding joins no indexed rows.
_JOINS = "set local enable_hashjoin = {folding}; set local enable_mergejoin = {folding}"
_GOOD = ("record_id", "payload", "source_updated_at", "deleted_at", "partial")
_LETTER = (*_GOOD, "reason", "origin")
# What msgspec takes for JSON PostgreSQL may still refuse, as a lone surrogate. Rare: only then is each row asked.
_SIFT = """
update refused set reason = 'not jsonb: ' || (pg_input_error_info(payload, 'jsonb')).message
where reason is null and not pg_input_is_valid(payload, 'jsonb');
insert into staged (record_id, payload, source_updated_at, deleted_at, partial)
select record_id, payload::jsonb, source_updated_at, deleted_at, partial from refused where reason is null;
delete from refused where reason is null;
"""
# The id is made of the line and its reason: the same line read twice is one letter.
_DEAD_LETTERS = """
insert into raw.dead_letters (id, source, table_name, record_id, payload, reason, error_class, run_id)
select distinct on (id)
    md5(concat_ws('|', %(source)s::text, %(table)s::text, payload, reason))::uuid as id,
    %(source)s, %(table)s, record_id, payload, origin || ': ' || reason, 'contract', %(run_id)s
from refused
on conflict (id) do nothing
"""
# One version a record: the newest by its clock. Two at one time: of a live source what was read later; of files nothing
# says which is newer, but it must be the same one in every run, so the greater content, and dead if either is. Without
# a clock the last read counts.
_NEWEST = """
select distinct on (record_id)
    record_id, payload, source_updated_at,
    max(deleted_at) over (partition by record_id, source_updated_at) as deleted_at
from versions
order by
    record_id, source_updated_at desc nulls last,
    case when source_updated_at is not null and not {later} then payload end desc, position desc
"""
# Several partial changes of one record in a batch: each field as the last that names it says. Debezium writes a
# placeholder for a large value that did not change. What reads the same is the same: a log may have "100" for 100.
_FOLDED = """
select
    n.record_id, coalesce(old.payload, '{{}}') || coalesce(folded.payload, '{{}}') as payload,
    n.source_updated_at, n.deleted_at
from newest as n
left join (
    select
        v.record_id,
        jsonb_object_agg(
            each.key,
            case
                when known.payload ->> each.key = each.value #>> '{{}}' then known.payload -> each.key else each.value
            end
            order by v.source_updated_at nulls first, position
        ) filter (where each.value <> '"__debezium_unavailable_value"') as payload
    from versions as v
    cross join lateral jsonb_each(v.payload) as each
    left join {relation} as known on known.record_id = v.record_id
    group by v.record_id
) as folded on folded.record_id = n.record_id
left join {relation} as old on old.record_id = n.record_id
"""
_MERGE = """
with versions as (select *, ctid as position from staged where payload is not null and partial = {partial}),
newest as ({newest}),
latest as ({latest}),
resolved as (
    select
        new.record_id, new.source_updated_at, old.first_seen_at,
        case
            when old.source_updated_at = new.source_updated_at and old.payload > new.payload and not {later}
                then old.payload
            else new.payload
        end as payload,
        -- A deletion that is not older than the version keeps it dead.
        greatest(
            new.deleted_at, case when old.deleted_at >= new.source_updated_at then old.deleted_at end
        ) as deleted_at,
        old.record_id is null as is_new, old.payload as old_payload, old.source_updated_at as old_updated_at,
        old.deleted_at as old_deleted_at
    from latest as new
    left join {relation} as old on old.record_id = new.record_id
    where old.record_id is null
        or (
            coalesce(new.source_updated_at, '-infinity') >= coalesce(old.source_updated_at, '-infinity')
            and (new.source_updated_at is not null or not {filling} or old.run_id = %(run_id)s)
        )
)
insert into {relation} as t (
    record_id, payload, source_updated_at, payload_hash, first_seen_at, changed_at, deleted_at, partition_date, run_id
)
select
    record_id, payload, source_updated_at, ops.payload_hash(payload), now(), now(), deleted_at,
    (coalesce(source_updated_at, first_seen_at, now()) at time zone 'UTC')::date, %(run_id)s
from resolved
where is_new
    or deleted_at is distinct from old_deleted_at
    or source_updated_at is distinct from old_updated_at
    or payload <> old_payload
on conflict (record_id) do update set
    payload = excluded.payload, source_updated_at = excluded.source_updated_at,
    payload_hash = excluded.payload_hash, changed_at = excluded.changed_at,
    deleted_at = excluded.deleted_at, partition_date = excluded.partition_date, run_id = excluded.run_id
"""
# Of a record that was never seen the deletion is kept too: an older version may still come.
_BURY = """
with gone as (select record_id, max(deleted_at) as at from staged where payload is null group by record_id)
insert into {relation} as t (
    record_id, payload, payload_hash, first_seen_at, changed_at, deleted_at, partition_date, run_id
)
select gone.record_id, '{{}}', ops.payload_hash('{{}}'), now(), now(), at, (at at time zone 'UTC')::date, %(run_id)s
from gone
left join {relation} as old on old.record_id = gone.record_id
where old.record_id is null
    or (coalesce(old.source_updated_at, '-infinity') <= at and coalesce(old.deleted_at, '-infinity') < at)
on conflict (record_id) do update set
    deleted_at = excluded.deleted_at, changed_at = excluded.changed_at, run_id = excluded.run_id
"""


@dataclass
class Counts:
    """Rows read, written (inserted, changed, revived or deleted) and rejected; fields that no contract knows."""

    read: int = 0
    written: int = 0
    rejected: int = 0
    unknown: set[str] = field(default_factory=set)
    gone: int = 0
    """Rows that a reconciliation deleted."""
    unread: int = 0
    """Records of the source that a reconciliation found unread and left to a backfill."""

    def add(self, other: "Counts") -> None:
        """Add what another part of the extract counted."""
        for name in ("read", "written", "rejected", "gone", "unread"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.unknown |= other.unknown


def load(
    connection: psycopg.Connection,
    table: SourceTable,
    rows: pl.DataFrame,
    run_id: str,
    counts: Counts,
    *,
    in_order: bool = False,
    filling: bool = False,
) -> None:
    """Merge one batch's rows inside the caller's transaction, adding to `counts`.

    `in_order`: what comes later was read later, as from a live source; it decides between versions of one time.
    `filling`: what is read again was read before what the table has, so that of a record without a clock it counts
    only where the table has none, or one of the same run.
    """
    counts.read += rows.height
    good = rows.filter(pl.col("reason").is_null())
    versions = good.filter(pl.col("payload").is_not_null())
    unique = versions["record_id"].n_unique() == versions.height
    with connection.cursor() as cursor:
        # Two loads of one table take turns: neither may judge rows that the other is changing.
        cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [table.relation])
        cursor.execute(_STAGED)
        _stage(cursor, rows, good)
        counts.rejected += _write_letters(cursor, table, run_id)
        for partial in versions["partial"].unique().sort():
            cursor.execute(sql.SQL(_JOINS).format(folding=sql.Literal(partial)))
            how = {"partial": partial, "later": in_order or partial, "filling": filling}
            counts.written += _written(cursor, _merge(table, how, unique=unique), run_id)
        if good.height > versions.height:
            bury = sql.SQL(_BURY).format(relation=schema.relation(table))
            counts.written += _written(cursor, bury, run_id)


def _merge(table: SourceTable, how: dict[str, bool], *, unique: bool) -> sql.Composed:
    """Return the statement that merges the staged versions. `unique`: no record comes twice, so none is chosen."""
    names = {"relation": schema.relation(table), **{name: sql.Literal(value) for name, value in how.items()}}
    return sql.SQL(_MERGE).format(
        newest=sql.SQL("select * from versions" if unique else _NEWEST).format(**names),
        latest=sql.SQL(_FOLDED).format(**names) if how["partial"] else sql.SQL("select * from newest"),
        **names,
    )


def _stage(cursor: psycopg.Cursor, rows: pl.DataFrame, good: pl.DataFrame) -> None:
    """COPY the good rows to `staged`, the others to `refused`."""
    bad = rows.filter(pl.col("reason").is_not_null())
    try:
        with cursor.connection.transaction():
            copy_frame(cursor, sql.Identifier("staged"), good, _GOOD)
    except psycopg.errors.DataError:
        bad = rows
    if bad.height:
        # PostgreSQL's text holds no NUL: a dead letter shows the symbol for it, the lake keeps the line as it was.
        shown = bad.with_columns(pl.col(pl.String).str.replace_all("\0", "\N{SYMBOL FOR NULL}", literal=True))
        copy_frame(cursor, sql.Identifier("refused"), shown, _LETTER)
        cursor.execute(_SIFT)


def _write_letters(cursor: psycopg.Cursor, table: SourceTable, run_id: str) -> int:
    """Keep what was refused as dead letters; return how many rows that were."""
    cursor.execute("select count(*) from refused")
    row = cursor.fetchone()
    if row and row[0]:
        cursor.execute(_DEAD_LETTERS, {"source": table.source, "table": table.name, "run_id": run_id})
    return int(row[0]) if row else 0


def _written(cursor: psycopg.Cursor, statement: sql.Composed, run_id: str) -> int:
    cursor.execute(statement, {"run_id": run_id})
    return cursor.rowcount
