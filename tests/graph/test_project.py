"""The graph follows `unified.*`: by differences only, whatever happened before."""

import subprocess
import sys
import time
from datetime import UTC, date, datetime

import pytest
from falkordb import FalkorDB

from resources.embedded import Endpoints
from resources.errors import TerminalError
from sonik_assets.graph import cypher
from sonik_assets.graph.project import counts, project
from tests.support.unified import World

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
AWKWARD = 'Bar "El \\ Ñandú"\n\'`{$x}` 🎶 \\n \u2028'


def night(world: World) -> dict[str, str]:
    """Write a venue, an artist, an event and a fan who shares, attends and buys; return ids by label."""
    ids = {
        "Venue": world.entity("Venue", AWKWARD, latitude=-34.5, longitude=-58.25, capacity=300),
        "Artist": world.entity("Artist", "Ana", genres=["techno", "house"]),
        "Person": world.entity("Person", "Leo"),
        "Event": world.entity("Event", "Noche", starts_at=AT, local_date=date(2026, 3, 1), genres=["techno"]),
        "Ticket": world.add("unified.tickets", tier="vip", price=100),
    }
    end = {label: (label, id) for label, id in ids.items()}
    world.relate(end["Event"], "HOSTED_BY", end["Venue"])
    world.relate(end["Artist"], "PERFORMS_AT", end["Event"], at=AT)
    world.relate(end["Person"], "SHARED", end["Event"], discriminator="instagram", weight=0.5, at=AT)
    world.relate(end["Person"], "ATTENDED", end["Event"], properties={"ticket_tier": "vip"})
    world.relate(end["Person"], "PURCHASED", end["Ticket"], properties={"amount": 99.5, "sale_source": "web"})
    return ids


def test_nodes_and_edges_carry_their_properties(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    done = project(world.pg, falkordb, "operations")
    assert (done.rows, done.written, done.rejected) == (10, 10, 0)
    graph = falkordb.select_graph("operations")
    ((venue,),) = cypher.read(graph, "MATCH (n:Venue) RETURN n")
    assert venue.properties["name"] == AWKWARD
    assert venue.properties["id"] == ids["Venue"]
    assert venue.properties["location"] == {"latitude": -34.5, "longitude": -58.25}
    ((event,),) = cypher.read(graph, "MATCH (n:Event) RETURN n")
    assert event.properties["date"] == "2026-03-01"
    assert (event.properties["genre"], event.properties["genres"]) == ("techno", ["techno"])
    assert event.properties["starts_at"] == AT.timestamp() * 1000
    ((shared,),) = cypher.read(graph, "MATCH (:Person)-[e:SHARED]->(:Event) RETURN e")
    expected = {"channel": "instagram", "weight": 0.5, "source": "test", "confidence": 1.0}
    assert expected.items() <= shared.properties.items()
    assert shared.properties["timestamp"] == AT.timestamp() * 1000
    ((bought,),) = cypher.read(graph, "MATCH (:Person)-[e:PURCHASED]->(:Ticket) RETURN e")
    assert (bought.properties["amount"], bought.properties["sale_source"]) == (99.5, "web")


def test_a_second_run_sends_no_writing_query(world: World, falkordb: FalkorDB, monkeypatch: pytest.MonkeyPatch) -> None:
    night(world)
    project(world.pg, falkordb, "operations")
    monkeypatch.setattr(cypher, "write", lambda *_args, **_kwargs: pytest.fail("a write"))
    again = project(world.pg, falkordb, "operations")
    assert (again.rows, again.written) == (10, 0)


def test_one_changed_row_is_one_write(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    project(world.pg, falkordb, "operations")
    world.pg.execute("update unified.venues set capacity = null where id = %s", [ids["Venue"]])
    assert project(world.pg, falkordb, "operations").written == 1
    ((capacity,),) = cypher.read(falkordb.select_graph("operations"), "MATCH (n:Venue) RETURN n.capacity")
    assert capacity is None


def test_a_merge_moves_the_edges_and_deletes_the_loser(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    winner = world.entity("Venue", "Ñandú")
    project(world.pg, falkordb, "operations")
    world.pg.execute("delete from unified.relationships where type = 'HOSTED_BY'")
    world.pg.execute("delete from unified.venues where id = %s", [ids["Venue"]])
    world.relate(("Event", ids["Event"]), "HOSTED_BY", ("Venue", winner))
    done = project(world.pg, falkordb, "operations")
    assert (done.types["HOSTED_BY"].upserted, done.types["HOSTED_BY"].deleted) == (1, 1)
    assert done.labels["Venue"].deleted == 1
    rows = cypher.read(falkordb.select_graph("operations"), "MATCH (:Event)-[:HOSTED_BY]->(v) RETURN v.id")
    assert rows == [[winner]]


def test_an_entity_that_changes_its_label_keeps_its_edges(world: World, falkordb: FalkorDB) -> None:
    owner, place = world.entity("Person", "Leo"), world.entity("Venue", "Club")
    world.relate(("Person", owner), "OWNS", ("Venue", place))
    project(world.pg, falkordb, "operations")
    world.pg.execute("delete from unified.venues")
    world.add("unified.organizations", id=place, name="Club")
    world.pg.execute("update unified.relationships set to_label = 'Organization'")
    project(world.pg, falkordb, "operations")
    rows = cypher.read(falkordb.select_graph("operations"), "MATCH (a)-[:OWNS]->(b) RETURN a.id, labels(b)")
    assert rows == [[owner, ["Organization"]]]
    assert project(world.pg, falkordb, "operations").written == 0


def test_an_edge_without_its_end_is_reported(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    world.pg.execute("delete from unified.events where id = %s", [ids["Event"]])
    world.relate(("Person", ids["Person"]), "MARRIED_TO", ("Artist", ids["Artist"]))
    done = project(world.pg, falkordb, "operations")
    assert done.types["HOSTED_BY"].dangling == 1
    assert (done.undeclared, done.rejected) == (1, 5)
    assert counts(falkordb.select_graph("operations"))["types"] == {"PURCHASED": 1}


def test_what_others_wrote_is_left_alone(world: World, falkordb: FalkorDB) -> None:
    session = world.add("unified.agent_sessions", name="s", started_at=AT)
    graph = falkordb.select_graph("agent_memory")
    cypher.write(graph, "CREATE (:Session {id: 'theirs'})-[:HAS_MEMORY {id: 'e'}]->(:Thought {name: 'x'})")
    project(world.pg, falkordb, "agent_memory")
    world.pg.execute("delete from unified.agent_sessions where id = %s", [session])
    assert project(world.pg, falkordb, "agent_memory").written == 1
    found = counts(graph)
    assert found == {"labels": {"Session": 1, "Thought": 1}, "types": {"HAS_MEMORY": 1}}


def test_damage_is_repaired(world: World, falkordb: FalkorDB) -> None:
    night(world)
    project(world.pg, falkordb, "operations")
    graph = falkordb.select_graph("operations")
    before = counts(graph)
    cypher.write(graph, "MATCH (n:Event) DELETE n")
    assert project(world.pg, falkordb, "operations").written == 5
    assert counts(graph) == before


def test_a_value_that_cannot_be_kept_names_the_row_and_the_property(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    world.pg.execute("update unified.relationships set properties = '{\"deep\": {\"a\": 1}}' where type = 'ATTENDED'")
    with pytest.raises(TerminalError, match=r"ATTENDED .*: property deep: .*map"):
        project(world.pg, falkordb, "operations")
    world.pg.execute("update unified.relationships set properties = '{}' where type = 'ATTENDED'")
    project(world.pg, falkordb, "operations")
    assert ids["Event"]


RUN = """
import psycopg, sys
from resources.stores import falkordb
from sonik_assets.graph.project import project
with psycopg.connect(sys.argv[1], autocommit=True) as pg:
    project(pg, falkordb.connect(sys.argv[2]), "operations", chunk=20)
"""


def test_a_killed_run_is_finished_by_the_next(
    world: World, falkordb: FalkorDB, database: str, endpoints: Endpoints
) -> None:
    world.pg.execute("insert into unified.persons (name) select 'p' || n from generate_series(1, 6000) as n")
    world.pg.execute(
        "insert into unified.relationships (id, from_label, from_id, type, to_label, to_id)"
        " select uuidv7(), 'Person', id, 'REFERRED', 'Person', lag(id, 1, id) over (order by id)"
        " from unified.persons"
    )
    graph = falkordb.select_graph("operations")
    process = subprocess.Popen([sys.executable, "-c", RUN, database, endpoints.falkordb])
    while not (falkordb.connection.exists("operations") and counts(graph)["labels"].get("Person", 0) > 1000):
        assert process.poll() is None
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert sum(counts(graph)["labels"].values()) + sum(counts(graph)["types"].values()) < 12_000
    done = project(world.pg, falkordb, "operations")
    assert 0 < done.written < 12_000
    assert counts(graph) == {"labels": {"Person": 6000}, "types": {"REFERRED": 6000}}
