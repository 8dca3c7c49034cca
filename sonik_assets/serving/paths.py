"""Ways along edges, whatever their direction, with the reason for each hop: introductions, and ways to organizers.

How the graph is searched is in `path_search.py`. A way's weight is the product of its edges' weights: each hop is a
chance that somebody passes the word on, and a chain holds if every one does.
"""

from functools import partial
from itertools import pairwise
from math import prod
from typing import Any

from resources.errors import TerminalError, TransientError
from sonik_assets.serving import decay
from sonik_assets.serving.asking import Answer, Asking
from sonik_assets.serving.entities import LABELS, Thing
from sonik_assets.serving.path_search import EDGES, Level, begin, search
from sonik_assets.serving.scope import Staff

MAX_HOPS = 6
GAVE_UP = f"more than {EDGES:,} edges at one step were not looked at: there may be another, shorter way"

# Both ends are bound before the edge is looked for (`WITH`): otherwise all edges of a hub are read for each pair.
HOPS = decay.expand("""
UNWIND $pairs AS pair
MATCH (a) WHERE ID(a) = pair[0]
MATCH (b) WHERE ID(b) = pair[1]
WITH pair, a, b
MATCH (a)-[e]-(b)
WITH pair, a, b, e, decayed(e) AS weight ORDER BY weight DESC, e.id
WITH pair, a, b, head(collect({e: e, weight: weight})) AS best
WITH pair, a, b, best.e AS e, best.weight AS weight
RETURN pair[0] AS start, pair[1] AS end, labels(a)[0] AS from_label, coalesce(a.name, a.title, a.tier) AS from_name,
       a.id AS from_id, type(e) AS type, ID(startNode(e)) = pair[0] AS forward, weight,
       e.timestamp AS timestamp, e.source AS source,
       labels(b)[0] AS to_label, coalesce(b.name, b.title, b.tier) AS to_name, b.id AS to_id, e.id AS edge_id
""")

# Whom we know: who has claimed a page, or is a contact in the CRM.
KNOWN = """
UNWIND $numbers AS number
MATCH (person:Person) WHERE ID(person) = number AND (person.claim_status = 'claimed' OR person.type = 'contact')
RETURN toJSON(collect(number)) AS known
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

type Hops = dict[tuple[int, int], dict[str, Any]]


def warm_introduction(asked: Asking) -> Answer:
    """Return the hops of the best way: the fewest, then the heaviest of at most 20; no rows if over six are needed.

    Agents get ways that lead over no person, and only over edges that PostgreSQL shows them.
    """
    ends = asked.things["from"], asked.things["to"]
    if ends[0].id == ends[1].id:
        raise TerminalError(f"both ends are {ends[0]}; name two different things")
    start, end = (_number(asked, thing) for thing in ends)
    persons = isinstance(asked.scope, Staff)
    found = search(partial(_expand, asked, persons=persons), start, end, hops=MAX_HOPS)
    hops = _hops(asked, found.ways)
    notes = () if found.complete else (GAVE_UP,)
    ways = _standing(hops, found.ways)
    if not ways:
        return Answer([], notes)
    best = max(ways, key=lambda way: _weight(hops, way))  # the first of equals: ways come in one order
    return Answer([hops[pair] for pair in pairwise(best)], notes)


def lead_paths(asked: Asking) -> Answer:
    """Return people we know who are joined to an organizer, nearest first, one row each with the way to them."""
    start = _number(asked, asked.things["organizer"])
    limit, most = (int(str(asked.bound[name])) for name in ("limit", "hops"))
    reached, ways = begin(start), list[list[int]]()
    for _ in range(most):
        fresh = reached.grow(partial(_expand, asked, persons=True))
        (known,) = asked.lists(KNOWN, numbers=sorted(fresh))
        ways += [next(reached.trails(number))[::-1] for number in known]
        if len(ways) >= limit or not fresh:
            break
    hops = _hops(asked, ways[: 4 * limit])
    rows = [_lead(hops, way) for way in _standing(hops, ways[: 4 * limit])]
    rows.sort(key=lambda row: (row["hops"], -row["weight"], row["id"]))
    return Answer(rows[:limit], _told(reached))


def _standing(hops: Hops, ways: list[list[int]]) -> list[list[int]]:
    """Return the ways whose every hop is seen, and is there still."""
    return [way for way in ways if all(pair in hops for pair in pairwise(way))]


def _told(reached: Level) -> tuple[str, ...]:
    return () if reached.complete else (GAVE_UP,)


def _lead(hops: Hops, way: list[int]) -> dict[str, Any]:
    steps = [hops[pair] for pair in pairwise(way)]
    last = steps[-1]
    why = "; ".join(step["why"] for step in steps)
    return {
        "person": last["to_name"],
        "hops": len(steps),
        "weight": _weight(hops, way),
        "why": why,
        "id": last["to_id"],
    }


def _expand(asked: Asking, frontier: list[int], *, persons: bool) -> tuple[list[int], list[int]]:
    origins, reached = asked.lists(frontier=frontier, most=EDGES, persons=persons)
    return origins, reached


def _number(asked: Asking, thing: Thing) -> int:
    rows = asked.rows(f"MATCH (n:{LABELS[thing.kind]} {{id: $id}}) RETURN ID(n) AS number", id=thing.id)
    if not rows:
        raise TransientError(f"{thing} is not in graph {asked.query.graph} yet: run `sonik run`")
    return int(rows[0]["number"])


def _hops(asked: Asking, ways: list[list[int]]) -> Hops:
    """Return the heaviest edge of each pair of neighbours, of those that the scope sees."""
    pairs = sorted({pair for way in ways for pair in pairwise(way)})
    if not pairs:
        return {}
    rows = asked.rows(HOPS, pairs=[list(pair) for pair in pairs])
    seen = asked.visible("relationship", {row["edge_id"] for row in rows})
    return {(row.pop("start"), row.pop("end")): _explained(row) for row in rows if row["edge_id"] in seen}


def _weight(hops: Hops, way: list[int]) -> float:
    return prod(float(hops[pair]["weight"]) for pair in pairwise(way))


def _explained(hop: dict[str, Any]) -> dict[str, Any]:
    forward, backward = WHY.get(hop["type"], (hop["type"], f"{hop['type']} of"))
    verb = forward if hop["forward"] else backward
    return {"why": f"{hop['from_name']} {verb} {hop['to_name']}", **hop}
