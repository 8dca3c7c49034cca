"""A graph is loaded anew beside the one that is asked, and takes its place at once, or not at all."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from falkordb import FalkorDB

from resources.errors import TerminalError, TransientError
from sonik_assets.graph import bulk, bulk_read, cypher
from sonik_assets.graph.bulk import POSITIONS, Loaded
from tests.support.unified import World

GRAPH = "operations"


def rebuild(world: World, client: FalkorDB, position: str = "0/1") -> Loaded:
    return bulk.rebuild(world.pg.info.dsn, client, GRAPH, position)


def ask(client: FalkorDB, query: str) -> list[list[Any]]:
    return cypher.read(client.select_graph(GRAPH), query)


def waiting(world: World) -> list[tuple[str, str, str, str]]:
    rows = world.pg.execute("select graph, edge_id, from_id, to_id from ops.waiting_edges order by edge_id")
    return [tuple(map(str, row)) for row in rows]  # type: ignore[misc]


def position(client: FalkorDB) -> str | None:
    return client.connection.hget(POSITIONS, GRAPH)  # type: ignore[no-any-return]


@pytest.fixture
def many(world: World) -> World:
    """Return a world of 300 people who attended one of three events."""
    world.pg.execute(
        "insert into unified.entities (id, entity_type, name)"
        " select md5('p' || i)::uuid, 'person', 'P' || i from generate_series(1, 300) as i"
    )
    world.pg.execute(
        "insert into unified.events (id, name) select md5('e' || i)::uuid, 'E' || i from generate_series(0, 2) as i"
    )
    world.pg.execute(
        "insert into unified.relationships (id, from_label, from_id, type, to_label, to_id)"
        " select md5('a' || i)::uuid, 'Person', md5('p' || i)::uuid, 'ATTENDED', 'Event', md5('e' || i % 3)::uuid"
        " from generate_series(1, 300) as i"
    )
    return world


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_read, "ROWS", 50)


def test_nodes_edges_and_points_are_there(world: World, falkordb: FalkorDB) -> None:
    venue = world.entity("Venue", "Ñandú 🎶", latitude=-34.5, longitude=-58.25, capacity=300)
    world.entity("Venue", "Nowhere")
    event = world.entity("Event", "Noche", genres=["techno", ""])
    edge = world.relate(("Event", event), "HOSTED_BY", ("Venue", venue), weight=0.25)
    done = rebuild(world, falkordb, "1/AB")
    assert (done.labels["Venue"], done.labels["Event"], done.types["HOSTED_BY"], done.rows) == (2, 1, 1, 4)
    ((a, e, b),) = ask(falkordb, "MATCH (a:Event)-[e:HOSTED_BY]->(b:Venue) RETURN a, e, b")
    assert (a.properties["id"], a.properties["genres"]) == (event, ["techno", ""])
    assert {"id": edge, "weight": 0.25, "confidence": 1.0}.items() <= e.properties.items()
    assert isinstance(e.properties["row_hash"], int)
    assert {"id": venue, "name": "Ñandú 🎶", "capacity": 300}.items() <= b.properties.items()
    assert b.properties["location"] == {"latitude": -34.5, "longitude": -58.25}
    assert ask(falkordb, "MATCH (n:Venue) WHERE n.location IS NULL RETURN n.name") == [["Nowhere"]]
    assert position(falkordb) == "1/AB"
    assert "operations:next" not in falkordb.list_graphs()


def test_ids_are_indexed_and_unique_afterwards(world: World, falkordb: FalkorDB) -> None:
    world.entity("Person", "Ana")
    rebuild(world, falkordb)
    assert "Node By Index Scan" in str(falkordb.select_graph(GRAPH).explain("MATCH (n:Person {id: 'x'}) RETURN n"))
    with pytest.raises(TerminalError, match="unique"):
        cypher.write(falkordb.select_graph(GRAPH), "MATCH (n:Person) CREATE (:Person {id: n.id})")


def test_many_batches_are_one_graph(many: World, falkordb: FalkorDB, small: None) -> None:
    done = rebuild(many, falkordb)
    assert (done.labels["Person"], done.types["ATTENDED"]) == (300, 300)
    pairs = ask(falkordb, "MATCH (p:Person)-[:ATTENDED]->(e:Event) RETURN p.id, e.id ORDER BY p.id")
    rows = many.pg.execute("select from_id::text, to_id::text from unified.relationships order by from_id::text")
    assert pairs == [list(row) for row in rows]


def test_an_empty_world_is_an_empty_graph(world: World, falkordb: FalkorDB) -> None:
    assert rebuild(world, falkordb).rows == 0
    assert ask(falkordb, "MATCH (n) RETURN count(n)") == [[0]]


def test_a_dangling_edge_waits(world: World, falkordb: FalkorDB) -> None:
    event, venue, nobody = world.entity("Event", "Noche"), world.entity("Venue", "Club"), str(uuid.uuid4())
    world.relate(("Event", event), "HOSTED_BY", ("Venue", venue))
    edge = world.relate(("Event", event), "HOSTED_BY", ("Venue", nobody))
    done = rebuild(world, falkordb)
    assert (done.waiting, done.types["HOSTED_BY"]) == (1, 1)
    assert waiting(world) == [(GRAPH, edge, event, nobody)]
    assert rebuild(world, falkordb).waiting == 1
    world.pg.execute("insert into unified.entities (id, entity_type, name) values (%s, 'venue', 'It')", [nobody])
    world.pg.execute(
        "insert into ops.waiting_edges (graph, edge_id, from_id, to_id) values ('knowledge', %s, %s, %s)", [edge] * 3
    )
    assert (rebuild(world, falkordb).waiting, waiting(world)) == (0, [("knowledge", edge, edge, edge)])
    assert ask(falkordb, "MATCH ()-[e:HOSTED_BY]->() RETURN count(e)") == [[2]]


def test_an_id_twice_is_refused_and_the_old_graph_stays(many: World, falkordb: FalkorDB) -> None:
    rebuild(many, falkordb, "0/1")
    many.pg.execute("alter table unified.entities drop constraint entities_pkey")
    many.pg.execute("insert into unified.entities (id, entity_type, name) values (md5('p1')::uuid, 'person', 'again')")
    with pytest.raises(TerminalError, match="two nodes share an id under Person"):
        rebuild(many, falkordb, "0/2")
    assert ask(falkordb, "MATCH (n:Person) RETURN count(n)") == [[300]]
    assert (position(falkordb), "operations:next" in falkordb.list_graphs()) == ("0/1", False)


def test_a_place_that_is_nowhere_is_left_out(world: World, falkordb: FalkorDB) -> None:
    half = world.entity("Venue", "Half", latitude=-9.0)
    world.entity("Venue", "Moon", latitude=-34.5, longitude=380.0)
    rebuild(world, falkordb)
    assert ask(falkordb, "MATCH (v:Venue) RETURN v.id, v.location") == [[half, None]]


@pytest.mark.parametrize("call", range(1, 16, 3))
def test_a_load_that_dies_leaves_the_old_graph(
    many: World, falkordb: FalkorDB, small: None, monkeypatch: pytest.MonkeyPatch, call: int
) -> None:
    rebuild(many, falkordb, "0/1")
    many.entity("Person", "New")
    calls, send = iter(range(1, 100)), bulk._command

    def dies(client: FalkorDB, graph: str, *arguments: Any) -> Any:
        if next(calls) == call:
            raise TransientError("gone")
        return send(client, graph, *arguments)

    with monkeypatch.context() as patched:
        patched.setattr(bulk, "_command", dies)
        patched.setattr(bulk, "_give_up", lambda *_: None)  # a process that is killed clears nothing away
        with pytest.raises(TransientError, match="gone"):
            rebuild(many, falkordb, "0/2")
    assert ask(falkordb, "MATCH (n:Person) RETURN count(n)") == [[300]]
    assert position(falkordb) == "0/1"
    assert rebuild(many, falkordb, "0/2").labels["Person"] == 301
    assert (position(falkordb), "operations:next" in falkordb.list_graphs()) == ("0/2", False)


def test_a_row_that_is_lost_on_the_way_is_noticed(
    many: World, falkordb: FalkorDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    count = bulk.Loaded.step

    def lossy(self: Loaded, name: str) -> Any:
        if name == "index":
            self.types["ATTENDED"] += 1
        return count(self, name)

    monkeypatch.setattr(bulk.Loaded, "step", lossy)
    with pytest.raises(TerminalError, match=r"300 of 301 rows of .*ATTENDED.* not swapped in"):
        rebuild(many, falkordb)
    assert falkordb.list_graphs() == []


def test_readers_see_the_old_graph_or_the_new_one(many: World, falkordb: FalkorDB, small: None) -> None:
    rebuild(many, falkordb)
    many.pg.execute("update unified.entities set name = 'changed' where entity_type = 'person'")
    for name in ("p301", "p302"):
        many.pg.execute(
            "insert into unified.entities (id, entity_type, name) values (md5(%s)::uuid, 'person', 'changed')", [name]
        )
    stop = threading.Event()

    def look() -> Iterator[tuple[Any, ...]]:
        query = "MATCH (n:Person) OPTIONAL MATCH (n)-[e]->() RETURN count(n), count(e), n.name = 'changed'"
        while not stop.is_set():
            yield tuple(map(tuple, ask(falkordb, query)))

    with ThreadPoolExecutor(1) as reader:
        seen = reader.submit(lambda: list(look()))
        try:
            rebuild(many, falkordb)
        finally:
            stop.set()
    old, new = ((300, 300, False),), ((302, 300, True),)
    assert old in seen.result()
    assert set(seen.result()) <= {old, new}
    assert list(map(tuple, ask(falkordb, "MATCH (n:Person {name: 'changed'}) RETURN count(n)"))) == [(302,)]


def test_reading_fails_while_sending(
    many: World, falkordb: FalkorDB, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    many.pg.execute("alter table unified.relationships rename to gone")
    with pytest.raises(TransientError, match="reading it from PostgreSQL failed"):
        rebuild(many, falkordb)
    assert falkordb.list_graphs() == []
