"""What is near the hits of a search in the graphs: the strongest edges first, a bounded number of them. Reads FalkorDB.

Only edges that say something of a thing are followed: who plays, where, who promotes, owns, works for. What visitors
did is not. How a weight fades is `decay`; what a scope may see of what is found is decided by who asks.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sonik_assets.graph import cypher
from sonik_assets.graph.schema import KNOWLEDGE, OPERATIONS
from sonik_assets.serving.decay import expand

if TYPE_CHECKING:
    from falkordb import FalkorDB

LOOKED = 2_000
"""Edges of one node and type that are looked at: of a hub, the first ones."""
FIRST, SECOND = 5, 2
"""Edges of one node and type that are kept, one step and two steps away from a hit."""
TIMEOUT_MS = 2_000


@dataclass(frozen=True)
class Way:
    """An edge type between two labels of a graph."""

    graph: str
    start: str
    type: str
    end: str

    @property
    def persons(self) -> bool:
        """Whether a person is at either end."""
        return "Person" in (self.start, self.end)


WAYS = (
    Way(OPERATIONS, "Artist", "PERFORMS_AT", "Event"),
    Way(OPERATIONS, "Event", "HOSTED_BY", "Venue"),
    Way(OPERATIONS, "Event", "PROMOTED_BY", "Organization"),
    Way(OPERATIONS, "Person", "OWNS", "Venue"),
    Way(OPERATIONS, "Person", "OWNS", "Organization"),
    Way(OPERATIONS, "Person", "OWNS", "Brand"),
    Way(OPERATIONS, "Person", "MANAGES", "Venue"),
    Way(OPERATIONS, "Person", "MANAGES", "Artist"),
    Way(OPERATIONS, "Person", "WORKS_FOR", "Organization"),
    Way(KNOWLEDGE, "Concept", "RELATES_TO", "Concept"),
)


@dataclass(frozen=True)
class Node:
    """A node by its label and id."""

    label: str
    id: str


@dataclass(frozen=True)
class Edge:
    """An edge as it points, and how strong the way to it is: the faded weights along it, times its hit's score."""

    start: Node
    type: str
    end: Node
    strength: float

    @property
    def ends(self) -> tuple[Node, Node]:
        """Both ends, the beginning first."""
        return self.start, self.end


@dataclass(frozen=True)
class Near:
    """How a neighbourhood is asked for: `now_ms` since 1970 UTC, days until a weight counts half (None: never)."""

    now_ms: int
    half_life_days: float | None
    persons: bool


def edges(client: "FalkorDB", near: Near, nodes: Mapping[Node, float], each: int) -> list[Edge]:
    """Return the strongest edges of these nodes, at most `each` a node and type, the strongest first.

    `nodes`: with what the edges' weights are multiplied. Raises TransientError where the graph does not answer in time.
    """
    found: dict[tuple[str, str, str], Edge] = {}
    for way in WAYS:
        if way.persons and not near.persons:
            continue
        for edge in (*_along(client, near, way, nodes, each), *_against(client, near, way, nodes, each)):
            key = (edge.start.id, edge.type, edge.end.id)
            if key not in found or found[key].strength < edge.strength:
                found[key] = edge
    return sorted(found.values(), key=lambda edge: (-edge.strength, edge.type, edge.start.id, edge.end.id))


def _along(client: "FalkorDB", near: Near, way: Way, nodes: Mapping[Node, float], each: int) -> Iterable[Edge]:
    rows = _rows(client, near, way, way.start, f"-[e:{way.type}]->(m:{way.end})", nodes, each)
    for here, there, weight in rows:
        start = Node(way.start, here)
        yield Edge(start, way.type, Node(way.end, there), weight * nodes[start])


def _against(client: "FalkorDB", near: Near, way: Way, nodes: Mapping[Node, float], each: int) -> Iterable[Edge]:
    rows = _rows(client, near, way, way.end, f"<-[e:{way.type}]-(m:{way.start})", nodes, each)
    for here, there, weight in rows:
        end = Node(way.end, here)
        yield Edge(Node(way.start, there), way.type, end, weight * nodes[end])


def _rows(
    client: "FalkorDB", near: Near, way: Way, label: str, arrow: str, nodes: Collection[Node], each: int
) -> list[tuple[str, str, float]]:
    ids = sorted(node.id for node in nodes if node.label == label)
    if not ids:
        return []
    # The limit comes before the order: a hub's edges are not all looked at.
    query = expand(
        f"UNWIND $ids AS id MATCH (n:{label} {{id: id}}) WITH n "
        f"CALL {{ WITH n MATCH (n){arrow} WITH e, m LIMIT {LOOKED}"
        f" RETURN m.id AS there, decayed(e) AS strength ORDER BY strength DESC, there LIMIT {each} }} "
        "RETURN n.id, there, strength, $now_ms, $half_life_days"
    )
    bound = {"ids": ids, "now_ms": near.now_ms, "half_life_days": near.half_life_days}
    rows = cypher.read(client.select_graph(way.graph), query, timeout_ms=TIMEOUT_MS, **bound)
    return [(str(row[0]), str(row[1]), float(row[2])) for row in rows if row[1] is not None]
