"""Answers that need all edges of a type: who brings the most others, and who belongs together. Arrays, not Cypher.

FalkorDB's `algo.pageRank` takes one type, no weights and the edge's own direction, in which rank flows to who was
referred; `algo.labelPropagation` needs 4 s for 75,000 people.
"""

from typing import TYPE_CHECKING, Any

from sonik_assets.serving.asking import Answer, Asking

if TYPE_CHECKING:
    from numpy.typing import NDArray

DAMPING = 0.85
ROUNDS = 50
CLOSE = 1e-6
"""PageRank has come to rest when the ranks change by less than this in all."""
LABEL_ROUNDS = 5
EDGES = 5_000_000
"""The LIMIT that the query files read of each type."""
CUT = f"the graph has more than {EDGES:,} such edges, and the others were left out"
PLACES = 200
"""People of a group who are asked where they go."""

PEOPLE = """
UNWIND $numbers AS number
MATCH (person:Person) WHERE ID(person) = number
WITH number, person
OPTIONAL MATCH (person)-[act:SHARED|REFERRED]->()
RETURN number, person.name AS person, sum(CASE type(act) WHEN 'SHARED' THEN 1 ELSE 0 END) AS shared,
       sum(CASE type(act) WHEN 'REFERRED' THEN 1 ELSE 0 END) AS referred, person.id AS id
"""

GOING = """
UNWIND $pairs AS pair
MATCH (person:Person) WHERE ID(person) = pair[1]
WITH pair, person
MATCH (person)-[:ATTENDED]->(event)
WITH pair[0] AS group, event, count(person) AS people ORDER BY people DESC, event.id
WITH group, collect(event.name) AS events
RETURN group, events[0..3] AS events
"""


def influencers(asked: Asking) -> Answer:
    """Return people by rank: the share of all that was brought which they brought, themselves or through others.

    Rank flows backwards, by weight, from what was shared to who shared it and from who was referred to who referred
    them, and enters where something was brought, by its weight. The first term is the sum of a person's weights.
    """
    import numpy as np

    who, whom, weight = (np.asarray(each) for each in asked.lists())
    if not len(who):
        return Answer([])
    nodes, who, whom = dense(who, whom)
    rank = pagerank(whom, who, weight, len(nodes))
    acting = np.flatnonzero(np.bincount(who, minlength=len(nodes)))
    best = acting[np.lexsort((nodes[acting], -rank[acting]))][: int(str(asked.bound["limit"]))]
    ranks = {int(nodes[each]): float(rank[each]) for each in best}
    rows = {row.pop("number"): row for row in asked.rows(PEOPLE, numbers=list(ranks))}
    shown = [_ranked(rows[number], rank) for number, rank in ranks.items() if number in rows]
    return Answer(shown, _told(len(who)))


def communities(asked: Asking) -> Answer:
    """Return groups, the largest first: how many people, and the events that most of them went to."""
    import numpy as np

    who, whom, weight = (np.asarray(each) for each in asked.lists())
    if not len(who):
        return Answer([])
    nodes, who, whom = dense(who, whom)
    labels = propagate(who, whom, weight, len(nodes))
    groups, sizes = np.unique(labels, return_counts=True)
    order = np.lexsort((groups, -sizes))
    chosen = [at for at in order if sizes[at] >= int(str(asked.bound["least"]))][: int(str(asked.bound["limit"]))]
    rows = [
        {
            "group": number,
            "people": int(sizes[at]),
            "asked": min(int(sizes[at]), PLACES),
            "sampled": bool(sizes[at] > PLACES),
        }
        for number, at in enumerate(chosen, start=1)
    ]
    pairs = [
        [row["group"], int(nodes[m])] for row, at in zip(rows, chosen, strict=True) for m in _some(labels, groups[at])
    ]
    going = {row["group"]: row["events"] for row in asked.rows(GOING, pairs=pairs)}
    sampled = (asked.query.sampled,) if any(row["sampled"] for row in rows) else ()
    return Answer([{**row, "events": going.get(row["group"], [])} for row in rows], (*sampled, *_told(len(who))))


def dense(who: "NDArray[Any]", whom: "NDArray[Any]") -> "tuple[NDArray[Any], NDArray[Any], NDArray[Any]]":
    """Return the nodes that occur, ascending, and both ends as places in them."""
    import numpy as np

    seen = np.zeros(int(max(who.max(), whom.max())) + 1, dtype=bool)
    seen[who] = seen[whom] = True
    place = np.cumsum(seen) - 1
    return np.flatnonzero(seen), place[who], place[whom]


def pagerank(start: "NDArray[Any]", end: "NDArray[Any]", weight: "NDArray[Any]", count: int) -> "NDArray[Any]":
    """Return the rank of `count` nodes, 1 in all; rank enters, also from dead ends, by the weight that leaves."""
    import numpy as np

    leaving = np.bincount(start, weight, count)
    total = leaving.sum()
    enters = leaving / total if total > 0 else np.full(count, 1 / count)
    share = weight / np.where(leaving > 0, leaving, 1.0)[start]
    dead = leaving <= 0
    rank = enters
    for _ in range(ROUNDS):
        flowed = np.bincount(end, rank[start] * share, count)
        following = DAMPING * (flowed + rank[dead].sum() * enters) + (1 - DAMPING) * enters
        moved = float(np.abs(following - rank).sum())
        rank = following
        if moved < CLOSE:
            break
    return rank


def propagate(start: "NDArray[Any]", end: "NDArray[Any]", weight: "NDArray[Any]", count: int) -> "NDArray[Any]":
    """Return each node's group: a node takes on the label with the most weight around it, the least of equals.

    Each node's own label counts as its heaviest edge does: all move at once, and two could change places for ever.
    """
    import numpy as np
    import polars as pl

    heaviest = np.zeros(count)
    np.maximum.at(heaviest, start, weight)
    np.maximum.at(heaviest, end, weight)
    itself = np.arange(count)
    far = np.concatenate([end, start, itself])
    edges = pl.DataFrame(
        {"node": np.concatenate([start, end, itself]), "pull": np.concatenate([weight, weight, heaviest])}
    )
    strongest = pl.col("pull") == pl.col("pull").max().over("node")
    labels = itself
    for _ in range(LABEL_ROUNDS):
        pulls = edges.with_columns(label=labels[far]).group_by("node", "label").agg(pl.col("pull").sum().round(9))
        following = pulls.filter(strongest).group_by("node").agg(pl.col("label").min()).sort("node")["label"].to_numpy()
        if np.array_equal(following, labels):
            break
        labels = following
    return labels


def _some(labels: "NDArray[Any]", group: int) -> "NDArray[Any]":
    import numpy as np

    members = np.flatnonzero(labels == group)
    return members[:: 1 + (len(members) - 1) // PLACES]


def _ranked(row: dict[str, Any], rank: float) -> dict[str, Any]:
    return {
        "person": row["person"],
        "rank": rank,
        "shared": row["shared"],
        "referred": row["referred"],
        "id": row["id"],
    }


def _told(edges: int) -> tuple[str, ...]:
    return (CUT,) if edges >= EDGES else ()
