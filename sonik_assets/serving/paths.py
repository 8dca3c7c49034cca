"""The shortest way between two nodes, whatever the direction of the edges: a search from both ends.

Each step is one query for the whole frontier, the smaller side first, so hubs are visited once.
"""

from itertools import pairwise
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError, TransientError
from sonik_assets.graph import cypher
from sonik_assets.serving.entities import LABELS, Thing

if TYPE_CHECKING:
    from falkordb import Graph

MAX_HOPS = 6
TIMEOUT_MS = 5_000

Reached = dict[int, int | None]
"""Internal node number -> the one it was reached from; None for where the search began."""

HOPS = """
UNWIND $pairs AS pair
MATCH (a) WHERE ID(a) = pair[0]
MATCH (a)-[e]-(b) WHERE ID(b) = pair[1]
WITH pair, a, e, b ORDER BY e.weight DESC, e.id
WITH pair, a, b, head(collect(e)) AS e
RETURN pair[0] AS start, labels(a)[0] AS from_label, coalesce(a.name, a.title, a.tier) AS from_name,
       a.id AS from_id, type(e) AS type, ID(startNode(e)) = pair[0] AS forward, e.weight AS weight,
       e.timestamp AS timestamp, e.source AS source,
       labels(b)[0] AS to_label, coalesce(b.name, b.title, b.tier) AS to_name, b.id AS to_id
"""

WHY = {
    "OWNS": ("owns", "is owned by"),
    "MANAGES": ("manages", "is managed by"),
    "PERFORMS_AT": ("performs at", "has on stage"),
    "HOSTED_BY": ("takes place at", "hosts"),
    "PROMOTED_BY": ("is promoted by", "promotes"),
    "WORKS_FOR": ("works for", "employs"),
    "SHARED": ("shared", "was shared by"),
    "ATTENDED": ("went to", "was attended by"),
    "PURCHASED": ("bought", "was bought by"),
    "REFERRED": ("referred", "was referred by"),
    "INFLUENCED": ("led to", "was influenced by"),
    "CONVERTED_VIA": ("came through", "brought in"),
}


def shortest_path(graph: "Graph", step: str, start: Thing, end: Thing) -> list[dict[str, Any]]:
    """Return the hops from start to end, each with its reason `why`; empty if more than six are needed.

    `step` is the query that returns the neighbours of `$frontier`.
    """
    if start.id == end.id:
        raise TerminalError(f"both ends are {start}; name two different things")
    nodes = _meet(graph, step, _number(graph, start), _number(graph, end))
    pairs = [list(pair) for pair in pairwise(nodes)]
    if not pairs:
        return []
    rows = {row.pop("start"): row for row in cypher.columns(graph, HOPS, timeout_ms=TIMEOUT_MS, pairs=pairs)}
    return [_explained(rows[first]) for first, _ in pairs]


def _number(graph: "Graph", thing: Thing) -> int:
    query = f"MATCH (n:{LABELS[thing.kind]} {{id: $id}}) RETURN ID(n)"
    rows = cypher.read(graph, query, timeout_ms=TIMEOUT_MS, id=thing.id)
    if not rows:
        raise TransientError(f"{thing} is not in graph {graph.name} yet: run `sonik run`")
    return int(rows[0][0])


def _meet(graph: "Graph", step: str, start: int, end: int) -> list[int]:
    sides: tuple[Reached, Reached] = ({start: None}, {end: None})
    frontiers = [[start], [end]]
    for _ in range(MAX_HOPS):
        near = 0 if len(frontiers[0]) <= len(frontiers[1]) else 1
        rows = cypher.read(graph, step, timeout_ms=TIMEOUT_MS, frontier=frontiers[near])
        fresh: Reached = {node: origin for node, origin in rows if node not in sides[near]}
        sides[near].update(fresh)
        # whole levels are searched, so any meeting is a shortest one; the lowest number, to repeat itself
        if meeting := fresh.keys() & sides[1 - near].keys():
            middle = min(meeting)
            return [*reversed(_trail(sides[0], middle)), *_trail(sides[1], middle)[1:]]
        frontiers[near] = list(fresh)
    return []


def _trail(reached: Reached, node: int) -> list[int]:
    trail = [node]
    while (origin := reached[trail[-1]]) is not None:
        trail.append(origin)
    return trail


def _explained(hop: dict[str, Any]) -> dict[str, Any]:
    forward, backward = WHY.get(hop["type"], (hop["type"], f"{hop['type']} of"))
    verb = forward if hop["forward"] else backward
    return {"why": f"{hop['from_name']} {verb} {hop['to_name']}", **hop}
