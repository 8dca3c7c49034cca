"""The table of judgements: what links records and what keeps them apart, by whom, and how sure. SQL.

Append-only: a judgement that no longer holds is retired. A pair has one live judgement, and a model never retires a
person's. A person may not join what two registers tell apart: that is refused here, where it would be written.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.stores.copy import copy_frame
from sonik_assets.identity.schemes import FORBIDDING

MODEL = "sonik"
"""`decided_by` of what no person decided."""

JUDGEMENTS = {
    **dict.fromkeys(("entity_type", "left_ref", "right_ref", "judgement"), pl.String),
    "score": pl.Float64,
    **dict.fromkeys(("method", "explanation"), pl.String),
}
"""The columns of a judgement of the model; `explanation` is JSON."""

DISREGARDED = """
select concat_ws(' ', judgement, left_ref, right_ref)
from identity.judged_pairs
where method = 'person' and judgement in ('same', 'different')
    and (judgement = 'same') <> (left_entity = right_entity)
"""
"""People's decisions that are not so: one text each."""
_STAGE = """
create temporary table judged (
    entity_type text, left_ref text, right_ref text, judgement text, score float8, method text, explanation jsonb,
    primary key (left_ref, right_ref)
) on commit drop
"""
# Events that came to share a key because their venues were found to be one; once said, it stays said.
_VENUE_MERGED = """
with place as (
    select m.ref, t.venue_id, coalesce(d.new_id, t.venue_id) as now_at
    from identity.event_times as t
    inner join identity.mentions as m using (source, table_name, record_id)
    left join identity.redirects as d on d.old_id = t.venue_id
)
update judged as n set method = 'venue_merged'
where n.method = 'event_key' and exists (select from identity.redirects) and (
    (n.left_ref, n.right_ref) in (
        select j.left_ref, j.right_ref from identity.judgements as j
        where j.retired_at is null and j.method = 'venue_merged'
    )
    or (n.left_ref, n.right_ref) in (
        select j.left_ref, j.right_ref
        from judged as j
        inner join place as l on l.ref = j.left_ref
        inner join place as r on r.ref = j.right_ref
        where l.venue_id <> r.venue_id and l.now_at = r.now_at
    )
)
"""
_RETIRE = """
update identity.judgements as j set retired_at = now()
from scope
where scope.ref = j.left_ref and j.retired_at is null and j.decided_by = %(model)s
    and j.right_ref in (select ref from scope)
    and not exists (
        select from judged as n
        where (n.left_ref, n.right_ref, n.judgement, n.score, n.method, n.explanation)
            = (j.left_ref, j.right_ref, j.judgement, j.score, j.method, j.explanation)
    )
"""
# A value that one thing gave up and another, named unlike, took: nobody can tell whether it is one thing renamed.
_REUSED = """
insert into judged
select distinct on (1, 2, 3) i.entity_type, least(f.ref, m.ref), greatest(f.ref, m.ref), 'unsure', 0.5,
    'reused_identifier', jsonb_build_object('shared', jsonb_build_object('scheme', i.scheme, 'value', i.value))
from scope
inner join identity.identifiers as i using (source, table_name, record_id)
inner join identity.mentions as m using (source, table_name, record_id)
inner join identity.mentions as f on f.ref = i.reused_from and f.entity_type = m.entity_type
where i.reused_from is not null and i.valid_to is null and m.entity_type = any(%(kinds)s)
order by 1, 2, 3, i.scheme, i.value
on conflict (left_ref, right_ref) do nothing
"""
_INSERT = """
insert into identity.judgements (entity_type, left_ref, right_ref, judgement, score, method, explanation, decided_by)
select n.*, %(model)s from judged as n
where not exists (
    select from identity.judgements as j
    where j.left_ref = n.left_ref and j.right_ref = n.right_ref and j.retired_at is null
)
order by n.left_ref, n.right_ref
"""
_SAID = """
select from identity.judgements
where left_ref = %(left)s and right_ref = %(right)s and retired_at is null
    and (judgement, decided_by, explanation) = (%(judgement)s, %(by)s, %(explanation)s::jsonb)
"""
_RETIRE_PAIR = """
update identity.judgements set retired_at = now()
where left_ref = %(left)s and right_ref = %(right)s and retired_at is null
"""
_DECIDE = """
insert into identity.judgements (entity_type, left_ref, right_ref, judgement, score, method, explanation, decided_by)
values (%(kind)s, %(left)s, %(right)s, %(judgement)s, 1, 'person', %(explanation)s, %(by)s)
"""
_CONTRADICTION = """
select i.scheme, array_agg(distinct coalesce(a.alias_of, i.value)) as values
from identity.entity_map as m
inner join identity.identifiers as i using (source, table_name, record_id)
left join identity.aliases as a using (scheme, value)
where m.entity_id = any(%(entities)s::uuid[]) and not m.attached and i.scheme = any(%(schemes)s)
    and i.valid_to is null and not i.weak
group by i.scheme
having count(distinct coalesce(a.alias_of, i.value)) > 1
"""


@dataclass(frozen=True)
class Decision:
    """A person's judgement of two records: `same`, `different` or `unsure`."""

    left: str
    right: str
    judgement: str
    reason: str = ""


def record_model(connection: psycopg.Connection, kinds: Sequence[str], judged: pl.DataFrame) -> tuple[int, int]:
    """Bring the model's live judgements of the records in scope to `judged`; return how many were made, retired.

    Added are the reviews that reused identifiers open.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        copy_frame(cursor, sql.Identifier("judged"), judged.select(list(JUDGEMENTS)))
        cursor.execute("analyze judged")
        cursor.execute(_VENUE_MERGED)
        cursor.execute(_REUSED, {"kinds": list(kinds)})
        retired = cursor.execute(_RETIRE, {"model": MODEL}).rowcount
        made = cursor.execute(_INSERT, {"model": MODEL}).rowcount
        cursor.execute("drop table judged")
    return made, retired


def decide(connection: psycopg.Connection, decisions: Sequence[Decision], by: str) -> None:
    """Record a person's judgements, in the caller's transaction; resolution follows them from then on.

    Raises TerminalError where a ref is no record, the two are of different types, or `same` would join what strong
    identifiers tell apart.
    """
    if not by or by == MODEL:
        raise TerminalError("a decision needs the name of who decides: set SONIK_USER or give --by")
    for each in decisions:
        left, right = sorted((each.left, each.right))
        kind = _kind(connection, left, right)
        if each.judgement == "same":
            _refuse_contradiction(connection, kind, left, right)
        bound = {
            "kind": kind, "left": left, "right": right, "judgement": each.judgement, "by": by,
            "explanation": json.dumps({"reason": each.reason} if each.reason else {}),
        }  # fmt: skip
        if connection.execute(_SAID, bound).fetchone() is None:
            connection.execute(_RETIRE_PAIR, bound)
            connection.execute(_DECIDE, bound)


def _kind(connection: psycopg.Connection, left: str, right: str) -> str:
    query = "select ref, entity_type from identity.mentions where ref in (%s, %s)"
    found: dict[str, str] = dict(connection.execute(query, [left, right]).fetchall())
    for ref in (left, right):
        if ref not in found:
            raise TerminalError(f"{ref} is no record that identity knows: give source/table/record_id")
    if left == right:
        raise TerminalError(f"{left} is one record: a judgement is of two")
    if found[left] != found[right]:
        raise TerminalError(
            f"{left} is a {found[left]} and {right} a {found[right]}: things of different types are never one"
        )
    return found[left]


def _refuse_contradiction(connection: psycopg.Connection, kind: str, left: str, right: str) -> None:
    entities = connection.execute(
        "select distinct e.entity_id::text from identity.mentions as m"
        " inner join identity.entity_map as e using (source, table_name, record_id) where m.ref in (%s, %s)",
        [left, right],
    ).fetchall()
    if len(entities) < 2:
        return
    bound = {"entities": [row[0] for row in entities], "schemes": list(FORBIDDING[kind])}
    found = connection.execute(_CONTRADICTION, bound).fetchone()
    if found:
        raise TerminalError(
            f"{left} and {right} cannot be one {kind}: they hold different {found[0]} ({', '.join(found[1])});"
            " if both are right, record that one stands for the other: `sonik entity alias`"
        )
