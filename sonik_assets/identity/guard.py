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
SAMPLE = 20

_LARGE = """
select m.entity_id, m.entity_type, count(*) from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
where not r.embedded {among}
group by 1, 2 having count(*) > %(most)s and m.entity_id not in (select entity_id from identity.large)
"""
_ACCEPT = f"""
insert into identity.large (entity_id, accepted_by)
select entity_id, %(by)s from ({_LARGE.format(among="")}) as found
"""


@dataclass
class HeldError(Exception):
    """A run would change too much: why, and the worst cases."""

    reasons: list[str]
    worst: list[dict[str, Any]] = field(default_factory=list)


def judge(connection: psycopg.Connection, outcomes: Iterable[Outcome]) -> None:
    """Raise HeldError where what the run has written (not yet committed) is too much; a first run merges nothing."""
    reasons: list[str] = []
    worst: list[dict[str, Any]] = []
    for outcome in outcomes:
        before, changes = outcome.before.live, outcome.settled.moves.changes
        kind_of = dict(outcome.settled.entities.select("entity_id", "entity_type").iter_rows())
        kind_of |= dict(outcome.before.entities.select("entity_id", "entity_type").iter_rows())
        counts = Counter((kind_of[each.entity_id], each.kind) for each in changes if each.kind != "created")
        for (kind, change), count in sorted(counts.items()):
            live = before.get(kind, 0)
            if live and count > max(FEW, SHARE * live):
                reasons.append(f"{count:,} of {live:,} {kind} entities would be {change}")
                worst += _worst(outcome, kind_of, kind, change)
        worst += _too_large(connection, outcome, reasons)
    if reasons:
        raise HeldError(reasons, worst)


def hold(connection: psycopg.Connection, held: HeldError) -> list[str]:
    """Write down, in a transaction of its own, that a run was held and why; return why."""
    with connection.transaction():
        connection.execute("update identity.held set closed_at = now() where closed_at is null")
        connection.execute(
            "insert into identity.held (reasons, worst) values (%s, %s)",
            [json.dumps(held.reasons), json.dumps(held.worst)],
        )
    return held.reasons


def acknowledge(connection: psycopg.Connection, by: str) -> list[str]:
    """Let the next run through, whatever it changes; return why the last one was held, nothing if none was."""
    row = connection.execute(
        "update identity.held set acknowledged_by = %s, acknowledged_at = now()"
        " where closed_at is null returning reasons",
        [by],
    ).fetchone()
    return list(row[0]) if row else []


def acknowledged(connection: psycopg.Connection) -> str | None:
    """Return who has let the next run through, None if nobody has."""
    row = connection.execute(
        "select acknowledged_by from identity.held where closed_at is null and acknowledged_at is not null"
    ).fetchone()
    return row[0] if row else None


def passed(connection: psycopg.Connection, by: str | None) -> None:
    """Close what was held: a run has gone through, and who let it through accepts what is over the cap in it."""
    connection.execute("update identity.held set closed_at = now() where closed_at is null")
    if by:
        connection.execute(_ACCEPT, {"by": by, "most": MOST_RECORDS})


def _worst(outcome: Outcome, kind_of: dict[str, str], kind: str, change: str) -> list[dict[str, Any]]:
    """Return the entities that most others would be merged into, or the first ones that would be split or dropped."""
    into: dict[str, list[str]] = defaultdict(list)
    for each in outcome.settled.moves.changes:
        if each.kind == change and kind_of[each.entity_id] == kind:
            home = each.new_id if change == "merged" and each.new_id else each.entity_id
            into[home].append(each.entity_id)
    largest = sorted(into.items(), key=lambda item: (-len(item[1]), item[0]))[:SAMPLE]
    return [{"type": kind, "change": change, "entity": home, "count": len(ids)} for home, ids in largest]


def _too_large(connection: psycopg.Connection, outcome: Outcome, reasons: list[str]) -> list[dict[str, Any]]:
    """Return what is over the cap and was never accepted."""
    query = _LARGE.format(among="and m.entity_id = any(%(ids)s::uuid[])") + " order by 3 desc"
    ids = outcome.settled.members["entity_id"].unique().to_list()
    found = connection.execute(query, {"ids": ids, "most": MOST_RECORDS}).fetchall()
    if found:
        reasons.append(f"{len(found)} entities would have more than {MOST_RECORDS} records")
    return [
        {"type": kind, "change": "grown", "entity": str(entity), "count": count}
        for entity, kind, count in found[:SAMPLE]
    ]
