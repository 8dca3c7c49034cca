"""Ids that never change: clusters of today meet the ids that their records had before. Pure.

Every id ever given stays live, is redirected, or is tombstoned; the same input again changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

type Kind = Literal["created", "merged", "split", "tombstoned"]


@dataclass(frozen=True)
class Change:
    """One line of history; `new_id` is the id merged into, or the id that a part split off with."""

    kind: Kind
    entity_id: str
    new_id: str | None = None


@dataclass(frozen=True)
class Past:
    """What was before. `ids`: ref -> id, of deleted records too; `live`: ids of the entities.

    `claimed`: ids that somebody owns or asks for, which a merge keeps. `former`: ref -> ids that it had before and
    that were merged away, the latest first: what a split gives back.
    """

    ids: Mapping[str, str]
    live: Collection[str]
    claimed: Collection[str] = frozenset()
    former: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Assignment:
    """`ids[n]` is the id of cluster n; `redirects` holds merges of this run only; `restored` ids live again."""

    ids: list[str]
    redirects: dict[str, str]
    changes: list[Change]
    restored: frozenset[str] = frozenset()


def assign(clusters: Sequence[Collection[str]], past: Past, mint: Callable[[int], Sequence[str]]) -> Assignment:
    """Give each cluster of record refs its entity id; `mint` makes n new uuidv7.

    An id goes to the cluster with most of the records that had it first, then with most that have it (ties: the
    smallest ref). A cluster that gets several keeps a claimed one, else the oldest; the others are redirected, unless
    a part that had one is left without any: it keeps its own. One that gets none is given back the id that its
    records had before a merge, or it is new.
    """
    won = _awards(clusters, past)
    without = [n for n in range(len(clusters)) if n not in won]
    restored = _restored(clusters, without, past)
    fresh = [n for n in without if n not in restored]
    minted = dict(zip(fresh, mint(len(fresh)) if fresh else (), strict=True)) | restored
    best = [minted[n] if n in minted else _kept(won[n], past) for n in range(len(clusters))]
    redirects = {old: best[n] for n, olds in sorted(won.items()) for old in sorted(olds) if old != best[n]}
    changes = [_birth(clusters[n], best[n], past.ids) for n in without]
    changes += [Change("created", best[n]) for n in sorted(won) if best[n] not in past.live]  # came back
    changes += [Change("merged", old, new) for old, new in redirects.items()]
    changes += [Change("tombstoned", gone) for gone in sorted(set(past.live) - set(best) - redirects.keys())]
    return Assignment(best, redirects, changes, frozenset(restored.values()))


def _restored(clusters: Sequence[Collection[str]], without: Sequence[int], past: Past) -> dict[int, str]:
    """Return cluster -> the merged-away id that most of its records had; each id once."""
    found: dict[int, str] = {}
    taken: set[str] = set()
    for number in without:
        votes = Counter(old for ref in clusters[number] for old in past.former.get(ref, ())[:1])
        free = [old for old in votes if old not in taken]
        if free:
            found[number] = min(free, key=lambda old: (-votes[old], old))
            taken.add(found[number])
    return found


def _awards(clusters: Sequence[Collection[str]], past: Past) -> dict[int, list[str]]:
    """Return cluster -> the ids that are its own; what it would merge away stays with a part that has no other id."""
    claims: dict[str, list[tuple[int, int, str, int]]] = defaultdict(list)
    for number, refs in enumerate(clusters):
        held: dict[str, list[str]] = defaultdict(list)
        for ref in refs:
            if ref in past.ids:
                held[past.ids[ref]].append(ref)
        for old, mine in held.items():
            first = sum(ref not in past.former for ref in mine)
            claims[old].append((-first, -len(mine), min(mine), number))
    won: dict[int, list[str]] = defaultdict(list)
    for old, parts in claims.items():
        won[min(parts)[-1]].append(old)
    for number in sorted(number for number, olds in won.items() if len(olds) > 1):
        for old in sorted(set(won[number]) - {_kept(won[number], past)}):
            left = [part for part in claims[old] if part[-1] not in won]
            if left:
                won[number].remove(old)
                won[min(left)[-1]].append(old)
    return won


def _kept(olds: Collection[str], past: Past) -> str:
    """Return the id that lasts: a claimed one, else the oldest (uuidv7 begins with its time)."""
    return min(olds, key=lambda old: (old not in past.claimed, old))


def _birth(refs: Collection[str], new: str, previous: Mapping[str, str]) -> Change:
    before = Counter(previous[ref] for ref in refs if ref in previous)
    if not before:
        return Change("created", new)
    return Change("split", min(before, key=lambda old: (-before[old], old)), new)
