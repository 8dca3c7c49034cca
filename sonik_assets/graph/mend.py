"""Makes a graph equal to `unified.*` by writing what differs, whatever the reason, and tells what that was.

The repair of last resort, and the way to fill a graph that also holds what others wrote. Day by day the change feed
does it (`sync.py`).
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from resources.errors import TransientError
from sonik_assets.graph import schema
from sonik_assets.graph.apply import Applied, Touched, apply, delete_edges
from sonik_assets.graph.parity import Parity, parities
from sonik_assets.graph.prepare import prepare

if TYPE_CHECKING:
    from falkordb import FalkorDB
    from psycopg import Connection


def mend(pg: "Connection[Any]", client: "FalkorDB", name: str) -> tuple[list[Parity], Applied]:
    """Compare and write; return what differed, by label and type, and what was written."""
    with only_writer(pg, name):
        graph = prepare(client, name)
        with pg.transaction():
            pg.execute("set transaction isolation level repeatable read, read only")
            broken = [each for each in parities(pg, graph, name) if not each.holds]
        done = Applied()
        for each in broken:
            # Also where it differs: one that is there twice is gone twice, and written once more.
            wrong = (id for id in (*each.surplus, *each.different) if id in each.places)
            delete_edges(graph, {id: each.places[id] for id in wrong}, done)
        done.add(apply(pg, client, name, _touched(broken)))
    return broken, done


@contextmanager
def only_writer(pg: "Connection[Any]", name: str) -> Iterator[None]:
    """Let one session write a graph at a time: of two that read and write by turns, the later would write the older.

    TransientError where another does. The session may enter more than once.
    """
    lock = f"sonik.graph.{name}"
    (mine,) = pg.execute("select pg_try_advisory_lock(hashtext(%s))", [lock]).fetchone() or (False,)
    if not mine:
        raise TransientError(f"graph {name} is being written by another process; run again when it has ended")
    try:
        yield
    finally:
        if not pg.closed:
            pg.execute("select pg_advisory_unlock(hashtext(%s))", [lock])


def _touched(broken: Sequence[Parity]) -> Touched:
    nodes = {
        each.part.name: (*each.missing, *each.surplus, *each.different)
        for each in broken
        if isinstance(each.part, schema.Label)
    }
    edges = [each for each in broken if isinstance(each.part, schema.EdgeType)]
    return Touched(nodes, dict.fromkeys(id for each in edges for id in (*each.missing, *each.different)))
