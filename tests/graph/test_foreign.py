"""Graphs of others in the same server, such as Cognee's, are left alone by all that writes ours."""

from typing import Any

import pytest
from falkordb import FalkorDB

from resources.errors import TransientError
from sonik_assets.graph import cypher, schema
from sonik_assets.graph.bulk import POSITIONS, rebuild
from sonik_assets.graph.mend import mend
from sonik_assets.graph.neighbourhood import neighbourhood
from tests.support.unified import World

THEIRS = ("cognee", "sonik", "operations_old", "knowledge:mine")


@pytest.fixture
def theirs(falkordb: FalkorDB) -> Any:
    """Graphs with our labels, our properties and no row of ours."""
    for name in THEIRS:
        graph = falkordb.select_graph(name)
        cypher.write(graph, "CREATE INDEX FOR (n:Person) ON (n.name)")
        cypher.write(
            graph,
            "CREATE (:Person {id: 'a', name: 'Ana', row_hash: 1})-[:ATTENDED {id: 'e', row_hash: 1}]->"
            "(:Event {id: 'b'}), (:DocumentChunk {text: 'x'})",
        )
    yield
    for name in THEIRS:
        falkordb.select_graph(name).delete()


def contents(client: FalkorDB) -> dict[str, list[Any]]:
    """All that the graphs of others hold: nodes, edges, indexes and constraints."""
    queries = (
        "MATCH (n) RETURN id(n), labels(n), properties(n) ORDER BY id(n)",
        "MATCH (a)-[e]->(b) RETURN id(a), type(e), properties(e), id(b) ORDER BY id(e)",
        "CALL db.indexes() YIELD label, properties RETURN label, properties",
        "CALL db.constraints() YIELD type, label RETURN type, label",
    )
    return {name: [cypher.read(client.select_graph(name), query) for query in queries] for name in THEIRS}


def night(world: World) -> str:
    """Write something for each of our graphs; return a person."""
    person, event = world.entity("Person", "Leo"), world.entity("Event", "Noche")
    world.relate(("Person", person), "ATTENDED", ("Event", event))
    world.add("unified.concepts", name="Door")
    world.add("unified.agent_sessions", name="s")
    return person


@pytest.mark.usefixtures("theirs")
def test_mending_and_drawing_touch_our_graphs_only(world: World, falkordb: FalkorDB) -> None:
    before, person = contents(falkordb), night(world)
    for name in schema.GRAPHS:
        mend(world.pg, falkordb, name)
        neighbourhood(falkordb.select_graph(name))
    world.pg.execute("delete from unified.entities where id = %s", [person])
    for name in schema.GRAPHS:
        mend(world.pg, falkordb, name)
    assert contents(falkordb) == before
    assert set(falkordb.list_graphs()) == {*THEIRS, *schema.GRAPHS}


@pytest.mark.usefixtures("theirs")
def test_a_load_anew_swaps_our_graph_only(world: World, falkordb: FalkorDB, database: str) -> None:
    before = contents(falkordb)
    night(world)
    for name in schema.GRAPHS:
        rebuild(database, falkordb, name, "0/0")
        rebuild(database, falkordb, name, "0/0")
    assert contents(falkordb) == before
    assert set(falkordb.list_graphs()) == {*THEIRS, *schema.GRAPHS}
    assert set(falkordb.connection.hkeys(POSITIONS)) <= set(schema.GRAPHS)


def test_reading_makes_no_graph(falkordb: FalkorDB) -> None:
    with pytest.raises(TransientError):
        neighbourhood(falkordb.select_graph("operations"))
    assert "operations" not in falkordb.list_graphs()
