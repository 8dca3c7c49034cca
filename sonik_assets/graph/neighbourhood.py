"""A small part of a graph that shows what it is like: a well connected node and what is near it. Reads only.

Every query starts at a label's first nodes or at known internal ids, so none of them looks at the whole graph;
what a hub has too much of is cut by a LIMIT. How it is drawn is decided in `picture.py`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sonik_assets.graph import cypher, schema

if TYPE_CHECKING:
    from falkordb import Graph

CANDIDATES, MOST_NODES, NEAR, FURTHER, MOST_EDGES = 50, 25, 9, 3, 60
"""Nodes looked at per label; nodes drawn; neighbours of the middle; further ones of each of those; edges drawn."""

TIMEOUT_MS = 2_000
MOST_NAMES = 64
"""Labels, and types, that are asked about: what agents make up is not counted by us."""

UNNAMED = frozenset({"Person", "Session", "Memory", "Query", "Reference"})
"""Drawn without their names: a picture is kept in Dagster's log, where no erasure of a person would find it."""

NAMED = frozenset(label.name for label in schema.LABELS) - UNNAMED

_NODE = "id(m), labels(m), m.row_hash IS NOT NULL, m.id, coalesce(m.name, m.title, m.path, m.platform, m.tier)"


@dataclass(frozen=True)
class Node:
    """A node by its internal id; `name` is what to write at it."""

    key: int
    label: str
    name: str


@dataclass(frozen=True)
class Edge:
    """An edge between two internal ids."""

    start: int
    type: str
    end: int


@dataclass(frozen=True)
class Neighbourhood:
    """What is drawn, the middle first; no nodes where the graph has none."""

    graph: str
    nodes: tuple[Node, ...] = ()
    edges: tuple[Edge, ...] = ()


def neighbourhood(graph: "Graph") -> Neighbourhood:
    """Return at most MOST_NODES nodes, two hops around a node of many kinds of edges; the same for the same graph.

    Raises TransientError where the graph is not built or does not answer within TIMEOUT_MS.
    """
    types = sorted(_writable(_column(graph, "CALL db.relationshipTypes()")))[:MOST_NAMES]
    middle = _middle(graph, types)
    if middle is None:
        return Neighbourhood(graph.name)
    near = list(_near(graph, middle.key, types))
    nodes = {middle.key: middle} | {node.key: node for node in near}
    for node in _further(graph, [key for key in nodes if key != middle.key]):
        if len(nodes) < MOST_NODES:
            nodes.setdefault(node.key, node)
    return Neighbourhood(graph.name, tuple(nodes.values()), tuple(_between(graph, list(nodes))))


def _middle(graph: "Graph", types: list[str]) -> Node | None:
    """Of each label's first nodes the one with the most kinds of edges, then the most neighbours that can be shown."""
    best, chosen = (-1, -1, 0), None
    for label in sorted(_writable(_column(graph, "CALL db.labels()")))[:MOST_NAMES]:
        query = (
            f"MATCH (m:{cypher.key(label)}) WITH m LIMIT {CANDIDATES} RETURN {_NODE},"
            " [t IN $types | indegree(m, t) + outdegree(m, t)]"
        )
        for *node, degrees in _rows(graph, query, types=types):
            rank = (sum(n > 0 for n in degrees), min(sum(degrees), NEAR), -node[0])
            if rank > best:
                best, chosen = rank, _node(*node)
    return chosen


def _near(graph: "Graph", middle: int, types: Sequence[str]) -> Iterable[Node]:
    """Neighbours of the middle, one of each type of edge and direction in turn, until there are NEAR."""
    # The middle is matched by itself: in one pattern the server may start at the other end, with every node.
    start = "MATCH (n) WHERE id(n) = $id WITH n MATCH (n)"
    arrows = [arrow for type in types for arrow in (f"-[:{cypher.key(type)}]->", f"<-[:{cypher.key(type)}]-")]
    found = [_rows(graph, f"{start}{arrow}(m) RETURN {_NODE} LIMIT {NEAR}", id=middle) for arrow in arrows]
    turns = (rows[turn] for turn in range(NEAR) for rows in found if turn < len(rows))
    nodes = {row[0]: _node(*row) for row in turns if row[0] != middle}
    return list(nodes.values())[:NEAR]


def _further(graph: "Graph", ids: list[int]) -> Iterable[Node]:
    some = f"CALL {{ WITH i MATCH (n) WHERE id(n) = i WITH n MATCH (n)--(m) RETURN m LIMIT {2 * FURTHER} }}"
    query = f"UNWIND $ids AS i {some} RETURN i, {_NODE}"
    kept: dict[int, dict[int, Node]] = {}
    for start, *node in _rows(graph, query, ids=ids):
        others = kept.setdefault(start, {})
        if node[0] not in ids and len(others) < FURTHER:
            others[node[0]] = _node(*node)
    return [node for others in kept.values() for node in others.values()]


def _between(graph: "Graph", ids: list[int]) -> Iterable[Edge]:
    # Both ends by id first: with `id(a) IN $ids` the server would look at every node there is.
    query = (
        "UNWIND $ids AS i UNWIND $ids AS j MATCH (a) WHERE id(a) = i MATCH (b) WHERE id(b) = j"
        f" MATCH (a)-[e]->(b) RETURN DISTINCT i, type(e), j LIMIT {MOST_EDGES}"
    )
    return [Edge(*row) for row in _rows(graph, query, ids=ids)]


def _node(key: int, labels: list[str], ours: bool, id: object, name: object) -> Node:  # noqa: FBT001 - a row
    """Return a node under its name, or under its label and the end of its id. Nodes of others hold anything."""
    label = min(labels, default="")
    if ours and label in NAMED and isinstance(name, str) and name:
        return Node(key, label, ".".join(name.split(".")[-2:]) if label == "CodeModule" else name)
    return Node(key, label, label if id is None else f"{label} {str(id)[-4:]}")


def _rows(graph: "Graph", query: str, **parameters: object) -> list[list[Any]]:
    return cypher.read(graph, query, timeout_ms=TIMEOUT_MS, **parameters)


def _column(graph: "Graph", query: str) -> list[str]:
    return [str(row[0]) for row in _rows(graph, query)]


def _writable(names: Iterable[str]) -> Iterable[str]:
    """Leave out names that cannot be quoted."""
    return (name for name in names if name and "`" not in name)
