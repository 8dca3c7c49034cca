"""Ids that never change: clusters of today meet the ids that their records had before. Pure.

Every id ever given stays live, is redirected, or is tombstoned; the same input again changes nothing.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

type Kind = Literal["created", "merged", "split", "tombstoned"]


@dataclass(frozen=True)
class Change:
    """One line of history; `new_id` is the id merged into, or the id that a part split off with."""

    kind: Kind
    entity_id: str
    new_id: str | None = None


@dataclass(frozen=True)
class Assignment:
    """`ids[n]` is the id of cluster n; `redirects` holds merges of this run only."""

    ids: list[str]
    redirects: dict[str, str]
    changes: list[Change]


def assign(
    clusters: Sequence[Collection[str]],
    previous: Mapping[str, str],
    live: Collection[str],
    mint: Callable[[int], Sequence[str]],
) -> Assignment:
    """Give each cluster of record refs its entity id.

    `previous`: ref -> id, of deleted records too; `live`: ids of the entities before; `mint`: n new uuidv7.
    An id goes to the cluster with most of its records (ties: the smallest ref). A cluster that gets several
    keeps the oldest and redirects the others; one that gets none is new, or split off.
    """
    won = _awards(clusters, previous)
    without = [n for n in range(len(clusters)) if n not in won]
    minted = dict(zip(without, mint(len(without)) if without else (), strict=True))
    # uuidv7 begins with its time: the smallest is the oldest.
    ids = [minted[n] if n in minted else min(won[n]) for n in range(len(clusters))]
    redirects = {old: ids[n] for n, olds in sorted(won.items()) for old in sorted(olds) if old != ids[n]}
    changes = [_birth(clusters[n], ids[n], previous) for n in without]
    changes += [Change("created", ids[n]) for n in sorted(won) if ids[n] not in live]  # came back
    changes += [Change("merged", old, new) for old, new in redirects.items()]
    changes += [Change("tombstoned", gone) for gone in sorted(set(live) - set(ids) - redirects.keys())]
    return Assignment(ids, redirects, changes)


def _awards(clusters: Sequence[Collection[str]], previous: Mapping[str, str]) -> dict[int, list[str]]:
    parts: dict[str, list[tuple[int, str, int]]] = defaultdict(list)
    for number, refs in enumerate(clusters):
        held: dict[str, list[str]] = defaultdict(list)
        for ref in refs:
            if ref in previous:
                held[previous[ref]].append(ref)
        for old, mine in held.items():
            parts[old].append((-len(mine), min(mine), number))
    won: dict[int, list[str]] = defaultdict(list)
    for old, claims in parts.items():
        won[min(claims)[2]].append(old)
    return won


def _birth(refs: Collection[str], new: str, previous: Mapping[str, str]) -> Change:
    before = Counter(previous[ref] for ref in refs if ref in previous)
    if not before:
        return Change("created", new)
    return Change("split", min(before, key=lambda old: (-before[old], old)), new)
