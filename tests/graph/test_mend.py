"""The graph is made as `unified.*` has it: by what differs only, whatever happened before."""

from datetime import UTC, date, datetime

import pytest
from falkordb import FalkorDB

from sonik_assets.graph import cypher
from sonik_assets.graph.contents import counts, refused
from sonik_assets.graph.mend import mend
from sonik_assets.graph.parity import BUCKETS, falsified, parities
from sonik_assets.graph.schema import parts_of
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
    broken, done = mend(world.pg, falkordb, "operations")
    assert (sum(len(each.missing) for each in broken), done.written, done.waiting.total()) == (10, 10, 0)
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


def test_whole_numbers_stay_floats(world: World, falkordb: FalkorDB) -> None:
    night(world)
    mend(world.pg, falkordb, "operations")
    assert cypher.read(falkordb.select_graph("operations"), "MATCH (t:Ticket) RETURN t.price / 8") == [[12.5]]


def test_a_second_time_sends_no_writing_query(
    world: World, falkordb: FalkorDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    night(world)
    mend(world.pg, falkordb, "operations")
    monkeypatch.setattr(cypher, "write", lambda *_args, **_kwargs: pytest.fail("a write"))
    broken, again = mend(world.pg, falkordb, "operations")
    assert (broken, again.written) == ([], 0)


def test_one_changed_row_is_one_write(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    mend(world.pg, falkordb, "operations")
    world.pg.execute("update unified.entities set metadata = metadata - 'capacity' where id = %s", [ids["Venue"]])
    assert mend(world.pg, falkordb, "operations")[1].written == 1
    ((capacity,),) = cypher.read(falkordb.select_graph("operations"), "MATCH (n:Venue) RETURN n.capacity")
    assert capacity is None


def test_a_merge_moves_the_edges_and_deletes_the_loser(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    winner = world.entity("Venue", "Ñandú")
    mend(world.pg, falkordb, "operations")
    world.pg.execute("delete from unified.relationships where type = 'HOSTED_BY'")
    world.delete(ids["Venue"])
    world.relate(("Event", ids["Event"]), "HOSTED_BY", ("Venue", winner))
    _, done = mend(world.pg, falkordb, "operations")
    assert (done.upserted["HOSTED_BY"], done.deleted["Venue"]) == (1, 1)
    rows = cypher.read(falkordb.select_graph("operations"), "MATCH (:Event)-[:HOSTED_BY]->(v) RETURN v.id")
    assert rows == [[winner]]


def test_an_entity_that_changes_its_label_keeps_its_edges(world: World, falkordb: FalkorDB) -> None:
    owner, place = world.entity("Person", "Leo"), world.entity("Venue", "Club")
    world.relate(("Person", owner), "OWNS", ("Venue", place))
    mend(world.pg, falkordb, "operations")
    world.pg.execute("update unified.entities set entity_type = 'organization' where id = %s", [place])
    world.pg.execute("update unified.relationships set to_label = 'Organization'")
    mend(world.pg, falkordb, "operations")
    rows = cypher.read(falkordb.select_graph("operations"), "MATCH (a)-[:OWNS]->(b) RETURN a.id, labels(b)")
    assert rows == [[owner, ["Organization"]]]
    assert mend(world.pg, falkordb, "operations")[1].written == 0


def test_an_edge_waits_for_its_end(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    world.delete(ids["Event"])
    world.relate(("Person", ids["Person"]), "MARRIED_TO", ("Artist", ids["Artist"]))
    broken, _ = mend(world.pg, falkordb, "operations")
    assert not any(each.part.name == "HOSTED_BY" for each in broken)
    assert counts(falkordb.select_graph("operations"))["types"] == {"PURCHASED": 1}


def test_what_others_wrote_is_left_alone(world: World, falkordb: FalkorDB) -> None:
    session = world.add("unified.agent_sessions", name="s", started_at=AT)
    graph = falkordb.select_graph("agent_memory")
    cypher.write(graph, "CREATE (:Session {id: 'theirs'})-[:HAS_MEMORY {id: 'e'}]->(:Thought {name: 'x'})")
    mend(world.pg, falkordb, "agent_memory")
    world.pg.execute("delete from unified.agent_sessions where id = %s", [session])
    assert mend(world.pg, falkordb, "agent_memory")[1].written == 1
    found = counts(graph)
    assert found == {"labels": {"Session": 1, "Thought": 1}, "types": {"HAS_MEMORY": 1}}


def test_damage_is_repaired(world: World, falkordb: FalkorDB) -> None:
    night(world)
    mend(world.pg, falkordb, "operations")
    graph = falkordb.select_graph("operations")
    before = counts(graph)
    cypher.write(graph, "MATCH (n:Event) DELETE n")
    cypher.write(
        graph, "MATCH (p:Person)-[:PURCHASED]->(t:Ticket) CREATE (p)-[e:PURCHASED]->(t) SET e.row_hash = 1, e.id = 'x'"
    )
    cypher.write(
        graph,
        "MATCH (p:Person)-[e:PURCHASED]->(t) WHERE e.id <> 'x' CREATE (p)-[f:PURCHASED]->(t) SET f = properties(e)",
    )
    broken, _ = mend(world.pg, falkordb, "operations")
    assert {each.part.name: (len(each.missing), len(each.surplus), len(each.different)) for each in broken} == {
        "Event": (1, 0, 0), "PERFORMS_AT": (1, 0, 0), "HOSTED_BY": (1, 0, 0), "SHARED": (1, 0, 0),
        "ATTENDED": (1, 0, 0), "PURCHASED": (0, 1, 1),
    }  # fmt: skip
    assert counts(graph) == before
    assert all(each.holds for each in parities(world.pg, graph, "operations"))


def test_a_property_changed_behind_its_hash_is_seen_and_mended(
    world: World, falkordb: FalkorDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = night(world)
    mend(world.pg, falkordb, "operations")
    graph = falkordb.select_graph("operations")

    (artist,) = (part for part in parts_of("operations") if part.name == "Artist")
    bucket = ids["Artist"][-2:]
    assert bucket in BUCKETS
    assert falsified(world.pg, graph, artist, bucket) == []
    cypher.write(graph, "MATCH (n:Artist) SET n.genres = ['polka']")
    assert falsified(world.pg, graph, artist, bucket) == [ids["Artist"]]
    monkeypatch.setattr("sonik_assets.graph.mend.bucket_of", lambda _: bucket)
    broken, _ = mend(world.pg, falkordb, "operations")
    assert [(each.part.name, set(each.different)) for each in broken] == [("Artist", {ids["Artist"]})]
    assert falsified(world.pg, graph, artist, bucket) == []


def test_every_property_is_told_as_it_was_written(world: World, falkordb: FalkorDB) -> None:
    ids = night(world)
    mend(world.pg, falkordb, "operations")
    graph = falkordb.select_graph("operations")
    buckets = {id[-2:] for id in ids.values()}
    assert [id for p in parts_of("operations") for b in buckets for id in falsified(world.pg, graph, p, b)] == []


def test_a_number_that_no_graph_can_hold_is_left_out_and_named(world: World, falkordb: FalkorDB) -> None:
    night(world)
    odd = world.add("unified.tickets", tier="odd", price=float("nan"))
    mend(world.pg, falkordb, "operations")
    graph = falkordb.select_graph("operations")
    assert cypher.read(graph, "MATCH (t:Ticket) RETURN t.tier") == [["vip"]]
    moon = world.entity("Venue", "Moon", latitude=-34.5, longitude=380.0)
    names = [("Venue", moon, "longitude", "380"), ("Ticket", odd, "price", "NaN")]
    assert list(refused(world.pg, "operations")) == names
    world.pg.execute("update unified.tickets set price = 1 where id = %s", [odd])
    assert mend(world.pg, falkordb, "operations")[1].upserted == {"Ticket": 1}
