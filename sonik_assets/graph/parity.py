"""Compares a graph with `unified.*`, part by part. Reads only; what differs is mended by `mend.py`.

Both sides add up their row hashes in 256 buckets by the last two letters of the id; only buckets that differ are read
row by row. Whether properties still are what their hash says is looked at in one bucket (`falsified`).

Ours is what has a text `id` and a whole `row_hash`, and of edges what joins labels that its type may join by their text
ids; the rest was written by others and is not looked at.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sonik_assets.graph import cypher, schema
from sonik_assets.graph.apply import Place
from sonik_assets.graph.desired import edges_sql, nodes_sql

if TYPE_CHECKING:
    from falkordb import Graph
    from psycopg import Connection

BUCKETS = [f"{n:02x}" for n in range(256)]
_MODULUS = 4294967296
"""Sums of a bucket stay exact in the doubles that the server adds with."""


def bucket_of(at: datetime) -> str:
    """Return the bucket whose properties are looked at in the hour of a time."""
    return BUCKETS[int(at.timestamp() // 3600) % len(BUCKETS)]


@dataclass(frozen=True)
class Parity:
    """One label or edge type: how many each side has, and what differs, by id; places of what is no node."""

    part: schema.Part
    expected: int
    found: int
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    different: tuple[str, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Return whether both sides are the same."""
        return not (self.missing or self.surplus or self.different)

    @property
    def sql(self) -> str:
        """Return the statement that selects what should be there."""
        return desired_sql(self.part)


def parities(pg: "Connection[Any]", graph: "Graph", name: str) -> Iterator[Parity]:
    """Compare every label and edge type of graph `name`."""
    yield from (parity(pg, graph, part) for part in schema.parts_of(name))


def parity(pg: "Connection[Any]", graph: "Graph", part: schema.Part) -> Parity:
    """Compare one label or edge type."""
    wanted = {bucket: (rows, int(total)) for bucket, rows, total in pg.execute(_wanted_sums(part)).fetchall()}
    held = _held_sums(graph, part)
    expected, found = (sum(rows for rows, _ in side.values()) for side in (wanted, held))
    buckets = [bucket for bucket in wanted.keys() | held.keys() if wanted.get(bucket) != held.get(bucket)]
    if not buckets:
        return Parity(part, expected, found)
    return Parity(part, expected, found, *_differences(pg, graph, part, buckets))


def falsified(pg: "Connection[Any]", graph: "Graph", part: schema.Part, bucket: str, most: int = 2_000) -> list[str]:
    """Return the ids in a bucket whose properties are not those of PostgreSQL although their hashes are equal."""
    cursor = pg.execute(f"select * from ({desired_sql(part)}) as d where right(id, 2) = %s limit {most:d}", [bucket])
    names = [column.name for column in cursor.description or ()]
    wanted = {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}
    queries = [f"{ours} AND right(x.id, 2) = $bucket RETURN x.id, x" for ours, _ in _ours(part)]
    held = (row for query in queries for row in cypher.read(graph, query, bucket=bucket))
    found = {id: thing.properties for id, thing in held if id in wanted}
    return sorted(id for id, properties in found.items() if _differs(wanted[id], properties))


def desired_sql(part: schema.Part) -> str:
    """Select all that a label or an edge type should hold."""
    if isinstance(part, schema.Label):
        return nodes_sql(part)
    return " union all ".join(edges_sql(part, ends, whole=True) for ends in part.ends)


def _differs(wanted: Mapping[str, Any], held: Mapping[str, Any]) -> bool:
    if wanted["row_hash"] != held.get("row_hash"):
        return False  # told by the hashes
    ends = ("from_id", "to_id", "location")
    ours = {name: value for name, value in wanted.items() if value is not None and name not in ends}
    theirs = {name: value for name, value in held.items() if name not in ends}
    return ours.keys() != theirs.keys() or any(not _equal(value, theirs[name]) for name, value in ours.items())


def _equal(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-13)  # the server tells 15 digits
    return one == other


def _wanted_sums(part: schema.Part) -> str:
    return f"select right(id, 2), count(*), sum(mod(row_hash, {_MODULUS})) from ({desired_sql(part)}) as d group by 1"


def _held_sums(graph: "Graph", part: schema.Part) -> dict[str, tuple[int, int]]:
    """Return how many rows each bucket has and the sum of their hashes."""
    held: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for ours, _ in _ours(part):
        sums = f"{ours} RETURN right(x.id, 2), count(*), sum(x.row_hash % {_MODULUS})"
        for bucket, rows, total in cypher.read(graph, sums):
            held[bucket] = (held[bucket][0] + rows, held[bucket][1] + int(total))
    return held


def _ours(part: schema.Part) -> list[tuple[str, str]]:
    """Return the patterns of what is ours, each with what it returns of the ends.

    An agent may give its own nodes any `id` and `row_hash`. The types come first: what follows fails on other ones.
    """
    ours = "WHERE typeOf(x.id) = 'String' AND typeOf(x.row_hash) = 'Integer'"
    if isinstance(part, schema.Label):
        return [(f"MATCH (x:{part.name}) {ours}", "")]
    ours += " AND typeOf(a.id) = 'String' AND typeOf(b.id) = 'String'"
    return [
        (f"MATCH (a:{start})-[x:{part.name}]->(b:{end}) {ours}", f", '{start}' AS start, a.id, '{end}' AS end, b.id")
        for start, end in part.ends
    ]


def _differences(
    pg: "Connection[Any]", graph: "Graph", part: schema.Part, buckets: list[str]
) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...], dict[str, Place]]:
    query = f"select id, row_hash from ({desired_sql(part)}) as d where right(id, 2) = any(%s)"
    wanted = dict(pg.execute(query, [buckets]).fetchall())
    held, places, twice = _held(graph, part, buckets)
    missing, surplus = wanted.keys() - held.keys(), held.keys() - wanted.keys()
    different = {id for id in wanted.keys() & held.keys() if wanted[id] != held[id]} | (twice - surplus)
    return (*(tuple(sorted(ids)) for ids in (missing, surplus, different)), places)  # type: ignore[return-value]


def _held(graph: "Graph", part: schema.Part, buckets: list[str]) -> tuple[dict[str, int], dict[str, Place], set[str]]:
    """Return row hashes by id, for edges where they lie, and the ids that are there more than once."""
    some = "AND right(x.id, 2) IN $buckets RETURN x.id, x.row_hash"
    rows = (row for ours, ends in _ours(part) for row in cypher.read(graph, f"{ours} {some}{ends}", buckets=buckets))
    held: dict[str, int] = {}
    places: dict[str, Place] = {}
    twice: set[str] = set()
    for id, row_hash, *place in rows:
        if id in held:
            twice.add(id)
        held[id] = row_hash
        if place:
            places[id] = Place(part.name, *place)
    return held, places, twice
