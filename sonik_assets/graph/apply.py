"""Writes the present state of some nodes and edges into a graph: what is there is upserted, what is gone is deleted.

By state, not by change: PostgreSQL is asked what is there now, so that nothing depends on the order of changes, and
what is applied twice does no harm. Which ids to look at is told by the change feed (`sync.py`) or by a comparison
(`mend.py`).

An edge whose end is not in the graph waits in `ops.waiting_edges` until the end arrives: here, too, the graph is the
judge, since PostgreSQL may already be ahead of it.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import batched
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import uuid4

from resources.prefetch import ahead
from resources.stores.postgres import beside
from sonik_assets.graph import cypher, schema
from sonik_assets.graph.literals import edge_literals_sql, edge_upsert, node_literals_sql, node_upsert
from sonik_assets.graph.positions import wait_for_disk

if TYPE_CHECKING:
    from falkordb import FalkorDB, Graph
    from psycopg import Connection

_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CHUNK = 5_000
"""Rows a query: larger ones block other readers, and very large deletes are known to crash the server."""
EDGES = 50_000
"""Edges of deleted nodes that one query deletes."""


class Place(NamedTuple):
    """Where an edge lies: its type and both ends."""

    type: str
    from_label: str
    from_id: str
    to_label: str
    to_id: str


@dataclass(frozen=True)
class Touched:
    """What to look at: ids of nodes by label, and of edges with the place where the graph may still have them."""

    nodes: Mapping[str, Collection[str]] = field(default_factory=dict)
    edges: Mapping[str, Place | None] = field(default_factory=dict)


@dataclass
class Applied:
    """What was written, by label and type; `waiting`: edges of each type that miss an end."""

    upserted: Counter[str] = field(default_factory=Counter)
    deleted: Counter[str] = field(default_factory=Counter)
    waiting: Counter[str] = field(default_factory=Counter)

    @property
    def written(self) -> int:
        """Return how many nodes and edges were written or deleted."""
        return self.upserted.total() + self.deleted.total()

    def add(self, other: "Applied") -> None:
        """Count another batch in."""
        self.upserted += other.upserted
        self.deleted += other.deleted
        self.waiting += other.waiting


def apply(pg: "Connection[Any]", client: "FalkorDB", name: str, touched: Touched, *, chunk: int = CHUNK) -> Applied:
    """Make the touched nodes and edges of graph `name` as they are in PostgreSQL now; `pg` is in no transaction."""
    graph, done = client.select_graph(name), Applied()
    with pg.transaction():
        pg.execute("set transaction isolation level repeatable read, read only")
        # Edges are read while nodes are written.
        with ahead(_edges_there(pg, name, list(touched.edges), chunk)) as there:
            arrived: list[str] = []
            for label in (each for each in schema.labels_of(name) if touched.nodes.get(each.name)):
                ids = set(touched.nodes[label.name])
                present = _upsert_nodes(pg, graph, label, uuids(ids), done, chunk)
                # Before any edge is written: an entity that changed its label has its edges at the new node only.
                _delete_nodes(pg, graph, label, ids.difference(present), done, chunk)
                arrived += present
            waiting = _settle_edges(pg, graph, touched.edges, there, done, chunk)
        if awaited := dict.fromkeys(id for id in _awaited(pg, name, arrived) if id not in touched.edges):
            with ahead(_edges_there(pg, name, list(awaited), chunk)) as there:
                waiting += _settle_edges(pg, graph, awaited, there, done, chunk)
    _note(pg, client, name, [*touched.edges, *awaited], waiting)
    return done


def _note(
    pg: "Connection[Any]", client: "FalkorDB", name: str, edges: list[str], waiting: list[tuple[str, str, str]]
) -> None:
    """Write down which edges wait, and forget those that do no longer: not before the graph has them on disk."""
    columns = [list(column) for column in zip(*waiting, strict=True)] or [[], [], []]
    pg.execute(_WAIT, {"graph": name, "ids": columns[0], "starts": columns[1], "ends": columns[2]})
    settled = {"graph": name, "ids": array(set(edges).difference(columns[0]))}
    if pg.execute(f"select 1 from ops.waiting_edges where {_SETTLED} limit 1", settled).fetchone():
        wait_for_disk(client, name)
        pg.execute(f"delete from ops.waiting_edges where {_SETTLED}", settled)


def _upsert_nodes(
    pg: "Connection[Any]", graph: "Graph", label: schema.Label, ids: list[str], done: Applied, chunk: int
) -> list[str]:
    """Write the nodes that are there; return their ids."""
    statement, present = node_upsert(label), []
    with ahead(_rows(pg, node_literals_sql(label), ids, chunk)) as chunks:
        for rows in chunks:
            cypher.write(graph, statement, rows=_list(row[1] for row in rows))
            present += [row[0] for row in rows]
    done.upserted[label.name] += len(present)
    return present


def _delete_nodes(
    pg: "Connection[Any]", graph: "Graph", label: schema.Label, ids: Collection[str], done: Applied, chunk: int
) -> None:
    """Delete the nodes of ours, and with them their edges: what is still told of those waits from before that."""
    ours = f"UNWIND $ids AS id MATCH (n:{label.name} {{id: id}}) WHERE n.row_hash IS NOT NULL"
    for some in batched(ids, chunk):
        ((held,),) = cypher.read(graph, f"{ours} RETURN collect(id)", ids=list(some))
        if not held:
            continue
        with beside(pg) as aside:
            aside.execute(_LET_WAIT, {"graph": graph.name, "types": _types(graph.name), "ids": array(uuids(held))})
        ids_held = cypher.literal(held)
        # With the node go its edges, and a hub has more of them than one query should delete.
        edges = f"{ours} MATCH (n)-[e]-() WITH e LIMIT {EDGES} DELETE e RETURN count(e)"
        while cypher.write(graph, edges, ids=ids_held)[0][0] == EDGES:
            pass
        cypher.write(graph, f"{ours} DELETE n", ids=ids_held)
        done.deleted[label.name] += len(held)


def _settle_edges(
    pg: "Connection[Any]",
    graph: "Graph",
    wanted: Mapping[str, Place | None],
    there: Iterator["_Between | _Rows"],
    done: Applied,
    chunk: int,
) -> list[tuple[str, str, str]]:
    """Write the edges that are there, delete those that are not, that no graph can hold, or that are elsewhere now.

    Return id and ends of those that miss an end in the graph.
    """
    waiting: list[tuple[str, str, str]] = []
    unwritten: set[str] = set()
    for found in there:
        if isinstance(found, _Rows):
            waiting += _upsert_edges(graph, found, done)
            unwritten.difference_update(row[0] for row in found.rows)
            continue
        here = {id: between for between, ids in found.ids.items() for id in ids}
        moved = {id: at for id, at in wanted.items() if at and here.get(id) != (at.type, at.from_label, at.to_label)}
        delete_edges(graph, moved, done, chunk)
        unwritten.update(here)
    if unwritten:
        rows = pg.execute(_PLACES, {"ids": array(unwritten)}).fetchall()
        delete_edges(graph, {id: Place(*place) for id, *place in rows}, done, chunk)
    return waiting


def _upsert_edges(graph: "Graph", found: "_Rows", done: Applied) -> list[tuple[str, str, str]]:
    """Write edges; return id and ends of those that miss an end in the graph."""
    rows, type, waiting = found.rows, found.type, list[tuple[str, str, str]]()
    ((written,),) = cypher.write(graph, edge_upsert(type, found.ends), rows=_list(row[1] for row in rows))
    if written < len(rows):
        held = _connected(graph, found.ends, rows)
        waiting = [(id, start, end) for id, _, start, end in rows if id not in held]
    done.upserted[type] += written
    done.waiting[type] += len(waiting)
    return waiting


def _connected(graph: "Graph", ends: tuple[str, str], rows: list[Any]) -> set[str]:
    """Return the ids of the rows whose both ends are in the graph."""
    query = f"UNWIND $rows AS r MATCH (a:{ends[0]} {{id: r[1]}}) MATCH (b:{ends[1]} {{id: r[2]}}) RETURN collect(r[0])"
    ((held,),) = cypher.read(graph, query, rows=[(id, start, end) for id, _, start, end in rows])
    return set(held)


def uuids(ids: Iterable[str]) -> list[str]:
    """Return the ids that PostgreSQL can have: anything may stand in a graph."""
    return [id for id in ids if _UUID.fullmatch(id)]


def array(ids: Iterable[str]) -> str:
    """Return uuids as the text of an array: psycopg takes twenty times as long, one by one."""
    return "{" + ",".join(ids) + "}"


def delete_edges(graph: "Graph", places: Mapping[str, Place], done: Applied, chunk: int = CHUNK) -> None:
    """Delete edges by id from where they lie, however often they are there."""
    between: defaultdict[tuple[str, str, str], list[dict[str, str]]] = defaultdict(list)
    for id, at in places.items():
        between[at.type, at.from_label, at.to_label].append({"id": id, "s": at.from_id, "e": at.to_id})
    for (type, start, end), rows in between.items():
        if (start, end) not in getattr(schema.EDGE.get(type), "ends", ()):
            continue  # never drawn
        query = (
            f"UNWIND $rows AS r MATCH (a:{start} {{id: r.s}}) MATCH (b:{end} {{id: r.e}})"
            f" MATCH (a)-[e:{type} {{id: r.id}}]->(b) DELETE e RETURN count(e)"
        )
        for some in batched(rows, chunk):
            ((deleted,),) = cypher.write(graph, query, rows=cypher.literal(list(some)))
            done.deleted[type] += deleted


class _Between(NamedTuple):
    """Ids of the edges that are there and that the graph knows, by type and labels."""

    ids: dict[tuple[str, str, str], list[str]]


class _Rows(NamedTuple):
    """Edges of a type between two labels: id, literal, from_id and to_id."""

    type: str
    ends: tuple[str, str]
    rows: list[Any]


def _edges_there(pg: "Connection[Any]", name: str, ids: list[str], chunk: int) -> "Generator[_Between | _Rows]":
    """Yield where edges are, once, and then what they are."""
    if not ids:
        return
    known = {(edge.name, *ends) for edge in schema.edge_types_of(name) for ends in edge.ends}
    rows = pg.execute(_FOUND, {"ids": array(ids)}).fetchall()
    found = {(type, start, end): there for type, start, end, there in rows if (type, start, end) in known}
    yield _Between(found)
    for (type, start, end), there in found.items():
        for some in _rows(pg, edge_literals_sql(schema.EDGE[type], (start, end)), there, chunk):
            yield _Rows(type, (start, end), some)


def _awaited(pg: "Connection[Any]", name: str, arrived: list[str]) -> list[str]:
    return [str(row[0]) for row in pg.execute(_AWAITED, {"graph": name, "ids": array(arrived)}).fetchall()]


def _rows(pg: "Connection[Any]", sql: str, ids: list[str], chunk: int) -> Generator[list[Any]]:
    if not ids:
        return
    with pg.cursor(name=f"present_{uuid4().hex}") as cursor:
        cursor.execute(sql, {"ids": array(ids)})
        while rows := cursor.fetchmany(chunk):
            yield rows


def _list(literals: Iterable[str]) -> str:
    return "[" + ",".join(literals) + "]"


def _types(name: str) -> list[str]:
    return [edge.name for edge in schema.edge_types_of(name)]


_FOUND = """
select type, from_label, to_label, array_agg(id::text) from unified.relationships
where id = any(%(ids)s::uuid[]) group by type, from_label, to_label
"""
_AWAITED = """
select edge_id from ops.waiting_edges
where graph = %(graph)s and (from_id = any(%(ids)s::uuid[]) or to_id = any(%(ids)s::uuid[]))
"""
# Each type by itself, so that the indexes on (type, end) are of use.
_LET_WAIT = """
insert into ops.waiting_edges (graph, edge_id, from_id, to_id)
select %(graph)s, r.id, r.from_id, r.to_id from unnest(%(types)s::text[]) as t (type)
cross join unnest(%(ids)s::uuid[]) as gone (id)
inner join unified.relationships as r on r.type = t.type and r.from_id = gone.id
union
select %(graph)s, r.id, r.from_id, r.to_id from unnest(%(types)s::text[]) as t (type)
cross join unnest(%(ids)s::uuid[]) as gone (id)
inner join unified.relationships as r on r.type = t.type and r.to_id = gone.id
on conflict do nothing
"""
_SETTLED = "graph = %(graph)s and edge_id = any(%(ids)s::uuid[])"
_PLACES = """
select id::text, type, from_label, from_id::text, to_label, to_id::text from unified.relationships
where id = any(%(ids)s::uuid[])
"""
_WAIT = """
insert into ops.waiting_edges (graph, edge_id, from_id, to_id)
select %(graph)s, * from unnest(%(ids)s::uuid[], %(starts)s::uuid[], %(ends)s::uuid[]) on conflict do nothing
"""
