"""What a graph holds, and what it cannot hold. Reads only; whether that is right is decided in `parity.py`."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sonik_assets.graph import cypher, schema
from sonik_assets.graph.desired import refused_sql

if TYPE_CHECKING:
    from falkordb import Graph
    from psycopg import Connection

_UNDECLARED = """
select count(*) from unified.relationships
where type <> all(%(others)s) and concat_ws(' ', type, from_label, to_label) <> all(%(known)s)
"""


def counts(graph: "Graph") -> dict[str, dict[str, int]]:
    """Return how many nodes each label and how many edges each type has, whoever wrote them."""
    labels = cypher.read(graph, "MATCH (n) UNWIND labels(n) AS label RETURN label, count(*)")
    types = cypher.read(graph, "MATCH ()-[e]->() RETURN type(e), count(*)")
    return {"labels": dict(sorted(map(tuple, labels))), "types": dict(sorted(map(tuple, types)))}


def refused(pg: "Connection[Any]", name: str) -> Iterator[tuple[str, str, str, str]]:
    """Yield label or type, id, column and value of what graph `name` cannot hold."""
    for part in schema.parts_of(name):
        for row in pg.execute(refused_sql(part)).fetchall():
            yield (part.name, *row)


def undeclared(pg: "Connection[Any]", name: str) -> int:
    """Return how many relationships have a type or ends that no graph knows."""
    ours = [edge.name for edge in schema.edge_types_of(name)]
    others = [edge.name for edge in schema.EDGE_TYPES if edge.name not in ours]
    known = [f"{edge.name} {start} {end}" for edge in schema.EDGE_TYPES for start, end in edge.ends]
    row = pg.execute(_UNDECLARED, {"others": others, "known": known}).fetchone()
    return int(row[0]) if row else 0
