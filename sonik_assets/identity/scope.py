"""How far a change reaches: the records whose entities could come out differently. SQL, in temporary tables.

From a changed record: to records of its entity, to records that hold a value of it, to records that are like it, to
records that a person judged with it; and on from there until nothing is added. What lies outside is untouched, for
resolution within the scope looks at nothing outside. `attached` mentions lead nowhere: they follow a name.
"""

from collections.abc import Sequence

import polars as pl
import psycopg
from psycopg import sql

from resources.stores.copy import copy_frame
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.likeness import AUTHORITATIVE, MOST_NAMES
from sonik_assets.identity.schemes import strong

_TABLES = """
create temporary table if not exists scope (
    source text, table_name text, record_id text, ref text primary key, round int not null
) on commit drop;
create temporary table if not exists strong (
    entity_type text, scheme text, primary key (entity_type, scheme)
) on commit drop;
create temporary table if not exists common (
    entity_type text, scheme text, value text, primary key (entity_type, scheme, value)
) on commit drop;
truncate scope, strong, common;
"""
_ALL = """
insert into scope
select source, table_name, record_id, concat_ws('/', source, table_name, record_id), 0 from identity.mentions
where entity_type = any(%(kinds)s)
union
select source, table_name, record_id, concat_ws('/', source, table_name, record_id), 0 from identity.entity_map
where entity_type = any(%(kinds)s)
"""
# A value of very many differently named records is nobody's own, whoever else gives it: it reaches no further.
_COMMON = """
insert into common
select i.entity_type, i.scheme, i.value
from identity.identifiers as i
inner join strong using (entity_type, scheme)
inner join identity.mentions as m using (source, table_name, record_id)
inner join identity.profiles as p using (key)
where i.valid_to is null and i.scheme <> all(%(register)s) {values}
group by i.entity_type, i.scheme, i.value
having count(distinct p.name_key) > %(most)s
on conflict do nothing
"""
_VALUES_OF_ROUND = """
    and (i.entity_type, i.scheme, i.value) in (
        select f.entity_type, f.scheme, f.value from identity.identifiers as f
        inner join scope using (source, table_name, record_id) where scope.round = %(round)s
    )
"""
_NEIGHBOURS = {
    "entity": """
        select o.source, o.table_name, o.record_id from scope
        inner join identity.entity_map as m using (source, table_name, record_id)
        inner join identity.entity_map as o on o.entity_id = m.entity_id and not o.attached
        where scope.round = %(round)s and not m.attached
    """,
    "value": """
        select o.source, o.table_name, o.record_id from scope
        inner join identity.identifiers as i using (source, table_name, record_id)
        inner join strong using (entity_type, scheme)
        inner join identity.identifiers as o
            on o.scheme = i.scheme and o.value = i.value and o.entity_type = i.entity_type and o.valid_to is null
        where scope.round = %(round)s and (i.valid_to is null or scope.round = 0)
            and (i.entity_type, i.scheme, i.value) not in (select entity_type, scheme, value from common)
    """,
    "alias": """
        select o.source, o.table_name, o.record_id from scope
        inner join identity.identifiers as i using (source, table_name, record_id)
        inner join strong using (entity_type, scheme)
        inner join identity.aliases as a on a.scheme = i.scheme and i.value in (a.value, a.alias_of)
        inner join identity.aliases as b on b.scheme = a.scheme and b.alias_of = a.alias_of
        inner join identity.identifiers as o
            on o.scheme = b.scheme and o.value in (b.value, b.alias_of) and o.entity_type = i.entity_type
        where scope.round = %(round)s and o.valid_to is null
    """,
    "likeness": """
        select o.source, o.table_name, o.record_id from scope
        inner join identity.mentions as m on m.ref = scope.ref
        cross join lateral (
            select right_key as key from identity.candidates where left_key = m.key
            union all
            select left_key from identity.candidates where right_key = m.key
        ) as c
        inner join identity.mentions as o on o.key = c.key
        where scope.round = %(round)s and {stands_m} and {stands_o}
    """,
    "judgement": """
        select o.source, o.table_name, o.record_id from scope
        inner join identity.judgements as j
            on scope.ref in (j.left_ref, j.right_ref) and j.retired_at is null
        inner join identity.mentions as o
            on o.ref = case when j.left_ref = scope.ref then j.right_ref else j.left_ref end
        where scope.round = %(round)s and {stands_o}
    """,
}
# A mention inside another record stands for itself only with a strong identifier of its own.
_STANDS = """(not {alias}.embedded or exists (
    select from identity.identifiers as s inner join strong using (entity_type, scheme)
    where (s.source, s.table_name, s.record_id) = ({alias}.source, {alias}.table_name, {alias}.record_id)
        and s.valid_to is null
))"""
# What a record was called or like before it changed or went: noted while resolution still remembers it.
_LEFT_BEHIND = """
create temporary table if not exists left_behind (key text primary key) on commit drop;
truncate left_behind;
with old as (
    select m.key, m.ref from identity.mentions as m inner join changed_refs using (source, table_name, record_id)
)
insert into left_behind
select n.key
from old
inner join identity.profiles as p on p.key = old.key and not p.embedded
inner join identity.profiles as n on n.entity_type = p.entity_type and n.name_key = p.name_key and n.embedded
union
select p.key
from old
inner join identity.candidates as c on old.key in (c.left_key, c.right_key)
inner join identity.profiles as p
    on p.key = case when c.left_key = old.key then c.right_key else c.left_key end and p.embedded
union
select old.key from old where {judged_old}
"""
_JUDGED = """exists (
    select from identity.judgements as j
    where {ref} in (j.left_ref, j.right_ref) and j.retired_at is null and j.decided_by <> 'sonik'
)"""
# Named mentions that could now mean another thing: changed themselves, or they are named, look or are attached as one.
# From those that stand for themselves the change goes on.
_NAMED = """
insert into scope
select distinct on (m.ref) m.source, m.table_name, m.record_id, m.ref, case when {stands_m} then %(round)s else -1 end
from identity.mentions as m
where m.embedded and m.entity_type = any(%(kinds)s) and (
    m.key in (
        select n.key from identity.profiles as n
        inner join identity.profiles as p on p.entity_type = n.entity_type and p.name_key = n.name_key
        inner join identity.mentions as o on o.key = p.key
        inner join scope on scope.ref = o.ref
        where n.embedded and not p.embedded
    )
    or m.key in (
        select case when c.left_key = o.key then c.right_key else c.left_key end
        from scope
        inner join identity.mentions as o on o.ref = scope.ref
        inner join identity.candidates as c on c.left_key = o.key or c.right_key = o.key
    )
    or (m.source, m.table_name, m.record_id) in (
        select a.source, a.table_name, a.record_id from scope
        inner join identity.entity_map as e using (source, table_name, record_id)
        inner join identity.entity_map as a on a.entity_id = e.entity_id and a.attached
    )
    or m.key in (select key from left_behind)
    -- A decision about one mention of a profile holds for the others.
    or m.key in (
        select o.key from scope inner join identity.mentions as o on o.ref = scope.ref
        where o.embedded and {judged_o}
    )
    or {judged_m} and m.key in (
        select o.key from scope inner join identity.mentions as o on o.ref = scope.ref where o.embedded
    )
)
on conflict do nothing
"""


def everything(connection: psycopg.Connection, kinds: Sequence[str]) -> None:
    """Put all mentions of the types, and those that are gone, into the temporary table `scope`."""
    _prepare(connection, kinds)
    connection.execute(_ALL, {"kinds": list(kinds)})
    _common(connection, "")
    connection.execute("analyze scope, common, strong")


def note_names(connection: psycopg.Connection) -> None:
    """Note whom the records in `changed_refs` may have named so far, before what they were is forgotten."""
    for statement in _LEFT_BEHIND.format(judged_old=_JUDGED.format(ref="old.ref")).split(";\n"):
        connection.execute(statement)


def spread(connection: psycopg.Connection, kinds: Sequence[str], changed: pl.DataFrame) -> int:
    """Put into `scope` all that a change of the records (REF, new and gone ones too) reaches; return how many.

    `note_names` was called before the change was remembered.
    """
    _prepare(connection, kinds)
    with connection.cursor() as cursor:
        rows = changed.select(*REF, pl.concat_str(*REF, separator="/").alias("ref"), pl.lit(0).alias("round")).unique(
            "ref"
        )
        copy_frame(cursor, sql.Identifier("scope"), rows)
    number, added = 0, changed.height
    while added:
        while added:
            connection.execute("analyze scope")
            _common(connection, _VALUES_OF_ROUND, round=number)
            added = _round(connection, number)
            number += 1
        added = _named(connection, kinds, number)
    connection.execute("analyze scope")
    (count,) = connection.execute("select count(*) from scope").fetchone() or (0,)
    return int(count)


def _round(connection: psycopg.Connection, number: int) -> int:
    stands = {f"stands_{alias}": _STANDS.format(alias=alias) for alias in "mo"}
    parts = " union ".join(query.format(**stands) for query in _NEIGHBOURS.values())
    cursor = connection.execute(
        "insert into scope"
        " select source, table_name, record_id, concat_ws('/', source, table_name, record_id), %(next)s"
        f" from ({parts}) as found on conflict do nothing",
        {"round": number, "next": number + 1},
    )
    return cursor.rowcount


def _named(connection: psycopg.Connection, kinds: Sequence[str], number: int) -> int:
    """Add the named mentions as round `number`; return how many of them stand for themselves."""
    judged = {f"judged_{alias}": _JUDGED.format(ref=f"{alias}.ref") for alias in "mo"}
    query = _NAMED.format(stands_m=_STANDS.format(alias="m"), **judged)
    connection.execute(query, {"kinds": list(kinds), "round": number})
    (standing,) = connection.execute("select count(*) from scope where round = %s", [number]).fetchone() or (0,)
    return int(standing)


def _prepare(connection: psycopg.Connection, kinds: Sequence[str]) -> None:
    connection.execute(_TABLES)
    with connection.cursor() as cursor:
        copy_frame(cursor, sql.Identifier("strong"), strong(tuple(kinds)).drop("rank"))


def _common(connection: psycopg.Connection, values: str, **bound: object) -> None:
    connection.execute(_COMMON.format(values=values), {"register": sorted(AUTHORITATIVE), "most": MOST_NAMES, **bound})
