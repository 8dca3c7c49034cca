"""How far a change reaches: the records whose entities could come out differently. SQL, in temporary tables.

From a changed record: to records of its entity, to holders of its values, to what is like it enough to be linked, to
what a person judged with it; and on from there until nothing is added: their clusters may change. Then, one step, to
what a person may be asked about with these; their clusters are complete in scope too, but cannot change. What lies
outside is untouched, for resolution within the scope looks at nothing outside. `attached` mentions lead nowhere: they
follow a name. What only repeats another mention stays out: it goes where that goes (`repeats.py`).
"""

import json
from collections.abc import Mapping, Sequence

import polars as pl
import psycopg
from psycopg import sql

from resources.stores.copy import copy_frame
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.likeness import AUTHORITATIVE, MOST_NAMES
from sonik_assets.identity.schemes import strong

_TABLES = """
create temporary table if not exists scope (
    source text, table_name text, record_id text, ref text primary key, round int not null,
    core boolean not null default true -- its cluster may change
) on commit drop;
create temporary table if not exists strong (
    entity_type text, scheme text, primary key (entity_type, scheme)
) on commit drop;
create temporary table if not exists common (
    entity_type text, scheme text, value text, primary key (entity_type, scheme, value)
) on commit drop;
truncate scope, strong, common;
-- Every value that has an alias or is one, with the newest.
create or replace temporary view spellings as
select scheme, value, alias_of from identity.aliases where alias_of is not null
union
select scheme, alias_of, alias_of from identity.aliases where alias_of is not null;
"""
_ALL = """
insert into scope
select source, table_name, record_id, ref, 0 from identity.mentions as m
where entity_type = any(%(kinds)s) and not exists (select from identity.repeats as r where r.ref = m.ref)
union
select source, table_name, record_id, ref, 0 from strays where entity_type = any(%(kinds)s)
union
select source, table_name, record_id, concat_ws('/', source, table_name, record_id), 0 from identity.entity_map
left join identity.mentions as m using (source, table_name, record_id)
where entity_map.entity_type = any(%(kinds)s) and m.ref is null
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
# Each takes what the round has in common once, then whoever else has it: a club is named a thousand times.
_NEIGHBOURS = {
    "entity": """
        select o.source, o.table_name, o.record_id
        from (
            select distinct m.entity_id from started
            inner join identity.entity_map as m using (source, table_name, record_id)
            where not m.attached
        ) as here
        inner join identity.entity_map as o on o.entity_id = here.entity_id and not o.attached
    """,
    "value": """
        select o.source, o.table_name, o.record_id
        from (
            select distinct i.entity_type, i.scheme, i.value from started
            inner join identity.identifiers as i using (source, table_name, record_id)
            inner join strong using (entity_type, scheme)
            where (i.valid_to is null or started.round = 0)
                and (i.entity_type, i.scheme, i.value) not in (select entity_type, scheme, value from common)
        ) as here
        inner join identity.identifiers as o
            on o.scheme = here.scheme and o.value = here.value and o.entity_type = here.entity_type
                and o.valid_to is null
    """,
    "alias": """
        select o.source, o.table_name, o.record_id
        from (
            select distinct i.entity_type, a.scheme, a.alias_of from started
            inner join identity.identifiers as i using (source, table_name, record_id)
            inner join strong using (entity_type, scheme)
            inner join spellings as a using (scheme, value)
        ) as here
        inner join spellings as b using (scheme, alias_of)
        inner join identity.identifiers as o
            on o.scheme = b.scheme and o.value = b.value and o.entity_type = here.entity_type and o.valid_to is null
    """,
    "likeness": """
        select o.source, o.table_name, o.record_id
        from (
            select c.right_key as key, c.entity_type, c.probability from standing as s
            inner join identity.candidates as c on c.left_key = s.key
            union
            select c.left_key, c.entity_type, c.probability from standing as s
            inner join identity.candidates as c on c.right_key = s.key
        ) as alike
        inner join identity.mentions as o using (key)
        where {stands} and (%(weak)s or alike.probability >= (%(links)s::jsonb ->> alike.entity_type)::float8)
    """,
    "judgement": """
        select o.source, o.table_name, o.record_id
        from (
            select j.right_ref as ref, j.decided_by from started as s
            inner join identity.judgements as j on j.left_ref = s.ref and j.retired_at is null
            union
            select j.left_ref, j.decided_by from started as s
            inner join identity.judgements as j on j.right_ref = s.ref and j.retired_at is null
        ) as judged
        inner join identity.mentions as o using (ref)
        where {stands} and (%(weak)s or judged.decided_by <> 'sonik')
    """,
}
# Where a step starts: the records of the last round; for what may only be asked, all whose cluster may change.
_STARTED = """
started as materialized (select * from scope where core and %(weak)s or round = %(round)s and not %(weak)s),
standing as materialized (
    select distinct o.key from started inner join identity.mentions as o using (ref) where {stands}
)
"""
# A mention inside another record stands for itself only with a strong identifier of its own.
_STANDS = """(not {alias}.embedded or exists (
    select from identity.identifiers as s inner join strong using (entity_type, scheme)
    where (s.source, s.table_name, s.record_id) = ({alias}.source, {alias}.table_name, {alias}.record_id)
        and s.valid_to is null
))"""
# Both ends of what people decided.
_JUDGED = """
judged as materialized (
    select unnest(array[left_ref, right_ref]) as ref from identity.judgements
    where retired_at is null and decided_by <> 'sonik'
)
"""
# What a record was called or like before it changed or went: noted while resolution still remembers it.
_LEFT_BEHIND = (
    "create temporary table if not exists left_behind (key text primary key) on commit drop",
    "truncate left_behind",
    f"""
    with {_JUDGED},
    old as (
        select m.key, m.ref from identity.mentions as m inner join changed_refs using (source, table_name, record_id)
    )
    insert into left_behind
    select n.key
    from old
    inner join identity.profiles as p on p.key = old.key and not p.embedded
    inner join identity.profiles as n on n.entity_type = p.entity_type and n.name_key = p.name_key and n.embedded
    union
    select p.key
    from (
        select c.right_key as key from old inner join identity.candidates as c on c.left_key = old.key
        union
        select c.left_key from old inner join identity.candidates as c on c.right_key = old.key
    ) as like_old
    inner join identity.profiles as p on p.key = like_old.key and p.embedded
    union
    select key from old where ref in (select ref from judged)
    """,
)
# Named mentions that could now mean another thing: changed themselves, or they are named, look or are attached as one,
# or a person judged one of their profile. From those that stand for themselves the change goes on.
_NAMED = f"""
with {_JUDGED},
here as materialized (
    select o.key, o.ref, o.embedded from scope inner join identity.mentions as o on o.ref = scope.ref where scope.core
),
reached as (
    select n.key
    from here
    inner join identity.profiles as p on p.key = here.key and not p.embedded
    inner join identity.profiles as n on n.entity_type = p.entity_type and n.name_key = p.name_key and n.embedded
    union
    select c.right_key from here inner join identity.candidates as c on c.left_key = here.key
    union
    select c.left_key from here inner join identity.candidates as c on c.right_key = here.key
    union
    select key from left_behind
    union
    select key from here where embedded and ref in (select ref from judged)
),
named as (
    select m.ref from reached inner join identity.mentions as m using (key)
    union
    select m.ref from judged inner join identity.mentions as m using (ref) where m.key in (select key from here)
    union
    select concat_ws('/', a.source, a.table_name, a.record_id)
    from scope
    inner join identity.entity_map as e using (source, table_name, record_id)
    inner join identity.entity_map as a on a.entity_id = e.entity_id and a.attached
    where scope.core
)
insert into scope
select m.source, m.table_name, m.record_id, m.ref, case when {_STANDS.format(alias="m")} then %(round)s else -1 end,
    false
from named inner join identity.mentions as m using (ref)
where m.embedded and m.entity_type = any(%(kinds)s)
    and not exists (select from identity.repeats as r where r.ref = m.ref)
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
    for statement in _LEFT_BEHIND:
        connection.execute(statement)


def spread(
    connection: psycopg.Connection, kinds: Sequence[str], changed: pl.DataFrame, links: Mapping[str, float]
) -> int:
    """Put into `scope` all that a change of the records (REF, new and gone ones too) reaches; return how many.

    `links`: entity type -> probability from which likeness links. `note_names` was called before the change was
    remembered.
    """
    _prepare(connection, kinds)
    with connection.cursor() as cursor:
        rows = changed.select(*REF, pl.concat_str(*REF, separator="/").alias("ref"), pl.lit(0).alias("round")).unique(
            "ref"
        )
        copy_frame(cursor, sql.Identifier("scope"), rows)
    limits = json.dumps(dict(links))
    number = _close(connection, limits, 0, core=True)
    number = _step(connection, limits, number, weak=True)
    number = _close(connection, limits, number, core=False)
    if _named(connection, kinds, number):
        _close(connection, limits, number, core=False)
    connection.execute("analyze scope")
    (count,) = connection.execute("select count(*) from scope").fetchone() or (0,)
    return int(count)


def _close(connection: psycopg.Connection, links: str, number: int, *, core: bool) -> int:
    """Go on from the records of round `number` until nothing is added; return the number of the next round."""
    added = True
    while added:
        connection.execute("analyze scope")
        _common(connection, _VALUES_OF_ROUND, round=number)
        before = number
        number = _step(connection, links, number, core=core)
        added = number > before
    return number + 1


def _step(connection: psycopg.Connection, links: str, number: int, *, weak: bool = False, core: bool = False) -> int:
    """Add the neighbours of round `number`, or all that is only asked about (`weak`); return the last round then."""
    stands = _STANDS.format(alias="o")
    kinds = ("likeness", "judgement") if weak else tuple(_NEIGHBOURS)
    parts = " union ".join(_NEIGHBOURS[kind].format(stands=stands) for kind in kinds)
    added = connection.execute(
        f"with {_STARTED.format(stands=stands)} insert into scope"
        " select source, table_name, record_id, concat_ws('/', source, table_name, record_id), %(next)s, %(core)s"
        f" from ({parts}) as found where not exists (select from identity.repeats as r"
        " where (r.ref = concat_ws('/', found.source, found.table_name, found.record_id)))"
        " on conflict do nothing",
        {"round": number, "next": number + 1, "weak": weak, "links": links, "core": core},
    ).rowcount
    return number + 1 if added or weak else number


def _named(connection: psycopg.Connection, kinds: Sequence[str], number: int) -> int:
    """Add the named mentions as round `number`; return how many of them stand for themselves."""
    connection.execute(_NAMED, {"kinds": list(kinds), "round": number})
    (standing,) = connection.execute("select count(*) from scope where round = %s", [number]).fetchone() or (0,)
    return int(standing)


def _prepare(connection: psycopg.Connection, kinds: Sequence[str]) -> None:
    connection.execute(_TABLES)
    with connection.cursor() as cursor:
        copy_frame(cursor, sql.Identifier("strong"), strong(tuple(kinds)).drop("rank"))


def _common(connection: psycopg.Connection, values: str, **bound: object) -> None:
    connection.execute(_COMMON.format(values=values), {"register": sorted(AUTHORITATIVE), "most": MOST_NAMES, **bound})
