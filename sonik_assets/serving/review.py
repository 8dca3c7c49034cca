"""Tells what waits for a person: pairs that may be one thing, Places look-ups without a sure answer. Reads.

Deciding is `sonik_assets.identity.decisions` and `place_decisions`.
"""

from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError
from sonik_assets.serving.identity import Rows, names, rows, uuid

if TYPE_CHECKING:
    from psycopg import Connection

SHORTEST = 8
"""So many characters of a look-up's hash are enough to name it, where no other begins with them."""

_ASKED = """
with asked as (
    select id::text, entity_type, left_ref, right_ref, score, coalesce(explanation ->> 'reason', method) as reason,
        explanation, method, decided_by, decided_at
    from identity.judgements where retired_at is null and judgement = 'unsure'
)
"""
_SIDES = """,
placed as (
    select q.*, l.entity_id::text as left_id, lp.name as left_name,
        r.entity_id::text as right_id, rp.name as right_name,
        coalesce(lp.city_key, split_part(lp.night, '|', 2)) as left_city,
        coalesce(rp.city_key, split_part(rp.night, '|', 2)) as right_city
    from asked as q
    inner join identity.mentions as lm on lm.ref = q.left_ref
    inner join identity.profiles as lp on lp.key = lm.key
    left join identity.entity_map as l
        on (l.source, l.table_name, l.record_id) = (lm.source, lm.table_name, lm.record_id)
    inner join identity.mentions as rm on rm.ref = q.right_ref
    inner join identity.profiles as rp on rp.key = rm.key
    left join identity.entity_map as r
        on (r.source, r.table_name, r.record_id) = (rm.source, rm.table_name, rm.record_id)
    where l.entity_id is distinct from r.entity_id or l.entity_id is null
),
sizes as (
    select m.entity_id::text as id, count(*) as records from identity.entity_map as m
    where m.entity_id::text in (select left_id from placed union select right_id from placed) group by 1
)
select p.*, coalesce(a.records, 1) as left_records, coalesce(b.records, 1) as right_records
from placed as p
left join sizes as a on a.id = p.left_id
left join sizes as b on b.id = p.right_id
"""
_QUEUE = (
    _ASKED
    + _SIDES
    + """
where %(kind)s::text is null or p.entity_type = %(kind)s
order by p.decided_by <> 'sonik', p.score desc,
    coalesce(a.records, 1) + coalesce(b.records, 1) desc, p.left_ref, p.right_ref
limit %(limit)s
"""
)
_LOOKUP = """
select query_hash as id, query, status, candidates, place_id, looked_up_at, answer, decided_by, decided_at,
    decided_reason
from identity.places_cache
"""
_DOUBTED = "where status in ('ambiguous', 'doubtful') and decided_by is null"
_LOOKUPS = f"{_LOOKUP} {_DOUBTED} order by candidates desc, query ->> 'name', query_hash limit %(limit)s"
_CALLED = f"{_LOOKUP} where starts_with(query_hash, %(id)s) and query ? 'name' order by query_hash limit 2"
# Any judgement, an old one too: what it is now is said by the live one of its pair.
_PAIR = """
select coalesce(n.id, j.id)::text as id, j.entity_type, j.left_ref, j.right_ref, n.judgement, n.score, n.method,
    coalesce(n.explanation, '{}') as explanation, n.explanation ->> 'reason' as reason, n.decided_by, n.decided_at
from identity.judgements as j
left join identity.judgements as n
    on n.left_ref = j.left_ref and n.right_ref = j.right_ref and n.retired_at is null
where j.id = %(id)s::uuid
"""
_SIDE = """
select r.ref, m.entity_id::text, p.name, p.address, p.city_key as city, p.country_code as country, p.phones, p.domains,
    p.handles, p.emails, p.category, p.genres, p.lineup, p.night, p.starts_at, r.embedded, r.updated_at,
    (select count(*) from identity.mentions as o where o.key = r.key) as mentions,
    (
        select array_agg(concat_ws('/', o.source, o.table_name, o.record_id) order by 1)
        from identity.entity_map as o where o.entity_id = m.entity_id and not o.attached
            and not exists (select from identity.repeats as x
                where (x.source, x.table_name, x.record_id) = (o.source, o.table_name, o.record_id))
    ) as records
from identity.mentions as r
left join identity.entity_map as m using (source, table_name, record_id)
inner join identity.profiles as p using (key)
where r.ref = %(ref)s
"""


def queue(pg: "Connection[Any]", kind: str | None, limit: int) -> Rows:
    """Return the pairs that wait, the most consequential first: id, entity_type, score, reason and both sides.

    What a person left open (`unsure`) comes last. `left_records`: how many records and mentions that side's entity has.
    """
    return rows(pg, _QUEUE, kind=kind, limit=limit)


def lookups(pg: "Connection[Any]", limit: int) -> Rows:
    """Return the Places look-ups that several places or a doubtful one answer: id, query, status and candidates."""
    return rows(pg, _LOOKUPS, limit=limit)


def waiting(pg: "Connection[Any]") -> dict[str, int]:
    """Return entity type -> how many pairs wait; `places`: how many look-ups."""
    counted = rows(pg, f"select entity_type, count(*) as n from ({_ASKED}{_SIDES}) as q group by 1 order by 2 desc, 1")
    (places,) = rows(pg, f"select count(*) as n from identity.places_cache {_DOUBTED}")
    return {**{row["entity_type"]: row["n"] for row in counted}, "places": places["n"]}


def pair(pg: "Connection[Any]", id: str) -> dict[str, Any] | None:
    """Return a pair as it is judged today, by the id of any judgement of it; None where the id is none."""
    found = rows(pg, _PAIR, id=id) if uuid(id) else []
    return found[0] if found else None


def lookup(pg: "Connection[Any]", id: str) -> dict[str, Any] | None:
    """Return a look-up by its hash or the beginning of it; None where there is none.

    Raises TerminalError where several begin so.
    """
    if len(id) < SHORTEST:
        return None
    found = rows(pg, _CALLED, id=id)
    if len(found) > 1:
        raise TerminalError(f"several look-ups begin with {id}: give more of its characters")
    return found[0] if found else None


def item(pg: "Connection[Any]", id: str) -> dict[str, Any]:
    """Return what an id of the review means: a pair with `left` and `right`, or a look-up with its `answer`.

    Raises TerminalError where it is neither.
    """
    found = pair(pg, id)
    if found:
        return {**found, "left": _side(pg, found["left_ref"]), "right": _side(pg, found["right_ref"])}
    asked = lookup(pg, id)
    if asked is None:
        raise TerminalError(f"nothing in the review is called {id}: `sonik review list` names what waits")
    return asked


def _side(pg: "Connection[Any]", ref: str) -> dict[str, Any] | None:
    found = rows(pg, _SIDE, ref=ref)
    if not found:
        return None
    side = found[0]
    venue, _, night = (side["night"] or "").partition("|")  # only events have one
    return {**side, "night": night or None, "venue": names(pg, [venue]).get(venue) if uuid(venue) else None}
