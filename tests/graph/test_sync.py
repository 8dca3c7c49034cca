"""The graph follows the change feed, and is made anew where the feed cannot tell."""

import psycopg
import pytest
from falkordb import FalkorDB, Graph

import sonik_assets.graph.mend as mending
from resources.errors import TransientError
from sonik_assets.changes import acks, slot
from sonik_assets.changes.lsn import Lsn
from sonik_assets.changes.writer import only_writer
from sonik_assets.graph import bulk, cypher
from sonik_assets.graph.contents import counts
from sonik_assets.graph.parity import parities
from sonik_assets.graph.positions import position, remember, server_run
from sonik_assets.graph.sync import STORES, sync
from tests.support.unified import World


def people(world: World, count: int) -> list[str]:
    return [world.entity("Person", f"p{n}") for n in range(count)]


def same(world: World, falkordb: FalkorDB, name: str = "operations") -> bool:
    return all(each.holds for each in parities(world.pg, falkordb.select_graph(name), name))


def waiting(world: World) -> int:
    return int(world.pg.execute("select count(*) from ops.waiting_edges").fetchone()[0])  # type: ignore[index]


def test_the_first_time_loads_everything_then_changes_only(world: World, falkordb: FalkorDB, database: str) -> None:
    one, other = people(world, 2)
    world.relate(("Person", one), "REFERRED", ("Person", other), weight=0.5)
    first = sync(database, falkordb, "operations")
    assert (first.rebuilt, first.loaded, first.changed) == ("there is no graph yet", 3, 0)
    again = sync(database, falkordb, "operations")
    assert (again.rebuilt, again.written, again.batches) == ("", 0, 0)
    world.pg.execute("update unified.relationships set weight = 0.75")
    world.pg.execute("update unified.entities set name = 'Ana' where id = %s", [one])
    third = sync(database, falkordb, "operations")
    assert (third.rebuilt, third.applied.upserted) == ("", {"REFERRED": 1, "Person": 1})
    rows = cypher.read(falkordb.select_graph("operations"), "MATCH (a)-[e:REFERRED]->(b) RETURN a.name, e.weight")
    assert rows == [["Ana", 0.75]]
    assert same(world, falkordb)


def test_deletes_and_merges_follow(world: World, falkordb: FalkorDB, database: str) -> None:
    fan, loser, winner = people(world, 3)
    world.relate(("Person", fan), "REFERRED", ("Person", loser))
    sync(database, falkordb, "operations")
    with world.pg.transaction():
        world.pg.execute("delete from unified.relationships")
        world.relate(("Person", fan), "REFERRED", ("Person", winner))
        world.delete(loser)
    done = sync(database, falkordb, "operations")
    assert done.rebuilt == ""
    rows = cypher.read(falkordb.select_graph("operations"), "MATCH (a)-[:REFERRED]->(b) RETURN a.id, b.id")
    assert rows == [[fan, winner]]
    assert same(world, falkordb)


def test_an_edge_waits_for_its_end_and_comes_with_it(world: World, falkordb: FalkorDB, database: str) -> None:
    (fan,) = people(world, 1)
    sync(database, falkordb, "operations")
    gone = "00000000-0000-7000-8000-000000000000"
    world.relate(("Person", fan), "REFERRED", ("Person", gone))
    assert sync(database, falkordb, "operations").applied.waiting == {"REFERRED": 1}
    assert waiting(world) == 1
    world.add("unified.entities", id=gone, entity_type="person", name="late")
    sync(database, falkordb, "operations")
    assert counts(falkordb.select_graph("operations"))["types"] == {"REFERRED": 1}
    assert waiting(world) == 0
    # An end that goes and comes back, while its edges stay as they are.
    world.delete(gone)
    sync(database, falkordb, "operations")
    assert (counts(falkordb.select_graph("operations"))["types"], waiting(world)) == ({}, 1)
    world.add("unified.entities", id=gone, entity_type="person", name="back")
    sync(database, falkordb, "operations")
    assert (counts(falkordb.select_graph("operations"))["types"], waiting(world)) == ({"REFERRED": 1}, 0)
    assert same(world, falkordb)


def test_an_entity_changes_its_label_before_its_edges_do(world: World, falkordb: FalkorDB, database: str) -> None:
    (owner,) = people(world, 1)
    place = world.entity("Venue", "Club")
    world.relate(("Person", owner), "OWNS", ("Venue", place))
    sync(database, falkordb, "operations")
    world.pg.execute("update unified.entities set entity_type = 'organization' where id = %s", [place])
    sync(database, falkordb, "operations")
    assert (counts(falkordb.select_graph("operations"))["types"], waiting(world)) == ({}, 1)
    world.pg.execute("update unified.relationships set to_label = 'Organization'")
    sync(database, falkordb, "operations")
    rows = cypher.read(falkordb.select_graph("operations"), "MATCH ()-[:OWNS]->(b) RETURN labels(b)")
    assert (rows, waiting(world)) == ([[["Organization"]]], 0)


def test_an_identifier_changes_alone(world: World, falkordb: FalkorDB, database: str) -> None:
    place = world.entity("Venue", "Club", instagram_url="https://www.instagram.com/club")
    sync(database, falkordb, "operations")
    world.pg.execute("update unified.entity_identifiers set domain = 'club.example'")
    sync(database, falkordb, "operations")
    rows = cypher.read(falkordb.select_graph("operations"), "MATCH (v:Venue) RETURN v.id, v.domain")
    assert rows == [[place, "club.example"]]


def test_batches_are_bounded_and_each_is_remembered(
    world: World, falkordb: FalkorDB, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(database, falkordb, "operations")
    people(world, 120)
    told: list[Lsn] = []
    monkeypatch.setattr("sonik_assets.graph.sync.remember", lambda _c, _n, lsn, _r: told.append(lsn))
    done = sync(database, falkordb, "operations", batch=50)
    assert (done.changed, len(told) > 1) == (120, True)
    assert told == sorted(set(told))


def test_the_slot_goes_on_when_all_graphs_have(world: World, falkordb: FalkorDB, database: str) -> None:
    for name in ("operations", "knowledge", "agent_memory"):
        sync(database, falkordb, name)
    people(world, 3)
    last = acks.acknowledged(world.pg, STORES[2])
    assert last is not None
    sync(database, falkordb, "operations")
    sync(database, falkordb, "knowledge")
    assert (slot.state(world.pg).confirmed or 0) <= last.lsn  # the third has not seen them
    sync(database, falkordb, "agent_memory")
    ends = [acks.acknowledged(world.pg, store).lsn for store in STORES]  # type: ignore[union-attr]
    assert last.lsn < (slot.state(world.pg).confirmed or 0) <= min(ends)


def test_a_graph_that_lost_its_last_writes_is_made_anew(world: World, falkordb: FalkorDB, database: str) -> None:
    sync(database, falkordb, "operations")
    told = position(falkordb, "operations")
    people(world, 3)
    sync(database, falkordb, "operations")
    assert told is not None
    remember(falkordb, "operations", told, server_run(falkordb))
    cypher.write(falkordb.select_graph("operations"), "MATCH (n:Person) DELETE n")
    done = sync(database, falkordb, "operations")
    assert done.rebuilt.startswith("FalkorDB lost what it had")
    assert same(world, falkordb)


def test_a_slot_that_is_gone_makes_every_graph_anew(world: World, falkordb: FalkorDB, database: str) -> None:
    sync(database, falkordb, "operations")
    slot.drop(world.pg)
    people(world, 3)  # on no log that anybody reads
    done = sync(database, falkordb, "operations")
    assert "is gone" in done.rebuilt
    assert same(world, falkordb)
    assert sync(database, falkordb, "operations").rebuilt == ""


def test_a_graph_from_another_history_is_made_anew(world: World, falkordb: FalkorDB, database: str) -> None:
    sync(database, falkordb, "operations")
    remember(falkordb, "operations", Lsn.parse("FFFFFFF/0"), server_run(falkordb))
    assert "another server" in sync(database, falkordb, "operations").rebuilt


def test_a_truncated_table_makes_the_graph_anew(world: World, falkordb: FalkorDB, database: str) -> None:
    people(world, 3)
    sync(database, falkordb, "operations")
    world.pg.execute("truncate unified.entities")
    assert "emptied" in sync(database, falkordb, "operations").rebuilt
    assert counts(falkordb.select_graph("operations"))["labels"] == {}


def test_what_agents_wrote_survives_when_memory_is_made_anew(
    world: World, falkordb: FalkorDB, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("unified.agent_sessions", name="s")
    sync(database, falkordb, "agent_memory")
    cypher.write(falkordb.select_graph("agent_memory"), "CREATE (:Thought {name: 'mine'})")
    falkordb.connection.hdel("sonik:positions", "agent_memory")
    world.add("unified.agent_sessions", name="t")
    monkeypatch.setattr(bulk, "rebuild", lambda *_: pytest.fail("swapped"))
    assert sync(database, falkordb, "agent_memory").rebuilt != ""
    found = counts(falkordb.select_graph("agent_memory"))["labels"]
    assert found == {"Session": 2, "Thought": 1}
    assert same(world, falkordb, "agent_memory")


def test_a_transaction_that_is_open_meanwhile_comes_later(world: World, falkordb: FalkorDB, database: str) -> None:
    with psycopg.connect(database) as other:
        other.execute("insert into unified.entities (entity_type, name) values ('person', 'slow')")
        people(world, 1)
    sync(database, falkordb, "operations")
    with psycopg.connect(database) as other:
        other.execute("insert into unified.entities (entity_type, name) values ('person', 'slower')")
        people(world, 1)
        sync(database, falkordb, "operations")
        other.commit()
    sync(database, falkordb, "operations")
    assert counts(falkordb.select_graph("operations"))["labels"] == {"Person": 4}


def test_an_applier_that_dies_behind_a_delete_forgets_no_edge(
    world: World, falkordb: FalkorDB, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fan, idol = people(world, 2)
    world.relate(("Person", fan), "REFERRED", ("Person", idol))
    sync(database, falkordb, "operations")
    world.delete(idol)
    write = cypher.write

    def dies(graph: object, query: str, **literals: str) -> list[list[object]]:
        done = write(graph, query, **literals)  # type: ignore[arg-type]
        if query.endswith("DELETE n"):
            raise KeyboardInterrupt
        return done

    monkeypatch.setattr(cypher, "write", dies)
    with pytest.raises(KeyboardInterrupt):
        sync(database, falkordb, "operations")
    monkeypatch.undo()
    sync(database, falkordb, "operations")
    assert waiting(world) == 1
    world.add("unified.entities", id=idol, entity_type="person", name="back")
    sync(database, falkordb, "operations")
    assert counts(falkordb.select_graph("operations"))["types"] == {"REFERRED": 1}
    assert (waiting(world), same(world, falkordb)) == (0, True)


def test_an_edge_waits_until_the_disk_has_it(
    world: World, falkordb: FalkorDB, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (fan,) = people(world, 1)
    late = "00000000-0000-7000-8000-000000000000"
    world.relate(("Person", fan), "REFERRED", ("Person", late))
    sync(database, falkordb, "operations")
    world.add("unified.entities", id=late, entity_type="person", name="late")
    before: list[int] = []
    monkeypatch.setattr("sonik_assets.graph.apply.wait_for_disk", lambda *_: before.append(waiting(world)))
    sync(database, falkordb, "operations")
    assert (before, waiting(world)) == ([1], 0)


def test_a_server_that_was_started_again_in_the_middle_is_noticed(
    world: World, falkordb: FalkorDB, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync(database, falkordb, "operations")
    people(world, 2)
    runs = iter(("one", "two"))
    monkeypatch.setattr("sonik_assets.graph.sync.server_run", lambda _: next(runs))
    with pytest.raises(TransientError, match="started again"):
        sync(database, falkordb, "operations")
    monkeypatch.undo()
    assert sync(database, falkordb, "operations").rebuilt == "nobody knows how far it is"
    assert same(world, falkordb)


def test_a_slot_made_anew_while_a_graph_was_loaded_skips_nothing(
    world: World, falkordb: FalkorDB, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild, calls = bulk.rebuild, iter(range(9))

    def slow(*arguments: str) -> bulk.Loaded:
        done = rebuild(*arguments)  # type: ignore[arg-type]
        if next(calls) == 0:
            slot.drop(world.pg)
            people(world, 1)
            slot.ensure(world.pg)
        return done

    monkeypatch.setattr(bulk, "rebuild", slow)
    sync(database, falkordb, "operations")
    assert same(world, falkordb)
    assert counts(falkordb.select_graph("operations"))["labels"] == {"Person": 1}


def test_what_an_agent_writes_while_memory_is_made_is_kept(
    world: World, falkordb: FalkorDB, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.add("unified.agent_sessions", name="s")
    prepare = mending.prepare

    def meanwhile(client: FalkorDB, name: str) -> Graph:
        found = prepare(client, name)
        cypher.write(found, "CREATE (:Thought)")
        return found

    monkeypatch.setattr(mending, "prepare", meanwhile)
    sync(database, falkordb, "agent_memory")
    assert counts(falkordb.select_graph("agent_memory"))["labels"] == {"Session": 1, "Thought": 1}


def test_an_edge_that_no_graph_can_hold_any_more_goes(world: World, falkordb: FalkorDB, database: str) -> None:
    one, other = people(world, 2)
    world.relate(("Person", one), "REFERRED", ("Person", other), weight=0.5)
    sync(database, falkordb, "operations")
    world.pg.execute("update unified.relationships set confidence = 'NaN', weight = 0.9")
    sync(database, falkordb, "operations")
    assert counts(falkordb.select_graph("operations"))["types"] == {}
    assert same(world, falkordb)


def test_two_do_not_write_one_graph(world: World, falkordb: FalkorDB, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as other, only_writer(other, "graph/operations"):
        with pytest.raises(TransientError, match="another process"):
            sync(database, falkordb, "operations")
        sync(database, falkordb, "knowledge")
    sync(database, falkordb, "operations")


def test_another_schema_makes_the_graph_anew(world: World, falkordb: FalkorDB, database: str) -> None:
    sync(database, falkordb, "operations")
    falkordb.connection.hset("sonik:schemas", "operations", "older")
    assert sync(database, falkordb, "operations").rebuilt == "it was made by another schema"
    assert sync(database, falkordb, "operations").rebuilt == ""


def test_a_hub_goes_in_chunks(world: World, falkordb: FalkorDB, database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    hub, *fans = people(world, 8)
    for fan in fans:
        world.relate(("Person", fan), "REFERRED", ("Person", hub))
        world.relate(("Person", hub), "REFERRED", ("Person", fan))
    sync(database, falkordb, "operations")
    world.delete(hub)
    write, deleted = cypher.write, list[int]()

    def counted(graph: Graph, query: str, **literals: str) -> list[list[object]]:
        rows = write(graph, query, **literals)
        if "DELETE e RETURN" in query:
            deleted.append(rows[0][0])
        return rows

    monkeypatch.setattr("sonik_assets.graph.apply.EDGES", 5)
    monkeypatch.setattr(cypher, "write", counted)
    sync(database, falkordb, "operations")
    assert deleted == [5, 5, 4]
    assert (counts(falkordb.select_graph("operations"))["types"], waiting(world)) == ({}, 14)
