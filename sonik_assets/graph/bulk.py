"""Loads a whole graph anew: into a shadow, checked, and then swapped in together with its position.

Readers see the old graph until the swap and the new one after it; what fails before leaves the old one as it is.
What the rows are is in `desired.py`, how they are read in `bulk_read.py`, their bytes in `bulk_format.py`. When a
graph is loaded anew, and what is replayed afterwards, is decided elsewhere.
"""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid4

from resources.errors import TerminalError, TransientError
from resources.prefetch import ahead
from resources.stores.postgres import connect
from sonik_assets.graph import cypher, schema
from sonik_assets.graph.bulk_read import EdgeRows, NodeRows, snapshot_rows
from sonik_assets.graph.positions import GENERATIONS, POSITIONS, wait_for_disk
from sonik_assets.graph.prepare import prepare

if TYPE_CHECKING:
    import pyarrow as pa
    from falkordb import FalkorDB, Graph
    from psycopg import Connection

    from sonik_assets.graph.node_numbers import NodeNumbers, Numbers


_POINT = """
MATCH (n:{}) WHERE n.latitude IS NOT NULL AND n.longitude IS NOT NULL
SET n.location = point({{latitude: n.latitude, longitude: n.longitude}})
"""
_MISSING_ENDS = "create temporary table missing_ends (edge_id uuid, from_id uuid, to_id uuid)"
_WAIT = """
insert into ops.waiting_edges (graph, edge_id, from_id, to_id)
select %(graph)s, edge_id, from_id, to_id from missing_ends on conflict do nothing
"""
_WAIT_NO_MORE = """
delete from ops.waiting_edges as w
where w.graph = %(graph)s and not exists (select from missing_ends as m where m.edge_id = w.edge_id)
"""


@dataclass
class Loaded:
    """Nodes by label, edges by type, edges that wait for an end, and seconds by step.

    Steps overlap: `wait` is for rows that PostgreSQL had not sent yet, `encode` and `send` are batch by batch, `index`
    is indexes, constraints and points, `swap` includes the disk.
    """

    graph: str
    labels: Counter[str] = field(default_factory=Counter)
    types: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))

    @property
    def rows(self) -> int:
        """Return how many nodes and edges were loaded."""
        return self.labels.total() + self.types.total()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Add the time of the block to a step."""
        started = time.perf_counter()
        yield
        self.seconds[name] += time.perf_counter() - started


def rebuild(postgres_url: str, client: "FalkorDB", graph: str, position: str) -> Loaded:
    """Load a graph anew from one snapshot and swap it in; `position` is an LSN that the snapshot is not behind.

    Raises TransientError when a server fails, TerminalError for a value that a graph cannot hold, an id that is
    there twice, and counts that differ; the graph stays as it was.
    """
    shadow, done = f"{graph}:next", Loaded(graph)
    with connect(postgres_url) as pg:
        pg.autocommit = True
        pg.execute(_MISSING_ENDS)
        _command(client, graph, "DEL", shadow)
        try:
            _fill(_Sender(client, shadow, done), pg, postgres_url)
            with done.step("index"):
                _finish(client, shadow, done)
            # Before the swap: an edge that waits in vain does no harm, one that is forgotten does.
            done.waiting = pg.execute("select count(*) from missing_ends").fetchall()[0][0]
            pg.execute(_WAIT, {"graph": graph})
            with done.step("swap"):
                _swap(client, shadow, graph, position)
        except BaseException:
            _give_up(client, shadow)
            raise
        pg.execute(_WAIT_NO_MORE, {"graph": graph})
    return done


class _Sender:
    """One `GRAPH.BULK` load: remembers how many nodes there are, since the server numbers them in order."""

    def __init__(self, client: "FalkorDB", shadow: str, done: Loaded) -> None:
        self.client, self.shadow, self.done = client, shadow, done
        self._top, self._begun = 0, False

    def nodes(self, label: str, rows: "pa.Table") -> int:
        """Send nodes; return the number of the first."""
        from sonik_assets.graph.bulk_format import node_blob

        with self.done.step("encode"):
            blob = node_blob(self.done.graph, label, rows)
        self._send(rows.num_rows, 0, 1, 0, blob)
        first, self._top = self._top, self._top + rows.num_rows
        self.done.labels[label] += rows.num_rows
        return first

    def edges(self, type: str, starts: "Numbers", ends: "Numbers", rows: "pa.Table") -> None:
        """Send edges between nodes that are there: the server does not look."""
        from sonik_assets.graph.bulk_format import edge_blob

        with self.done.step("encode"):
            blob = edge_blob(self.done.graph, type, starts, ends, rows)
        self._send(0, rows.num_rows, 0, 1, blob)
        self.done.types[type] += rows.num_rows

    def _send(self, *arguments: int | bytes) -> None:
        begin = () if self._begun else ("BEGIN",)
        self._begun = True
        with self.done.step("send"):
            _command(self.client, self.done.graph, "GRAPH.BULK", self.shadow, *begin, *arguments)


def _fill(sender: _Sender, pg: "Connection[Any]", postgres_url: str) -> None:
    from sonik_assets.graph.node_numbers import NodeNumbers, keys_of

    keys: defaultdict[str, list[tuple[int, Numbers]]] = defaultdict(list)
    numbers: dict[str, NodeNumbers] = {}
    with ahead(snapshot_rows(postgres_url, sender.done.graph)) as batches:
        for batch in _timed(batches, sender.done):
            if isinstance(batch, NodeRows):
                first = sender.nodes(batch.label, batch.rows.drop_columns(["node_key"]))
                keys[batch.label].append((first, _keys(batch.rows, "node_key", keys_of)))
                continue
            for label in set(batch.ends) - numbers.keys():
                with sender.done.step("encode"):
                    numbers[label] = NodeNumbers(keys.pop(label, []))
            _send_edges(sender, pg, batch, numbers)


def _timed[T](batches: Iterable[T], done: Loaded) -> Iterator[T]:
    source, end = iter(batches), object()
    while True:
        with done.step("wait"):
            batch: T | object = next(source, end)
        if batch is end:
            return
        yield batch  # type: ignore[misc]


def _send_edges(sender: _Sender, pg: "Connection[Any]", batch: EdgeRows, numbers: "dict[str, NodeNumbers]") -> None:
    from sonik_assets.graph.node_numbers import MISSING, keys_of

    with sender.done.step("encode"):
        starts, ends = (
            numbers[label].find(_keys(batch.rows, key, keys_of))
            for label, key in zip(batch.ends, ("from_key", "to_key"), strict=True)
        )
        whole = (starts != MISSING) & (ends != MISSING)
        rows = batch.rows
        if not whole.all():
            _remember(pg, rows.filter(~whole))
            rows, starts, ends = rows.filter(whole), starts[whole], ends[whole]
        rows = rows.drop_columns(["from_key", "to_key"])
    if rows.num_rows:
        sender.edges(batch.type, starts, ends, rows)


def _keys(rows: "pa.Table", column: str, keys_of: Any) -> "Numbers":
    import pyarrow as pa

    (values,) = rows.column(column).cast(pa.binary(16)).chunks
    keys: Numbers = keys_of(values.buffers()[1])[values.offset : values.offset + len(values)]
    return keys


def _remember(pg: "Connection[Any]", rows: "pa.Table") -> None:
    ends = ([UUID(bytes=key) for key in rows.column(name).to_pylist()] for name in ("from_key", "to_key"))
    with pg.cursor().copy("copy missing_ends from stdin") as copy:
        for row in zip(rows.column("id").to_pylist(), *ends, strict=True):
            copy.write_row(row)


def _finish(client: "FalkorDB", shadow: str, done: Loaded) -> None:
    """Make indexes and constraints, which the bulk call ignores, and points, which it cannot carry; then count."""
    labels = schema.labels_of(done.graph)
    graph = prepare(client, shadow, [label.name for label in labels])
    for label in labels:
        if label.has_point:
            cypher.write(graph, _POINT.format(label.name))
    _compare(graph, {f"(e:{label.name})": done.labels[label.name] for label in labels})
    _compare(graph, {f"()-[e:{edge.name}]->()": done.types[edge.name] for edge in schema.edge_types_of(done.graph)})


def _compare(graph: "Graph", expected: dict[str, int]) -> None:
    for pattern, rows in expected.items():
        ((found,),) = cypher.read(graph, f"MATCH {pattern} RETURN count(e)")
        if found != rows:
            raise TerminalError(f"graph {graph.name}: {found} of {rows} rows of {pattern} are there: not swapped in")


def _swap(client: "FalkorDB", shadow: str, graph: str, position: str) -> None:
    from redis.exceptions import RedisError

    try:
        with client.connection.pipeline(transaction=True) as both:
            both.rename(shadow, graph)
            both.hset(POSITIONS, graph, position)
            both.hset(GENERATIONS, graph, uuid4().hex)
            both.execute()
    except RedisError as error:
        raise TransientError(f"graph {graph}: it was loaded, but not swapped in: {error}; run again") from error
    wait_for_disk(client, graph)


def _command(client: "FalkorDB", graph: str, *arguments: Any) -> Any:
    from redis.exceptions import RedisError, ResponseError

    try:
        return client.connection.execute_command(*arguments)
    except ResponseError as error:
        raise TerminalError(f"graph {graph}: FalkorDB refused {arguments[0]}: {error}") from error
    except RedisError as error:
        raise TransientError(f"graph {graph}: FalkorDB failed at {arguments[0]}: {error}; run again") from error


def _give_up(client: "FalkorDB", shadow: str) -> None:
    """Free the half of a graph, if the server still answers: the next load does it otherwise."""
    from contextlib import suppress

    from redis.exceptions import RedisError

    with suppress(RedisError):
        client.connection.execute_command("DEL", shadow)
