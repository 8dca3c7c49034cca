"""A source renumbered its records: all that identity remembers of them gets the new ids, so nobody loses theirs.

SQL in sets, one transaction. Mentions inside the records (`table.part`, `record#1`) are renumbered with them.
"""

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.stores.copy import copy_frame
from sonik_assets.identity.judgements import MODEL
from sonik_assets.identity.tables import ensure_tables, lock

COLUMNS = ("old_record_id", "new_record_id")

TABLES = """
-- Who gave a source's records new ids: judgements and what else names them was rewritten.
create table if not exists identity.rekeyings (
    id bigint generated always as identity primary key, at timestamptz not null default now(),
    decided_by text not null, source text not null, table_name text not null, records bigint not null
);
"""

_KEYED = ("entity_map", "identifiers", "mentions", "moves", "event_times", "repeats", "places_asked")
"""The tables with the columns source, table_name, record_id."""

_PAIRS = """
create temporary table renumbered (old text primary key, new text not null unique) on commit drop
"""
# Every record or part of one that is remembered anywhere; `rest`: what follows the record's id in a part's.
_KNOWN = """
create temporary table rekeyed on commit drop as
with remembered as (
    {keyed}
    union
    select split_part(ref, '/', 2), substr(ref, length(%(source)s || split_part(ref, '/', 2)) + 3)
    from identity.judgements cross join lateral (values (left_ref), (right_ref)) as side (ref)
    where split_part(ref, '/', 1) = %(source)s
),
parts as (
    select table_name, record_id,
        case when table_name like '%%.artists' then regexp_replace(record_id, '#[0-9]+$', '') else record_id end as base
    from remembered where split_part(table_name, '.', 1) = %(table)s
)
select table_name, record_id as old_id, n.new || substr(record_id, length(base) + 1) as new_id,
    concat_ws('/', %(source)s::text, table_name, record_id) as old_ref,
    concat_ws('/', %(source)s::text, table_name, n.new || substr(record_id, length(base) + 1)) as new_ref,
    base
from parts inner join renumbered as n on n.old = base;
create unique index on rekeyed (table_name, old_id);
create unique index on rekeyed (old_ref);
analyze rekeyed;
"""
_UNKNOWN = "select old from renumbered where old not in (select base from rekeyed) order by 1 limit 5"
# An id that is remembered already and is not renumbered away itself.
_TAKEN = """
select r.new_id from rekeyed as r
inner join identity.entity_map as m
    on (m.source, m.table_name, m.record_id) = (%(source)s, r.table_name, r.new_id)
where not exists (select from rekeyed as o where o.old_ref = r.new_ref) order by 1 limit 5
"""
# Twice, through ids that nobody has: ids may be swapped, and a key is checked row by row.
_AWAY = """
update identity.{table} as t set record_id = E'\\x01' || r.new_id from rekeyed as r
where t.source = %(source)s and t.table_name = r.table_name and t.record_id = r.old_id
"""
_HOME = """
update identity.{table} set record_id = substr(record_id, 2)
where source = %(source)s and split_part(table_name, '.', 1) = %(table)s and starts_with(record_id, E'\\x01')
"""
# The key of a record of its own is its ref.
_PROFILES = """
update identity.profiles as p set key = E'\\x01' || r.new_ref from rekeyed as r where p.key = r.old_ref;
update identity.profiles set key = substr(key, 2) where starts_with(key, E'\\x01');
update identity.mentions as m set key = r.new_ref from rekeyed as r where m.key = r.old_ref;
create temporary table new_candidates on commit drop as
with gone as (
    delete from identity.candidates as c
    where c.left_key in (select old_ref from rekeyed) or c.right_key in (select old_ref from rekeyed)
    returning *
)
select coalesce(l.new_ref, g.left_key) as one, coalesce(r.new_ref, g.right_key) as other, entity_type, probability
from gone as g left join rekeyed as l on l.old_ref = g.left_key left join rekeyed as r on r.old_ref = g.right_key;
insert into identity.candidates (left_key, right_key, entity_type, probability)
select least(one, other), greatest(one, other), entity_type, probability from new_candidates;
"""
# A pair keeps the order of its refs, so what was compared may change sides.
_JUDGEMENTS = """
create temporary table new_sides on commit drop as
select j.id, coalesce(l.new_ref, j.left_ref) as one, coalesce(r.new_ref, j.right_ref) as other, j.retired_at
from identity.judgements as j
left join rekeyed as l on l.old_ref = j.left_ref
left join rekeyed as r on r.old_ref = j.right_ref
where l.old_ref is not null or r.old_ref is not null;
update identity.judgements as j set
    left_ref = E'\\x01' || least(n.one, n.other), right_ref = E'\\x01' || greatest(n.one, n.other),
    explanation = case when n.one < n.other or not j.explanation ? 'comparisons' then j.explanation
        else jsonb_set(j.explanation, '{comparisons}', (
            select coalesce(jsonb_agg(
                c || jsonb_build_object('left', c -> 'right', 'right', c -> 'left') order by nth), '[]')
            from jsonb_array_elements(j.explanation -> 'comparisons') with ordinality as a (c, nth)
        )) end
from new_sides as n where n.id = j.id;
update identity.judgements set left_ref = substr(left_ref, 2), right_ref = substr(right_ref, 2)
where starts_with(left_ref, E'\\x01');
update identity.identifiers as i set reused_from = r.new_ref from rekeyed as r where i.reused_from = r.old_ref;
update identity.repeats as o set speaker = r.new_ref from rekeyed as r where o.speaker = r.old_ref;
update identity.event_times as t set venue_ref = r.new_ref from rekeyed as r where t.venue_ref = r.old_ref;
"""
_USERS = """
update identity.visitors as v set user_record = E'\\x01' || n.new from renumbered as n where v.user_record = n.old;
update identity.visitors set user_record = substr(user_record, 2) where starts_with(user_record, E'\\x01');
update identity.visitor_undos as u set user_record = E'\\x01' || n.new from renumbered as n where u.user_record = n.old;
update identity.visitor_undos set user_record = substr(user_record, 2) where starts_with(user_record, E'\\x01');
"""
# The logs of claims and edits are append-only; what a record is called is no entry of them.
_CLAIMS = """
alter table ops.claims disable trigger claims_append_only;
update ops.claims as c set entity_ref = r.new_ref from rekeyed as r where c.entity_ref = r.old_ref;
alter table ops.claims enable trigger claims_append_only;
alter table ops.edits disable trigger edits_append_only;
update ops.edits as e set entity_ref = r.new_ref from rekeyed as r where e.entity_ref = r.old_ref;
alter table ops.edits enable trigger edits_append_only;
"""
_CLAIMANTS = """
alter table ops.claims disable trigger claims_append_only;
update ops.claims as c set user_id = n.new from renumbered as n where c.user_id = n.old;
alter table ops.claims enable trigger claims_append_only;
alter table ops.edits disable trigger edits_append_only;
update ops.edits as e set edited_by = n.new from renumbered as n where e.role <> 'staff' and e.edited_by = n.old;
alter table ops.edits enable trigger edits_append_only;
"""
_NOTE = "insert into identity.rekeyings (decided_by, source, table_name, records) values (%s, %s, %s, %s)"
_DROP = "drop table renumbered, rekeyed, new_candidates, new_sides"


def rekey(connection: psycopg.Connection, source: str, table: str, pairs: pl.DataFrame, by: str) -> dict[str, int]:
    """Give the records of a source's table their new ids (`pairs`: COLUMNS); return table -> rows rewritten.

    `by`: who says so, noted in identity.rekeyings. Raises TerminalError where nobody is named, an id is given twice or
    is empty, an old one is unknown, or a new one is another record.
    """
    if not by or by == MODEL:
        raise TerminalError("new ids need the name of who gives them: set SONIK_USER or give --by")
    wanted = _checked(pairs)
    bound = {"source": source, "table": table}
    with connection.transaction():
        ensure_tables(connection)
        lock(connection)
        connection.execute(_PAIRS)
        with connection.cursor() as cursor:
            copy_frame(cursor, sql.Identifier("renumbered"), wanted)
        _find(connection, bound)
        rewritten = {}
        for name in _KEYED:
            rewritten[name] = connection.execute(_AWAY.format(table=name), bound).rowcount
            connection.execute(_HOME.format(table=name), bound)
        connection.execute(_PROFILES)
        connection.execute(_JUDGEMENTS)
        claims = connection.execute("select to_regclass('ops.claims') is not null").fetchone()
        logged = bool(claims and claims[0])
        if logged:
            connection.execute(_CLAIMS)
        if (source, table) == ("mongo", "users"):
            connection.execute(_USERS)
            if logged:
                connection.execute(_CLAIMANTS)
        connection.execute(_NOTE, [by, source, table, wanted.height])
        connection.execute(_DROP)
    return rewritten


def _checked(pairs: pl.DataFrame) -> pl.DataFrame:
    missing = [name for name in COLUMNS if name not in pairs.columns]
    if missing:
        raise TerminalError(
            f"the file has no column {' and '.join(missing)}: its first line must be {','.join(COLUMNS)}"
        )
    wanted = pairs.select(pl.col(name).cast(pl.String).str.strip_chars() for name in COLUMNS)
    for name in COLUMNS:
        if (wanted[name].fill_null("") == "").any():
            raise TerminalError(f"{name} is empty in some line: each record needs its old and its new id")
        twice = wanted.filter(pl.col(name).is_duplicated())[name].unique().sort().head(5)
        if twice.len():
            raise TerminalError(f"{name} is given twice: {', '.join(twice)}; each id may be given once")
    return wanted.rename(dict(zip(COLUMNS, ("old", "new"), strict=True)))


def _find(connection: psycopg.Connection, bound: dict[str, str]) -> None:
    keyed = " union ".join(
        f"select table_name, record_id from identity.{name} where source = %(source)s" for name in _KEYED
    )
    whole, *rest = _KNOWN.format(keyed=keyed).split(";\n")
    connection.execute(whole, bound)
    for statement in filter(str.strip, rest):
        connection.execute(statement)
    place = f"{bound['source']}.{bound['table']}"
    unknown = [row[0] for row in connection.execute(_UNKNOWN)]
    if unknown:
        raise TerminalError(f"{place} has no record {', '.join(unknown)}: nothing was renumbered")
    taken = [row[0] for row in connection.execute(_TAKEN, bound)]
    if taken:
        raise TerminalError(
            f"{place} {', '.join(taken)} is a record already: nothing was renumbered; give new ids that no record has,"
            " or renumber that one too"
        )
