"""Mentions that only repeat another: what a thousand listings say of an organizer in the same words is decided once.

Of the mentions of one profile the first speaks (the `speaker`), the others go wherever it goes. Not so those that are
more than their words: judged by a person, holding a reused value, or a venue's handle, which counts by who gives it.
SQL, in temporary tables.
"""

from collections.abc import Sequence

import polars as pl
import psycopg
from psycopg import sql

from resources.stores import tables
from resources.stores.copy import copy_out
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.judgements import MODEL

TABLES = """
create table if not exists identity.repeats (
    source text not null, table_name text not null, record_id text not null,
    ref text not null generated always as (source || '/' || table_name || '/' || record_id) stored unique,
    entity_type text not null, key text not null, speaker text not null,
    primary key (source, table_name, record_id)
);
create index if not exists repeats_key on identity.repeats (key);
create index if not exists repeats_speaker on identity.repeats (speaker);
"""
STRAYS = dict.fromkeys((*REF, "entity_type", "speaker"), pl.String)
"""Mentions that repeat from now on and were an entity's record before: `speaker` is a ref."""

_PREPARE = """
create temporary table if not exists spoken_keys (key text primary key) on commit drop;
truncate spoken_keys;
"""
_NOTE = """
insert into spoken_keys
select distinct key from identity.mentions inner join changed_refs using (source, table_name, record_id) where embedded
on conflict do nothing
"""
_KEYS = sql.SQL("key in (select key from spoken_keys)")
_FIND = (
    "drop table if exists repeating, risen, strays",
    sql.SQL("""
    create temporary table repeating on commit drop as
    with said as (
        select m.source, m.table_name, m.record_id, m.ref, m.entity_type, m.key
        from identity.mentions as m
        where m.embedded and m.{within}
            and not exists ({left}) and not exists ({right})
            and not exists (
                select from identity.identifiers as i
                where (i.source, i.table_name, i.record_id) = (m.source, m.table_name, m.record_id)
                    and i.valid_to is null
                    and (i.reused_from is not null or (i.entity_type = 'venue' and i.scheme = 'instagram_url'))
            )
    )
    select said.*, first.speaker
    from said inner join (select key, min(ref) as speaker from said group by key) as first using (key)
    where said.ref <> first.speaker
    """),
    "create unique index on repeating (ref)",
    "analyze repeating",
    sql.SQL("""
    create temporary table risen on commit drop as
    select m.source, m.table_name, m.record_id from identity.repeats as o inner join identity.mentions as m using (ref)
    where o.{within} and not exists (select from repeating as n where n.ref = o.ref)
    """),
    """
    create temporary table strays on commit drop as
    select n.source, n.table_name, n.record_id, n.ref, n.entity_type, n.speaker
    from repeating as n inner join identity.entity_map as e using (source, table_name, record_id)
    where not e.attached and not exists (select from identity.repeats as o where o.ref = n.ref)
    """,
)
# Of what changed: not what repeats, nor what did and is gone (it keeps its id; what was only attached leaves); but who
# speaks now, and where strays come from and go.
_STARTING = sql.SQL("""
select c.source, c.table_name, c.record_id
from (select *, concat_ws('/', source, table_name, record_id) as ref from changed_refs) as c
where not exists (select from repeating as n where n.ref = c.ref) and (
    not exists (select from identity.repeats as o where o.ref = c.ref)
    or exists (select from identity.mentions as m where m.ref = c.ref)
    or exists (
        select from identity.entity_map as e
        where (e.source, e.table_name, e.record_id) = (c.source, c.table_name, c.record_id) and e.attached
    )
)
union
select source, table_name, record_id from risen
union
select source, table_name, record_id from strays
union
select m.source, m.table_name, m.record_id from strays inner join identity.mentions as m on m.ref = strays.speaker
""")
_FORGET = sql.SQL("""
delete from identity.repeats as o where o.{within} and not exists (select from repeating as n where n.ref = o.ref)
""")
# What was judged of those who repeat from now on is said of their speaker.
_SILENCE = """
with silent as materialized (
    select ref from repeating as n where not exists (select from identity.repeats as o where o.ref = n.ref)
)
update identity.judgements set retired_at = now()
where retired_at is null and decided_by = %(model)s
    and (left_ref in (select ref from silent) or right_ref in (select ref from silent))
"""
_WRITE = """
with written as (
    insert into identity.repeats (source, table_name, record_id, entity_type, key, speaker)
    select source, table_name, record_id, entity_type, key, speaker from repeating
    on conflict (source, table_name, record_id) do update
    set entity_type = excluded.entity_type, key = excluded.key, speaker = excluded.speaker
    where (repeats.entity_type, repeats.key, repeats.speaker) <> (excluded.entity_type, excluded.key, excluded.speaker)
    returning old.ref is null as inserted
)
select count(*) filter (where inserted), count(*) filter (where not inserted) from written
"""
_FOLLOW = sql.SQL("""
with wherever as (
    select r.source, r.table_name, r.record_id, e.entity_id, e.entity_type, e.linked_by, e.attached
    from identity.repeats as r
    inner join identity.mentions as s on s.ref = r.speaker
    left join identity.entity_map as e
        on (e.source, e.table_name, e.record_id) = (s.source, s.table_name, s.record_id)
    where {among}
),
followed as (
    merge into identity.entity_map as t using wherever as f
        on (t.source, t.table_name, t.record_id) = (f.source, f.table_name, f.record_id)
    when matched and f.entity_id is null then delete
    when matched and (t.entity_id, t.entity_type, t.linked_by, t.attached)
        <> (f.entity_id, f.entity_type, f.linked_by, f.attached)
    then update set entity_id = f.entity_id, entity_type = f.entity_type, linked_by = f.linked_by,
        attached = f.attached, linked_at = now()
    when not matched and f.entity_id is not null
    then insert (source, table_name, record_id, entity_id, entity_type, linked_by, attached)
        values (f.source, f.table_name, f.record_id, f.entity_id, f.entity_type, f.linked_by, f.attached)
    returning merge_action() as action, f.source, f.table_name, f.record_id,
        case when not old.attached then old.entity_id end as old_id,
        case when not new.attached then new.entity_id end as new_id
),
moved as (
    insert into identity.moves (source, table_name, record_id, old_id, new_id)
    select source, table_name, record_id, old_id, new_id from followed where old_id <> new_id
    order by source, table_name, record_id
),
earlier as (
    update identity.entities as e set first_seen_at = f.at
    from (
        select new_id, min(m.first_seen_at) as at
        from followed inner join identity.mentions as m using (source, table_name, record_id)
        where new_id is not null group by 1
    ) as f
    where e.entity_id = f.new_id and f.at < e.first_seen_at
)
select action, count(*) from followed group by 1
""")
_IN_SCOPE = sql.SQL("""r.ref in (
    select ref from identity.repeats where speaker in (select ref from scope)
    union
    select ref from identity.repeats where key in (select key from spoken_keys)
)""")


def note(connection: psycopg.Connection, *, afresh: bool = False) -> None:
    """Note the profiles of the mentions in the temporary table `changed_refs`: who speaks for them may change.

    Called before what changed is remembered (`afresh`) and after.
    """
    if afresh:
        connection.execute(_PREPARE)
    connection.execute(_NOTE)
    connection.execute("analyze spoken_keys")


def refresh(connection: psycopg.Connection, kinds: Sequence[str] | None) -> tuple[tables.Counts, pl.DataFrame]:
    """Find out who repeats whom, of entity types or of the noted profiles (None); return what was written.

    Also returned: REF of the records, of those in `changed_refs`, from which a change must spread.
    """
    within = _within(kinds)
    parts = {"within": within, **{side: _judged(f"{side}_ref") for side in ("left", "right")}}
    for statement in _FIND:
        connection.execute(statement.format(**parts) if isinstance(statement, sql.SQL) else statement)
    starting = pl.DataFrame(schema=dict.fromkeys(REF, pl.String))
    if kinds is None:
        starting = copy_out(connection, _STARTING, dict.fromkeys(REF, pl.String))
    deleted = connection.execute(_FORGET.format(within=within)).rowcount
    connection.execute(_SILENCE, {"model": MODEL})
    inserted, updated = connection.execute(_WRITE).fetchone() or (0, 0)
    counts = tables.Counts(inserted, updated, deleted)
    tables.analyze(connection, "identity.repeats", counts.total)
    return counts, starting


def strays(connection: psycopg.Connection) -> pl.DataFrame:
    """Return STRAYS of the last `refresh`."""
    return copy_out(
        connection, sql.SQL("select source, table_name, record_id, entity_type, speaker from strays"), STRAYS
    )


def follow(connection: psycopg.Connection, kinds: Sequence[str] | None) -> tables.Counts:
    """Bring what repeats to the entities of who speaks for it: of types, or of `scope` and noted profiles (None)."""
    among = _IN_SCOPE if kinds is None else sql.SQL("r.") + _within(kinds)
    done: dict[str, int] = dict(connection.execute(_FOLLOW.format(among=among)).fetchall())
    counts = tables.Counts(done.get("INSERT", 0), done.get("UPDATE", 0), done.get("DELETE", 0))
    tables.analyze(connection, "identity.entity_map", counts.total)
    return counts


def count(connection: psycopg.Connection, speakers: pl.Series) -> int:
    """Return how many mentions repeat these (refs)."""
    query = "select count(*) from identity.repeats where speaker = any(%s)"
    (found,) = connection.execute(query, [speakers.to_list()]).fetchone() or (0,)
    return int(found)


def _within(kinds: Sequence[str] | None) -> sql.Composable:
    return _KEYS if kinds is None else sql.SQL("entity_type = any({})").format(sql.Literal(list(kinds)))


def _judged(side: str) -> sql.Composable:
    return sql.SQL(
        "select from identity.judgements as j where j.{} = m.ref and j.retired_at is null and j.decided_by <> {}"
    ).format(sql.Identifier(side), sql.Literal(MODEL))
