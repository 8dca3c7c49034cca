"""Compares a graph with `unified.*`, part by part. Reads only; what differs is mended by `mend.py`.

Both sides add up their row hashes in 256 buckets by the last two letters of the id; only buckets that differ are read
row by row. Whether properties still are what their hash says is looked at in one bucket (`falsified`).
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
    held = {bucket: (rows, int(total)) for bucket, rows, total in cypher.read(graph, _held_sums(part))}
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
    held = cypher.read(graph, f"{_pattern(part)} AND right(x.id, 2) = $bucket RETURN x.id, x", bucket=bucket)
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


def _held_sums(part: schema.Part) -> str:
    return f"{_pattern(part)} RETURN right(x.id, 2), count(*), sum(x.row_hash % {_MODULUS})"


def _pattern(part: schema.Part) -> str:
    # what others wrote into the graph has no row_hash
    pattern = f"(x:{part.name})" if isinstance(part, schema.Label) else f"(a)-[x:{part.name}]->(b)"
    return f"MATCH {pattern} WHERE x.row_hash IS NOT NULL"


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
    ends = "" if isinstance(part, schema.Label) else ", labels(a)[0], a.id, labels(b)[0], b.id"
    query = f"{_pattern(part)} AND right(x.id, 2) IN $buckets RETURN x.id, x.row_hash{ends}"
    held: dict[str, int] = {}
    places: dict[str, Place] = {}
    twice: set[str] = set()
    for id, row_hash, *place in cypher.read(graph, query, buckets=buckets):
        if id in held:
            twice.add(id)
        held[id] = row_hash
        if place:
            places[id] = Place(part.name, *place)
    return held, places, twice
