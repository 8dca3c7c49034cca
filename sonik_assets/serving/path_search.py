"""Search level by level for the shortest ways between two nodes, from both ends, within a budget of edges.

Knows numbers only: how a level is expanded is given. What the nodes are, and which way is best, is in `paths.py`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice

EDGES = 5_000
"""Edges that one expansion looks at. What lies past it is not seen, and the answer says so."""
FRONTIER = 2_500
"""Nodes that one expansion begins at, those reached over the fewest edges first: hubs come last."""
PATHS = 20

type Expand = Callable[[list[int]], tuple[list[int], list[int]]]
"""Nodes -> (where each edge begins, where it leads), at most EDGES of them."""


@dataclass
class Found:
    """The shortest ways, each a list of nodes from start to end; at most 20. `complete`: nothing was left out."""

    ways: list[list[int]]
    complete: bool


@dataclass
class Level:
    """What was reached from one end: node -> the nodes of the level before it."""

    parents: dict[int, list[int]]
    frontier: list[int] = field(default_factory=list)
    complete: bool = True

    def grow(self, expand: Expand) -> set[int]:
        """Go one level on; return what was not reached before."""
        begun = self.frontier[:FRONTIER]
        origins, reached = expand(begun)
        self.complete &= len(begun) == len(self.frontier) and len(reached) < EDGES
        fresh: dict[int, list[int]] = {}
        for origin, node in zip(origins, reached, strict=True):
            if node not in self.parents:
                fresh.setdefault(node, []).append(origin)
        self.parents.update(fresh)
        self.frontier = sorted(fresh, key=lambda node: (len(fresh[node]), node))
        return set(fresh)

    def trails(self, node: int) -> Iterator[list[int]]:
        """Yield the ways from a node back to the end that this began at."""
        if not self.parents[node]:
            yield [node]
        for parent in self.parents[node]:
            for trail in self.trails(parent):
                yield [node, *trail]


def begin(start: int) -> Level:
    """Return the level that holds one node."""
    return Level({start: []}, [start])


def search(expand: Expand, start: int, end: int, *, hops: int) -> Found:
    """Return the shortest ways of at most `hops` edges; the smaller side goes on first, so hubs are met, not left."""
    sides = (begin(start), begin(end))
    for _ in range(hops):
        near = 0 if len(sides[0].frontier) <= len(sides[1].frontier) else 1
        fresh = sides[near].grow(expand)
        if meeting := fresh & sides[1 - near].parents.keys():
            ways = list(islice(_joined(sides, sorted(meeting)), PATHS))
            shortest = min(map(len, ways))
            return Found([way for way in ways if len(way) == shortest], all(side.complete for side in sides))
        if not fresh:
            break
    return Found([], all(side.complete for side in sides))


def _joined(sides: tuple[Level, Level], meeting: list[int]) -> Iterator[list[int]]:
    for middle in meeting:
        for back in sides[0].trails(middle):
            for on in sides[1].trails(middle):
                yield [*reversed(back), *on[1:]]
