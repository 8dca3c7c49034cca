"""Makes a graph equal to `unified.*` by writing what differs, whatever the reason, and tells what that was.

The repair of last resort, and the way to fill a graph that also holds what others wrote. Day by day the change feed
does it (`sync.py`).
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sonik_assets.changes.writer import only_writer
from sonik_assets.graph import schema
from sonik_assets.graph.apply import Applied, Touched, apply, delete_edges
from sonik_assets.graph.parity import Parity, bucket_of, falsified, parities
from sonik_assets.graph.prepare import prepare

if TYPE_CHECKING:
    from falkordb import FalkorDB, Graph
    from psycopg import Connection


def mend(pg: "Connection[Any]", client: "FalkorDB", name: str) -> tuple[list[Parity], Applied]:
    """Compare and write; return what differed, by label and type, and what was written."""
    with only_writer(pg, f"graph/{name}"):
        graph = prepare(client, name)
        with pg.transaction():
            pg.execute("set transaction isolation level repeatable read, read only")
            broken = [each for each in parities(pg, graph, name) if not each.holds]
            broken += _forged(pg, graph, name)
        done = Applied()
        for each in broken:
            # Also where it differs: one that is there twice is gone twice, and written once more.
            wrong = (id for id in (*each.surplus, *each.different) if id in each.places)
            delete_edges(graph, {id: each.places[id] for id in wrong}, done)
        done.add(apply(pg, client, name, _touched(broken)))
    return broken, done


def _forged(pg: "Connection[Any]", graph: "Graph", name: str) -> list[Parity]:
    """Return what is not as its hash says, where the check looks in this hour and looked in the last."""
    now = datetime.now(UTC)
    buckets = (bucket_of(now), bucket_of(now - timedelta(hours=1)))
    found = {
        part: [id for each in buckets for id in falsified(pg, graph, part, each)] for part in schema.parts_of(name)
    }
    return [Parity(part, 0, 0, different=tuple(ids)) for part, ids in found.items() if ids]


def _touched(broken: Sequence[Parity]) -> Touched:
    nodes: dict[str, tuple[str, ...]] = {}
    for each in broken:
        if isinstance(each.part, schema.Label):
            ids = (*each.missing, *each.surplus, *each.different)
            nodes[each.part.name] = (*nodes.get(each.part.name, ()), *ids)
    edges = [each for each in broken if isinstance(each.part, schema.EdgeType)]
    return Touched(nodes, dict.fromkeys(id for each in edges for id in (*each.missing, *each.different)))
