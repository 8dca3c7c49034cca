"""What people decide of entities, put into effect at once: judge, merge, split, alias. Writes.

Each is one transaction: the decision, resolution of all that it reaches, ids and history. What may be judged is in
`judgements.py`, who is meant by a name in `sonik_assets.serving.identity`; `place_decisions.py` and `rekeying.py` have
the choice of a place and records that were renumbered.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg

from resources.errors import TerminalError
from sonik_assets.identity import claimed, inbox, judgements
from sonik_assets.identity.judgements import DISREGARDED, MODEL, Decision
from sonik_assets.identity.normalize.domains import normalize_domain
from sonik_assets.identity.normalize.emails import normalize_email
from sonik_assets.identity.normalize.instagram import normalize_instagram
from sonik_assets.identity.resolve import settle_judged
from sonik_assets.identity.tables import ensure_tables, lock

_ALIASABLE: Mapping[str, Callable[[str], str]] = {
    "google_places_id": str.strip,
    "instagram_url": normalize_instagram,
    "domain": normalize_domain,
    "email": normalize_email,
}
"""The schemes of which one value may stand for another, and how a value of each is read."""

# Records of their own first: they are there to stay, a listing's mention is not.
_STANDING = """
select r.ref from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
where m.entity_id = %s and not m.attached
order by r.embedded, r.ref
"""
_ALL = """
select r.ref, m.entity_id::text, m.attached from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
where r.ref = any(%s)
"""
# All mentions that say the same are one profile, and mean the same; a record of its own is alone.
_ALIKE = """
select distinct o.ref from identity.mentions as r inner join identity.mentions as o using (key)
where r.ref = any(%s) order by 1
"""
# What people said of other mentions of the same profile and these records.
_SAID_ALIKE = """
select j.left_ref, j.right_ref from identity.mentions as r
inner join identity.mentions as o using (key)
inner join identity.judgements as j
    on (j.left_ref = o.ref and j.right_ref = any(%(others)s)) or (j.right_ref = o.ref and j.left_ref = any(%(others)s))
where r.ref = %(ref)s and r.embedded and o.ref <> r.ref
    and j.retired_at is null and j.decided_by <> %(model)s and j.judgement <> %(judgement)s
order by 1, 2
"""
_TOGETHER = """
select r.ref from identity.mentions as one
inner join identity.entity_map as e using (source, table_name, record_id)
inner join identity.entity_map as m on m.entity_id = e.entity_id and not m.attached
inner join identity.mentions as r
    on (r.source, r.table_name, r.record_id) = (m.source, m.table_name, m.record_id)
where one.ref = %s
"""
_APART = """
select left_ref, right_ref from identity.judgements
where retired_at is null and judgement = 'different' and decided_by <> %s
    and ((left_ref = any(%s) and right_ref = any(%s)) or (left_ref = any(%s) and right_ref = any(%s)))
order by 1, 2
"""
_LAST = "select coalesce(max(seq), 0) from unified.changes"
_LAST_MOVE = "select coalesce(max(id), 0) from identity.moves"
_MOVES = """
select old_id::text, new_id::text, count(*) from identity.moves where id > %s group by 1, 2 order by 3 desc, 1, 2
"""
_CHANGES = "select kind, entity_id::text, new_id::text from unified.changes where seq > %s order by seq"
_FORGET = "delete from identity.aliases where scheme = %s and value = %s and alias_of = %s"
_UNDO = """
update identity.aliases set alias_of = null, reason = %(reason)s, decided_by = %(by)s, at = now()
where scheme = %(scheme)s and value = %(value)s and alias_of = %(of)s
"""
_ALIAS = """
insert into identity.aliases (scheme, value, alias_of, reason, decided_by)
values (%(scheme)s, %(value)s, %(of)s, %(reason)s, %(by)s)
on conflict (scheme, value) do update
set alias_of = excluded.alias_of, reason = excluded.reason, decided_by = excluded.decided_by, at = now()
"""
# One step from any old value to the newest.
_STRAIGHTEN = """
update identity.aliases set alias_of = %(of)s where scheme = %(scheme)s and alias_of = %(value)s and value <> %(of)s
"""
_HOLDERS = """
select distinct r.ref from identity.identifiers as i
inner join identity.mentions as r using (source, table_name, record_id)
where i.scheme = %s and i.value = any(%s) and i.valid_to is null order by 1
"""


@dataclass(frozen=True)
class Done:
    """What a decision did. `changes`: kind, entity id, new id, as in unified.changes; `entities`: ref -> id today.

    `moves`: how many records went from one entity to another: old id, new id, count. `ended`: claims that ended
    because of a merge: event, record, user.
    """

    changes: list[tuple[str, str, str | None]] = field(default_factory=list)
    moves: list[tuple[str, str, int]] = field(default_factory=list)
    entities: dict[str, str | None] = field(default_factory=dict)
    ended: list[tuple[str, str, str]] = field(default_factory=list)


def judge(connection: psycopg.Connection, decision: Decision, by: str) -> Done:
    """Record a judgement of two records. Raises as `judgements.decide`, and where older decisions prevent `same`."""
    refs = [decision.left, decision.right]
    with deciding(connection) as done:
        overruled = [
            each
            for ref, other in (refs, reversed(refs))
            for each in _overruled(connection, ref, [other, *_together(connection, other)], decision)
        ]
        judgements.decide(connection, [decision, *overruled], by)
        if decision.judgement == "same":
            done.ended.extend(claimed.end_merged(connection, refs, by))
        settle(connection, refs, done)
        if decision.judgement == "same":
            _refuse_apart(connection, done, refs)
    return done


def merge(connection: psycopg.Connection, left: str, right: str, by: str, reason: str = "") -> Done:
    """Make two entities one; decisions that kept their records apart are taken back. Raises as `judge`."""
    if left == right:
        raise TerminalError(f"{left} is one entity already: nothing to merge")
    with deciding(connection) as done:
        ours, theirs = _standing(connection, left), _standing(connection, right)
        apart = connection.execute(_APART, [MODEL, ours, theirs, theirs, ours]).fetchall()
        pairs = {tuple(sorted((ours[0], theirs[0]))), *apart}
        judgements.decide(connection, [Decision(one, other, "same", reason) for one, other in sorted(pairs)], by)
        refs = [ours[0], theirs[0]]
        done.ended.extend(claimed.end_merged(connection, refs, by))
        settle(connection, refs, done)
        _refuse_apart(connection, done, refs)
    return done


def split(connection: psycopg.Connection, entity: str, refs: Sequence[str], by: str, reason: str = "") -> Done:
    """Make records of an entity another thing, all of them one; what said that they are the same is taken back.

    Raises TerminalError where a ref is none of the entity's, or nothing else would be left.
    """
    parts = list(dict.fromkeys(refs))
    with deciding(connection) as done:
        standing = _standing(connection, entity)
        _refuse_strangers(connection, entity, parts)
        rest = [ref for ref in standing if ref not in parts]
        if not rest:
            raise TerminalError(f"nothing would be left of {entity}: name only the records that are another thing")
        decisions = [Decision(ref, other, "different", reason) for ref in parts for other in rest]
        decisions += [each for ref in parts for each in _overruled(connection, ref, rest, decisions[0])]
        own = [ref for ref in parts if ref in standing]
        decisions += [Decision(own[0], other, "same", reason) for other in own[1:]]
        judgements.decide(connection, decisions, by)
        settle(connection, [*parts, *rest], done)
    return done


def alias(connection: psycopg.Connection, scheme: str, value: str, of: str, by: str, reason: str = "") -> Done:
    """Note that two values are one thing's and settle who holds them; `value` is the one that is no longer used.

    Raises TerminalError where the scheme has no aliases or a value is none of it.
    """
    old, new = _value(scheme, value), _value(scheme, of)
    with deciding(connection) as done:
        new = _newest(connection, scheme, new, old)
        if old == new:
            raise TerminalError(f"{old} is one {scheme}: an alias is of two")
        bound = {"scheme": scheme, "value": old, "of": new, "reason": reason, "by": _person(by)}
        connection.execute(_FORGET, [scheme, new, old])
        connection.execute(_STRAIGHTEN, bound)
        connection.execute(_ALIAS, bound)
        settle(connection, _holders(connection, scheme, [old, new]), done)
    return done


def unalias(connection: psycopg.Connection, scheme: str, value: str, of: str, by: str, reason: str = "") -> Done:
    """Say that a value stands for no other, for good, and settle who holds them.

    Raises TerminalError where it stands for none.
    """
    old, new = _value(scheme, value), _value(scheme, of)
    with deciding(connection) as done:
        bound = {"scheme": scheme, "value": old, "of": new, "reason": reason, "by": _person(by)}
        if not connection.execute(_UNDO, bound).rowcount:
            raise TerminalError(f"{scheme} {old} does not stand for {new}: nothing to undo")
        settle(connection, _holders(connection, scheme, [old, new]), done)
    return done


@contextmanager
def deciding(connection: psycopg.Connection) -> Iterator[Done]:
    """Decide alone, in one transaction, and gather the history it made."""
    done = Done()
    with connection.transaction():
        ensure_tables(connection)
        lock(connection)
        (last,) = connection.execute(_LAST).fetchone() or (0,)
        (moved,) = connection.execute(_LAST_MOVE).fetchone() or (0,)
        before = set(connection.execute(DISREGARDED))
        yield done
        _refuse_overruling(set(connection.execute(DISREGARDED)) - before)
        done.changes.extend(connection.execute(_CHANGES, [last]).fetchall())
        done.moves.extend(connection.execute(_MOVES, [moved]).fetchall())
        inbox.mark_decided(connection)


def settle(connection: psycopg.Connection, refs: Sequence[str], done: Done) -> None:
    """Resolve all that the refs reach, and note which entities they are now; inside `deciding`."""
    settle_judged(connection, [row[0] for row in connection.execute(_ALIKE, [list(refs)])])
    found = {ref: entity for ref, entity, _ in connection.execute(_ALL, [list(refs)])}
    done.entities.update({ref: found.get(ref) for ref in refs})


def _overruled(connection: psycopg.Connection, ref: str, others: Sequence[str], decision: Decision) -> list[Decision]:
    """Return the decision for pairs of which people said otherwise, of mentions that say the same as `ref`."""
    bound = {"ref": ref, "others": list(others), "model": MODEL, "judgement": decision.judgement}
    pairs = connection.execute(_SAID_ALIKE, bound).fetchall()
    return [Decision(left, right, decision.judgement, decision.reason) for left, right in pairs]


def _together(connection: psycopg.Connection, ref: str) -> list[str]:
    return [row[0] for row in connection.execute(_TOGETHER, [ref])]


def _standing(connection: psycopg.Connection, entity: str) -> list[str]:
    refs = [row[0] for row in connection.execute(_STANDING, [entity])]
    if not refs:
        raise TerminalError(f"no record stands for {entity} today: `sonik entity history {entity}` shows why")
    return refs


def _refuse_overruling(overruled: set[tuple[str, ...]]) -> None:
    if overruled:
        (first,) = min(overruled)
        judgement, left, right = first.split(" ", 2)
        raise TerminalError(
            f"that cannot be while {left} and {right} are judged {judgement}: decide that pair first"
            f" (`sonik review list`), or use `sonik entity merge` or `split`, which take older decisions back"
        )


def _refuse_strangers(connection: psycopg.Connection, entity: str, refs: Sequence[str]) -> None:
    known = {ref: found for ref, found, _ in connection.execute(_ALL, [list(refs)])}
    for ref in refs:
        if known.get(ref) != entity:
            raise TerminalError(
                f"{ref} is no record of {entity}: `sonik entity explain {entity}` lists its records"
                " as source/table/record_id"
            )


def _refuse_apart(connection: psycopg.Connection, done: Done, refs: Sequence[str]) -> None:
    """Refuse a `same` that took no effect: a decision between other records of the two keeps them apart."""
    entities = {done.entities[ref] for ref in refs}
    if len(entities) == 1:
        return
    if None in entities:
        raise TerminalError(f"{' and '.join(refs)} are not one after that: one of them stands for nothing")
    sides = [_standing(connection, str(entity)) for entity in sorted(map(str, entities))]
    found = connection.execute(_APART, [MODEL, *sides, *reversed(sides)]).fetchone()
    why = f"{found[0]} and {found[1]} were judged different" if found else "their identifiers forbid it"
    raise TerminalError(f"{' and '.join(refs)} cannot be one: {why}; `sonik entity merge` takes older decisions back")


def _value(scheme: str, text: str) -> str:
    if scheme not in _ALIASABLE:
        raise TerminalError(f"{scheme} has no aliases: give one of {', '.join(_ALIASABLE)}")
    try:
        value = _ALIASABLE[scheme](text)
    except ValueError as error:
        raise TerminalError(f"{text!r} is no {scheme}: {error}") from error
    if not value:
        raise TerminalError(f"{text!r} is no {scheme}")
    return value


def _newest(connection: psycopg.Connection, scheme: str, value: str, but: str) -> str:
    """Return what a value stands for today, unless that is the one which shall stand for it."""
    row = connection.execute(
        "select alias_of from identity.aliases where scheme = %s and value = %s and alias_of <> %s",
        [scheme, value, but],
    ).fetchone()
    return str(row[0]) if row else value


def _holders(connection: psycopg.Connection, scheme: str, values: list[str]) -> list[str]:
    return [row[0] for row in connection.execute(_HOLDERS, [scheme, values])]


def _person(by: str) -> str:
    if not by or by == MODEL:
        raise TerminalError("a decision needs the name of who decides: set SONIK_USER or give --by")
    return by
