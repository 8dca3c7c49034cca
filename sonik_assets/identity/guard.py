"""Holds a run that would change too much: nothing of it is written until a person has looked and says so.

A broken source, a wrong threshold or a bad matcher shows as many merges, splits or tombstones at once.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from sonik_assets.identity.phase import Outcome
from sonik_assets.identity.schemes import MOST_RECORDS

SHARE = 0.05
"""The share of a type's live entities that one run may merge, split or drop (each)."""
FEW = 25
"""So many are never too many: a small house changes by large shares."""
MARGIN = 1.1
"""An acknowledged run may change so many times what it was held for: a day goes by before it is run again."""
SAMPLE = 20

# A new entity has another id each run, so it is known by one of its records: the `known` one, if it has that.
_LARGE = """
select m.entity_id, m.entity_type, count(*) as records,
    coalesce(min(r.ref) filter (where r.ref = any(%(known)s)), min(r.ref)) as record
from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
where not r.embedded {among}
group by 1, 2 having count(*) > %(most)s and m.entity_id not in (select entity_id from identity.large)
"""
_ACCEPT = f"""
insert into identity.large (entity_id, accepted_by)
select entity_id, %(by)s from ({_LARGE.format(among="")}) as found where %(every)s or record = any(%(known)s)
"""
_LET_THROUGH = """
select acknowledged_by, counts from identity.held where closed_at is null and acknowledged_at is not null
"""
_CLOSE = "update identity.held set closed_at = now() where closed_at is null"
_GROWN = "grown"


@dataclass
class HeldError(Exception):
    """A run would change too much: why, the worst cases, and how much of each (`venue merged`, `grown RECORD`)."""

    reasons: list[str] = field(default_factory=list)
    worst: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)


def judge(connection: psycopg.Connection, outcomes: Iterable[Outcome]) -> None:
    """Raise HeldError where what the run has written (not yet committed) is too much; a first run merges nothing.

    What was acknowledged goes through, up to MARGIN times that; where anything else is too much, all is held.
    """
    _, allowed = _let_through(connection)
    found = HeldError()
    for outcome in outcomes:
        before, changes = outcome.before.live, outcome.settled.moves.changes
        kind_of = dict(outcome.settled.entities.select("entity_id", "entity_type").iter_rows())
        kind_of |= dict(outcome.before.entities.select("entity_id", "entity_type").iter_rows())
        # An id that was dropped and whose records came back as another's: it is what that one is.
        dropped = (each for each in changes if each.entity_id not in kind_of and each.new_id)
        kind_of |= {each.entity_id: kind_of[str(each.new_id)] for each in dropped}
        counts = Counter((kind_of[each.entity_id], each.kind) for each in changes if each.kind != "created")
        for (kind, change), count in sorted(counts.items()):
            live = before.get(kind, 0)
            if live and count > max(FEW, SHARE * live):
                found.reasons.append(f"{count:,} of {live:,} {kind} entities would be {change}")
                found.worst += _worst(outcome, kind_of, kind, change)
                found.counts[f"{kind} {change}"] = count
        _too_large(connection, outcome, found, allowed)
    if any(count > MARGIN * allowed.get(what, 0) for what, count in found.counts.items()):
        raise found


def hold(connection: psycopg.Connection, held: HeldError) -> list[str]:
    """Write down, in a transaction of its own, that a run was held and why; return why."""
    with connection.transaction():
        connection.execute(_CLOSE)
        connection.execute(
            "insert into identity.held (reasons, worst, counts) values (%s, %s, %s)",
            [json.dumps(each) for each in (held.reasons, held.worst, held.counts)],
        )
    return held.reasons


def acknowledge(connection: psycopg.Connection, by: str) -> list[str]:
    """Let the next run through if it changes no more than the held one; return why that was held, nothing if none was.

    "No more": up to MARGIN times, of each type and change, and the same entities over the cap.
    """
    row = connection.execute(
        "update identity.held set acknowledged_by = %s, acknowledged_at = now()"
        " where closed_at is null returning reasons",
        [by],
    ).fetchone()
    return list(row[0]) if row else []


def passed(connection: psycopg.Connection, by: str | None) -> None:
    """Close what was held: a run has gone through; who let it through accepts what is over the cap in it.

    `by`: who let it through whatever it changes; else it is who acknowledged, of what was held.
    """
    acknowledged_by, allowed = _let_through(connection)
    connection.execute(_CLOSE)
    if by or acknowledged_by:
        who = {"by": by or acknowledged_by, "every": bool(by)}
        connection.execute(_ACCEPT, {**who, "known": _records(allowed), "most": MOST_RECORDS})


def _let_through(connection: psycopg.Connection) -> tuple[str | None, dict[str, int]]:
    """Return who acknowledged the held run, and how much of each it was held for."""
    row = connection.execute(_LET_THROUGH).fetchone()
    return (row[0], dict(row[1])) if row else (None, {})


def _records(counts: Iterable[str]) -> list[str]:
    return [what.removeprefix(f"{_GROWN} ") for what in counts if what.startswith(f"{_GROWN} ")]


def _worst(outcome: Outcome, kind_of: dict[str, str], kind: str, change: str) -> list[dict[str, Any]]:
    """Return the entities that most others would be merged into, or the first ones that would be split or dropped."""
    into: dict[str, list[str]] = defaultdict(list)
    for each in outcome.settled.moves.changes:
        if each.kind == change and kind_of[each.entity_id] == kind:
            home = each.new_id if change == "merged" and each.new_id else each.entity_id
            into[home].append(each.entity_id)
    largest = sorted(into.items(), key=lambda item: (-len(item[1]), item[0]))[:SAMPLE]
    return [{"type": kind, "change": change, "entity": home, "count": len(ids)} for home, ids in largest]


def _too_large(connection: psycopg.Connection, outcome: Outcome, held: HeldError, allowed: Iterable[str]) -> None:
    """Add what is over the cap and was never accepted."""
    query = _LARGE.format(among="and m.entity_id = any(%(ids)s::uuid[])") + " order by records desc, record"
    ids = outcome.settled.members["entity_id"].unique().to_list()
    bound = {"ids": ids, "most": MOST_RECORDS, "known": _records(allowed)}
    found = connection.execute(query, bound).fetchall()
    if found:
        held.reasons.append(f"{len(found)} entities would have more than {MOST_RECORDS} records")
    held.counts.update({f"{_GROWN} {record}": count for *_, count, record in found})
    held.worst += [
        {"type": kind, "change": "grown", "entity": str(entity), "count": count}
        for entity, kind, count, _ in found[:SAMPLE]
    ]
