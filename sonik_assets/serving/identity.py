"""Tells what identity believes of an entity: what links its records, what it was, and what a run would change. Reads.

Straight from the tables of identity, which a decision changes at once; `unified` follows with the next run. What waits
for a person is in `review.py`.
"""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from resources.errors import TerminalError
from sonik_assets.serving import entities

if TYPE_CHECKING:
    from psycopg import Connection

    from sonik_assets.identity.resolve import Report

type Rows = list[dict[str, Any]]

_KNOWN = """
select exists (select from identity.entity_map where entity_id = %(id)s)
    or exists (select from identity.entities where entity_id = %(id)s)
    or exists (select from unified.changes where entity_id = %(id)s or new_id = %(id)s) as known
"""
# The name that the CMS gives, else another record's own, else what listings say; of an id merged away, what its records
# are called.
_NAMES = """
with members as (
    select entity_id as id, source, table_name, record_id, false as was from identity.entity_map
    where entity_id = any(%(ids)s::uuid[])
    union all
    select old_id, source, table_name, record_id, true from identity.moves where old_id = any(%(ids)s::uuid[])
)
select distinct on (m.id) m.id::text, p.name, coalesce(p.city_key, split_part(p.night, '|', 2)) as city
from members as m
inner join identity.mentions as r using (source, table_name, record_id)
inner join identity.profiles as p using (key)
order by m.id, m.was, p.name is null, r.embedded, r.source <> 'directus', r.ref
"""
_RECORDS = """
select r.ref, p.name, p.city_key as city, r.embedded, m.linked_by, m.linked_at, s.speaker as repeats,
    (select count(*) from identity.repeats as o where o.speaker = r.ref) as repeated
from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
inner join identity.profiles as p using (key)
left join identity.repeats as s on s.ref = r.ref
where m.entity_id = %(id)s and not m.attached and (%(every)s or s.speaker is null)
order by r.embedded, r.ref
"""
_ATTACHED = """
select m.source, m.table_name, m.linked_by, count(*) as mentions
from identity.entity_map as m
where m.entity_id = %(id)s and m.attached group by 1, 2, 3 order by 4 desc, 1, 2, 3
"""
_ATTACHED_ALL = """
select r.ref, p.name, m.linked_by, m.linked_at
from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
inner join identity.profiles as p using (key)
where m.entity_id = %(id)s and m.attached order by r.ref
"""
_JUDGED = """
with mine as (
    select concat_ws('/', source, table_name, record_id) as ref from identity.entity_map
    where entity_id = %(id)s and (not attached or linked_by in ('decision', 'likeness'))
),
touching as (
    select * from identity.judgements where left_ref in (select ref from mine)
    union
    select * from identity.judgements where right_ref in (select ref from mine)
)
select j.id::text, j.left_ref, j.right_ref, j.judgement, j.score, j.method, j.explanation, j.decided_by, j.decided_at,
    j.retired_at, left_ref in (select ref from mine) and right_ref in (select ref from mine) as inside
from touching as j
where {live}
order by j.decided_at, j.left_ref, j.right_ref
"""
_WEAK = """
select i.scheme, i.value, case when i.reused_from is null then 'common to several things'
    else 'reused: before of ' || i.reused_from end as why, array_agg(r.ref order by r.ref) as records
from identity.identifiers as i
inner join identity.mentions as r using (source, table_name, record_id)
inner join identity.entity_map as m using (source, table_name, record_id)
where m.entity_id = %(id)s and not m.attached and i.valid_to is null and (i.weak or i.reused_from is not null)
group by 1, 2, 3 order by 1, 2
"""
_ALIASES = """
select distinct a.scheme, a.value, a.alias_of, a.reason, a.decided_by, a.at
from identity.entity_map as m
inner join identity.identifiers as i using (source, table_name, record_id)
inner join identity.aliases as a on a.scheme = i.scheme and i.value in (a.value, a.alias_of)
where m.entity_id = %(id)s and not m.attached
order by 1, 2
"""
_REDIRECTS = "select old_id::text as id, reason, at from identity.redirects where new_id = %(id)s order by at, 1"
_CHANGES = """
select at, kind, entity_id::text, new_id::text from unified.changes
where entity_id = any(%(ids)s::uuid[]) or new_id = any(%(ids)s::uuid[]) order by seq
"""
_MOVES = """
select at, old_id::text, new_id::text, array_agg(concat_ws('/', source, table_name, record_id) order by id) as records
from identity.moves where old_id = any(%(ids)s::uuid[]) or new_id = any(%(ids)s::uuid[])
group by 1, 2, 3 order by 1, 2, 3
"""
_HELD = """
select at, reasons, worst, acknowledged_by, acknowledged_at from identity.held where closed_at is null
order by at desc limit 1
"""
_MATCHERS = """
select version, kind, made_at, adopted_at,
    adopted_at is not null and adopted_at = max(adopted_at) over (partition by kind) as in_use
from identity.matchers order by kind, made_at, version
"""


def entity_id(pg: "Connection[Any]", text: str) -> str:
    """Return the id of the one entity that an id or a name means today: merges are followed.

    Raises TerminalError if it is none or several.
    """
    given = uuid(text) or UUID(entities.find(pg, text).id)
    (followed,) = rows(pg, entities.FOLLOW, id=str(given))
    id = str(followed["id"])
    if not rows(pg, _KNOWN, id=id)[0]["known"]:
        raise TerminalError(f"there is no entity {text}; try: sonik search, or a name")
    return id


def names(pg: "Connection[Any]", ids: Sequence[str | None]) -> dict[str, str]:
    """Return entity id -> name and city, for people, of ids merged away too; ids that never had records are missing."""
    found = rows(pg, _NAMES, ids=sorted({id for id in ids if id}))
    return {row["id"]: called(row["name"], row["city"]) for row in found}


def called(name: str | None, city: str | None) -> str:
    """Return a name with its city, as `Bar Nébula (lima)`."""
    return f"{name or '(no name)'} ({city})" if city else name or "(no name)"


def explanation(pg: "Connection[Any]", id: str, *, every: bool = False) -> dict[str, Any]:
    """Return why an entity's records are one: records, links, conflicts, weak, aliases, redirects, attached.

    `links` are the judgements `same` between its records, with what was compared; `conflicts` those that say
    otherwise, and open questions. `every`: each mention inside other records too, those that repeat what another says
    (`repeats` names it), and those attached; else how often a record is `repeated`, and how many are attached by table.
    """
    judged = rows(pg, _JUDGED.format(live="j.retired_at is null"), id=id)
    title = names(pg, [id]).get(id, "(gone)")
    return {
        "id": id,
        "name": title,
        "records": rows(pg, _RECORDS, id=id, every=every),
        "links": [row for row in judged if row["inside"] and row["judgement"] == "same"],
        "conflicts": [row for row in judged if not (row["inside"] and row["judgement"] == "same")],
        "weak": rows(pg, _WEAK, id=id),
        "aliases": rows(pg, _ALIASES, id=id),
        "redirects": rows(pg, _REDIRECTS, id=id),
        "attached": rows(pg, _ATTACHED_ALL if every else _ATTACHED, id=id),
    }


def history(pg: "Connection[Any]", id: str) -> Rows:
    """Return what happened to an entity and those merged into it, in time order: at, what, kind and details."""
    ids = [id, *(row["id"] for row in rows(pg, _REDIRECTS, id=id))]
    changes, moves = rows(pg, _CHANGES, ids=ids), rows(pg, _MOVES, ids=ids)
    judged = [row for each in ids for row in rows(pg, _JUDGED.format(live="true"), id=each)]
    found = [{"at": row["at"], "what": "entity", **row} for row in changes]
    found += [{"at": row["at"], "what": "records", **row} for row in moves]
    for row in judged:
        found.append({"at": row["decided_at"], "what": "judgement", **row})
        if row["retired_at"]:
            found.append({"at": row["retired_at"], "what": "retired", **row})
    return sorted(found, key=lambda row: (row["at"], _ORDER.index(row["what"])))


_ORDER = ("judgement", "retired", "entity", "records")
"""Of one instant: first what was decided, then what followed."""


def held(pg: "Connection[Any]") -> dict[str, Any] | None:
    """Return the run that waits to be acknowledged: at, reasons, worst (with names), acknowledged_by; None: none."""
    found = rows(pg, _HELD)
    if not found:
        return None
    worst = found[0]["worst"]
    known = names(pg, [case["entity"] for case in worst])
    return {**found[0], "worst": [{**case, "name": known.get(case["entity"])} for case in worst]}


def matchers(pg: "Connection[Any]") -> Rows:
    """Return the matchers there are: version, kind, link, review, made_at, adopted_at, in_use.

    One that the code of today can no longer use has `broken`, why, and null thresholds.
    """
    return [{**row, **_thresholds(pg, row["version"])} for row in rows(pg, _MATCHERS)]


def _thresholds(pg: "Connection[Any]", version: str) -> dict[str, Any]:
    from sonik_assets.identity.matchers import load

    try:
        matcher = load(pg, version)
    except TerminalError as error:
        return {"link": None, "review": None, "broken": str(error)}
    return {"link": matcher.link, "review": matcher.review, "broken": None}


def difference(pg: "Connection[Any]", report: "Report", limit: int) -> dict[str, Any]:
    """Return what a trial run would change: `counts` (type, kind -> entities) and up to `limit` named `cases`.

    The ids of a trial's new entities are its own and given to nobody, so new ones are named by a record.
    """
    cases: Rows = []
    for outcome in report.outcomes:
        frames = (outcome.settled.entities, outcome.before.entities)
        kinds = dict(pair for frame in frames for pair in frame.select("entity_id", "entity_type").iter_rows())
        members = outcome.settled.members.unique("entity_id", keep="first", maintain_order=True)
        record = {row["entity_id"]: f"{row['source']}/{row['table_name']}/{row['record_id']}"
                  for row in members.iter_rows(named=True)}  # fmt: skip
        cases += [
            {"kind": each.kind, "entity_type": kinds.get(each.entity_id, kinds.get(each.new_id or "")),
             "entity_id": each.entity_id, "new_id": each.new_id, "record": record.get(each.new_id or each.entity_id)}
            for each in outcome.settled.moves.changes
        ]  # fmt: skip
    counts = Counter((str(case["entity_type"]), str(case["kind"])) for case in cases)
    shown = sorted(cases, key=lambda case: (_WORST.index(case["kind"]), case["entity_id"]))[:limit]
    known = names(pg, [id for case in shown for id in (case["entity_id"], case["new_id"])])
    for case in shown:
        case["name"], case["new_name"] = known.get(case["entity_id"]), known.get(case["new_id"] or "")
    return {
        "counts": [
            {"entity_type": kind, "change": change, "entities": n} for (kind, change), n in sorted(counts.items())
        ],
        "cases": shown,
    }


_WORST = ("merged", "split", "tombstoned", "created")
"""The kinds of change in the order in which a person looks at them."""


def rows(pg: "Connection[Any]", query: str, **bound: object) -> Rows:
    """Return a query's rows as dictionaries."""
    from psycopg.rows import dict_row

    with pg.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, bound).fetchall()


def uuid(text: str) -> UUID | None:
    """Return the id that a text is; None where it is none."""
    try:
        return UUID(text)
    except ValueError:
        return None
