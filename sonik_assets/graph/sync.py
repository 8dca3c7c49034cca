"""Brings a graph up to date: change by change from the feed, or made anew where that is not possible.

The order is what makes a crash harmless: write, remember the position in FalkorDB, wait for its disk, acknowledge in
PostgreSQL, let the slot go on. Whatever is interrupted is done again, and doing it again changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from resources.stores.postgres import connect
from sonik_assets.changes import acks, feed, slot
from sonik_assets.changes.writer import only_writer
from sonik_assets.graph import bulk, cypher, schema
from sonik_assets.graph.apply import Applied, Place, Touched, apply
from sonik_assets.graph.mend import mend
from sonik_assets.graph.positions import made_by_this_schema, position, remember, server_run, sign

if TYPE_CHECKING:
    from falkordb import FalkorDB
    from psycopg import Connection

    from sonik_assets.changes.folding import Batch
    from sonik_assets.changes.lsn import Lsn

BATCH = 50_000
"""Keys that are applied and remembered at once: one wait for the disk each."""


@dataclass
class Synced:
    """What was done: why the graph was made anew (nothing: it was not), how many rows then, what came by changes."""

    graph: str
    rebuilt: str = ""
    loaded: int = 0
    changed: int = 0
    batches: int = 0
    applied: Applied = field(default_factory=Applied)

    @property
    def written(self) -> int:
        """Return how many nodes and edges were written or deleted."""
        return self.loaded + self.applied.written


def store_of(name: str) -> str:
    """Return the name of a graph among the stores that follow the feed."""
    return f"graph/{name}"


def graph_of(store: str) -> str:
    """Return the graph that is followed under the name of a store."""
    return store.removeprefix("graph/")


STORES = tuple(store_of(name) for name in schema.GRAPHS)


def sync(postgres_url: str, client: "FalkorDB", name: str, *, batch: int = BATCH) -> Synced:
    """Bring graph `name` up to where the log is now; TransientError while another process does so."""
    done = Synced(name)
    with connect(postgres_url) as pg:
        pg.autocommit = True
        with only_writer(pg, store_of(name)):
            _bring_up(pg, postgres_url, client, done, batch)
    return done


def _bring_up(pg: "Connection[Any]", postgres_url: str, client: "FalkorDB", done: Synced, batch: int) -> None:
    slot.make_ready(pg)
    if reason := why_anew(pg, client, done.graph):
        _make_anew(pg, postgres_url, client, done, reason)
    while not _follow(pg, client, done, batch):
        _make_anew(pg, postgres_url, client, done, "a table was emptied, made anew or newly published")
    slot.advance(pg, STORES)


def why_anew(pg: "Connection[Any]", client: "FalkorDB", name: str) -> str:
    """Return why changes alone cannot bring the graph up to date; nothing where they can."""
    place, told, state = acks.acknowledged(pg, store_of(name)), position(client, name), slot.state(pg)
    if name not in client.list_graphs():
        return "there is no graph yet"
    if place is None or told is None:
        return "nobody knows how far it is"
    if not made_by_this_schema(client, name):
        return "it was made by another schema"
    if told < place.applied:
        return f"FalkorDB lost what it had: it is at {told}, and was at {place.applied}"
    if told > slot.position(pg):
        return f"it is at {told}, ahead of PostgreSQL's log: that is another server, or one restored"
    if state.confirmed is None or place.lsn < state.confirmed:
        return f"the log from {place.lsn} on is gone"
    return ""


def _follow(pg: "Connection[Any]", client: "FalkorDB", done: Synced, size: int) -> bool:
    """Apply what the feed has; False where the graph must be made anew instead."""
    store = store_of(done.graph)
    place = acks.acknowledged(pg, store)
    if place is None:
        return False
    run = server_run(client)
    written = False  # since the last position: a large transaction comes in several batches, its end with the last
    for batch in feed.read(pg, place.lsn, schema.tables_of(done.graph), size):
        if batch.rebuild:
            return False
        if batch.keys:
            feed.settled(pg, batch.xids)
            done.applied.add(apply(pg, client, done.graph, touched(done.graph, batch)))
            done.changed += sum(map(len, batch.keys.values()))
            done.batches += 1
            written = True
        if batch.end is not None:
            if written:
                remember(client, done.graph, batch.end, run)
            acks.acknowledge(pg, store, batch.end, applied=written)
            written = False
    return True


def touched(name: str, batch: "Batch") -> Touched:
    """Return the nodes and edges of graph `name` that a batch of changed keys is about."""
    nodes = {
        label.name: [id for table in label.tables or (label.relation,) for id in batch.keys.get(table, ())]
        for label in schema.labels_of(name)
    }
    types = {edge.name for edge in schema.edge_types_of(name)}
    edges = {id: _place(old) for id, old in batch.keys.get(schema.EDGES, {}).items()}
    return Touched(nodes, {id: place for id, place in edges.items() if place is None or place.type in types})


def _place(old: Mapping[str, str | None] | None) -> Place | None:
    if old is None or "type" not in old:
        return None
    return Place(*(old[column] or "" for column in Place._fields))


def _make_anew(pg: "Connection[Any]", postgres_url: str, client: "FalkorDB", done: Synced, reason: str) -> None:
    done.rebuilt = reason
    begin = feed.settled_position(pg)
    run = server_run(client)
    if done.graph == schema.AGENT_MEMORY or _holds_others(client, done.graph):
        # What agents wrote stands only there, and they write at any time: the graph is mended where it is.
        done.applied.add(mend(pg, client, done.graph)[1])
        remember(client, done.graph, begin, run)
    else:
        done.loaded = bulk.rebuild(postgres_url, client, done.graph, str(begin)).rows
    sign(client, done.graph)
    _start_over(pg, store_of(done.graph), begin)


def _start_over(pg: "Connection[Any]", store: str, begin: "Lsn") -> None:
    with pg.transaction():
        acks.forget(pg, store)
        acks.acknowledge(pg, store, begin, applied=True)


def _holds_others(client: "FalkorDB", name: str) -> bool:
    if name not in client.list_graphs():
        return False
    graph = client.select_graph(name)
    patterns = ("MATCH (x)", "MATCH ()-[x]->()")
    return any(cypher.read(graph, f"{each} WHERE x.row_hash IS NULL RETURN 1 LIMIT 1") for each in patterns)
