"""Probable links become clusters, the surest first, and only where nothing forbids. Pure; records are numbers.

A pair that is likely but may not join, or that alone holds two groups together, waits for a person instead.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field

from sonik_assets.identity.clusters import BOTH_CLAIMED, Clusters

SURE = 0.999
"""A bridge at least this probable may hold two groups together alone."""

SETTLED = frozenset({"decided", "contradiction"})
"""Reasons that leave nothing to ask: a person or a register says that the two are two."""

type Pair = tuple[int, int, float]
"""Record, record, probability."""


@dataclass(frozen=True)
class Rules:
    """`link`: probability from which a pair joins. `forbid`: schemes whose values contradict.

    `source[record]`: the clean source of a record (one that holds a thing once), None for others.
    `own[record]`: it is a record of its own; `cap`: how many of these likeness may bring together.
    """

    link: float
    forbid: Sequence[str]
    source: Sequence[str | None]
    own: Sequence[bool]
    cap: int


@dataclass
class Verdicts:
    """`links`: pairs that joined two clusters. `doubts`: pair -> why a person must look."""

    links: list[Pair] = field(default_factory=list)
    doubts: list[tuple[int, int, float, str]] = field(default_factory=list)


def agglomerate(clusters: Clusters, pairs: Iterable[Pair], rules: Rules) -> Verdicts:
    """Join clusters by pairs of records; one doubt is told for each two clusters that stay apart.

    The outcome is independent of the order of the pairs: the more probable first, then the smaller numbers.
    """
    ordered = sorted(pairs, key=lambda pair: (-pair[2], pair[0], pair[1]))
    probable = [pair for pair in ordered if pair[2] >= rules.link]
    tried = _Members(deepcopy(clusters), rules)
    cut = weak_bridges([pair for pair in probable if tried.join(pair)], probable, clusters.find)
    members = _Members(clusters, rules)
    links = [pair for pair in probable if pair not in cut and members.join(pair)]
    clusters.settle()
    return Verdicts(links, _doubts(clusters.root, members, ordered, cut))


def weak_bridges(links: Sequence[Pair], support: Sequence[Pair], node: Callable[[int], int]) -> set[Pair]:
    """Return the links that alone hold two groups of two or more together, and are not sure.

    `support`: all probable pairs; `node`: what a record is one with already, by shared identifiers.
    """
    graph: dict[int, Counter[int]] = defaultdict(Counter)
    for left, right in ((node(left), node(right)) for left, right, _ in support):
        if left != right:
            graph[left][right] += 1
            graph[right][left] += 1
    doubtful = {}
    for pair in links:
        left, right = node(pair[0]), node(pair[1])
        if pair[2] < SURE and graph[left][right] == 1 and len(graph[left]) > 1 and len(graph[right]) > 1:
            doubtful[frozenset((left, right))] = pair
    if not doubtful:
        return set()
    import networkx

    whole = networkx.Graph((left, right) for left in graph for right in graph[left])
    return {doubtful[bridge] for bridge in map(frozenset, networkx.bridges(whole)) if bridge in doubtful}


class _Members:
    """What the clusters are made of, kept up while they join."""

    def __init__(self, clusters: Clusters, rules: Rules) -> None:
        self._clusters, self._rules = clusters, rules
        self._sources: dict[int, set[str]] = defaultdict(set)
        self._size: Counter[int] = Counter()
        for record, source in enumerate(rules.source):
            root = clusters.find(record)
            self._size[root] += rules.own[record]
            if source is not None:
                self._sources[root].add(source)

    def join(self, pair: Pair) -> bool:
        """Join the clusters of a pair; False where they are one already or something forbids."""
        left, right = self._clusters.find(pair[0]), self._clusters.find(pair[1])
        if left == right or self.obstacle(left, right) or self._clusters.both_claimed(left, right):
            return False
        first = self._clusters.join((left, right))
        last = right if first == left else left
        self._size[first] += self._size.pop(last)
        self._sources[first] |= self._sources.pop(last, set())
        return True

    def obstacle(self, left: int, right: int) -> str | None:
        """Return why two clusters must not be joined by likeness."""
        if self._clusters.are_apart(left, right):
            return "decided"
        if self._clusters.contradiction((left, right), self._rules.forbid):
            return "contradiction"
        if not self._sources[left].isdisjoint(self._sources[right]):
            return "two records of one source"
        return "too many records" if self._size[left] + self._size[right] > self._rules.cap else None

    def doubt(self, left: int, right: int, pair: Pair) -> str:
        """Return why a person must look where there is no obstacle: a claim matters only where they would be one."""
        probable = pair[2] >= self._rules.link
        return BOTH_CLAIMED if probable and self._clusters.both_claimed(left, right) else "doubtful"


def _doubts(
    root: Sequence[int], members: _Members, ordered: Sequence[Pair], cut: set[Pair]
) -> list[tuple[int, int, float, str]]:
    told: set[tuple[int, int]] = set()
    found = []
    for pair in ordered:
        left, right = sorted((root[pair[0]], root[pair[1]]))
        if left == right or (left, right) in told:
            continue
        told.add((left, right))
        reason = members.obstacle(left, right) or ("weak bridge" if pair in cut else members.doubt(left, right, pair))
        if reason not in SETTLED:
            found.append((*pair, reason))
    return found
