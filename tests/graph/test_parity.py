"""The comparison sees what is ours, whatever agents write beside it and whatever values the tables hold."""

from datetime import UTC, datetime
from typing import Any

import pytest
from falkordb import FalkorDB
from hypothesis import HealthCheck, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from resources import embedded
from resources.embedded.users import AGENT
from resources.settings import Settings
from resources.stores import falkordb as falkordb_store
from sonik_assets.graph import cypher, schema
from sonik_assets.graph.bulk import rebuild
from sonik_assets.graph.contents import counts, refused
from sonik_assets.graph.mend import mend
from sonik_assets.graph.parity import falsified, parities
from tests.support.unified import World

MEMORY, OPERATIONS = "agent_memory", "operations"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
KEPT_AT = AT.timestamp() * 1000

# What an agent may write; each looks like ours in part.
OF_AGENTS = (
    "CREATE (:Session {id: 5, row_hash: 1})",
    "CREATE (:Session {id: [1], row_hash: 1})",
    "CREATE (:Session {row_hash: 1})",
    "CREATE (:Session {id: 'zz', row_hash: 'x'})",
    "CREATE (:Session {id: 'zz', row_hash: 1.5})",
    "CREATE (:Session {id: 'zz', row_hash: point({latitude: 1, longitude: 1})})",
    "CREATE (:Session {id: 'zz'})",
    "CREATE (:X)-[:ASKED {id: 'e1', row_hash: 3}]->(:Y)",
    "CREATE (:X {id: 'a'})-[:ASKED {id: 'e1', row_hash: 3}]->(:Query {id: 'b'})",
    "CREATE (:Query {id: 'a'})-[:ASKED {id: 'e1', row_hash: 3}]->(:Session {id: 'b'})",
    "CREATE (:Session)-[:ASKED {id: 'e1', row_hash: 3}]->(:Query {id: 7})",
    "MATCH (s:Session {name: 's'}) CREATE (s)-[:ASKED {id: 5, row_hash: 'x'}]->(:Query {id: true})",
    "MATCH (s:Session {name: 's'}) CREATE (s)-[:HAS_MEMORY {id: 'e1', row_hash: 3}]->(:Thought {id: 'b'})",
)


@pytest.fixture
def agent(settings: Settings, world: World, falkordb: FalkorDB) -> Any:
    """Return `agent_memory` as an agent has it, with a session that asked something."""
    session, query = world.add("unified.agent_sessions", name="s"), world.add("unified.agent_queries", text="q")
    world.relate(("Session", session), "ASKED", ("Query", query))
    mend(world.pg, falkordb, MEMORY)
    client = falkordb_store.connect(embedded.falkordb_url_for(settings, AGENT))
    yield client.select_graph(MEMORY)
    client.close()


@pytest.mark.parametrize("query", OF_AGENTS)
def test_what_an_agent_wrote_is_not_looked_at(agent: Any, world: World, falkordb: FalkorDB, query: str) -> None:
    agent.query(query)
    graph = falkordb.select_graph(MEMORY)
    before = counts(graph)
    assert [
        id for part in schema.parts_of(MEMORY) for b in ("zz", "e1") for id in falsified(world.pg, graph, part, b)
    ] == []
    assert all(each.holds for each in parities(world.pg, graph, MEMORY))
    # where something differs, rows are compared one by one
    world.pg.execute("update unified.agent_sessions set name = 't'")
    world.pg.execute("update unified.relationships set weight = 0.5")
    broken, _ = mend(world.pg, falkordb, MEMORY)
    assert {each.part.name: (len(each.missing), len(each.surplus), len(each.different)) for each in broken} == {
        "Session": (0, 0, 1), "ASKED": (0, 0, 1)
    }  # fmt: skip
    assert all(each.holds for each in parities(world.pg, graph, MEMORY))
    assert counts(graph) == before


def test_what_passes_for_ours_is_surplus_and_goes(agent: Any, world: World, falkordb: FalkorDB) -> None:
    agent.query("MATCH (s:Session), (q:Query) CREATE (s)-[:ASKED {id: 'e', row_hash: 1}]->(q)")
    agent.query("CREATE (:Odd:Session {id: 'zz', row_hash: 1})")
    broken, done = mend(world.pg, falkordb, MEMORY)
    assert {each.part.name: each.surplus for each in broken} == {"Session": ("zz",), "ASKED": ("e",)}
    assert (done.deleted["Session"], done.deleted["ASKED"]) == (1, 1)
    assert all(each.holds for each in parities(world.pg, falkordb.select_graph(MEMORY), MEMORY))


# A value in PostgreSQL, and what the graph has of it; `LOST`: its edge is left out.
LOST = "lost"
TIMES: tuple[tuple[object, object], ...] = (
    (None, None), (7, 7), (" 7 ", 7), ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)),
    ("9223372036854775808", None), ("many", None), ("", None), (1.5, None), ("1e3", None), (True, None),
    ([1], None), ({"a": 1}, None), ("'; drop", None),
)  # fmt: skip
AMOUNTS: tuple[tuple[object, object], ...] = (
    (None, None), (99.5, 99.5), (0, 0.0), ("-0", 0.0), (100, 100.0), ("1e308", 1e308), ("5e-300", 5e-300),
    (10**400, None), ("1e400", None), ("1e-400", None), ("much", None), ("", None), (False, None),
    ("NaN", LOST), ("-Infinity", LOST), ("infinity", LOST),
)  # fmt: skip
MOMENTS = (
    (None, None), (AT, KEPT_AT), ("infinity", None), ("-infinity", None), ("1969-12-31 23:59:59.999+00", -1),
    ("4713-01-01 00:00+00 BC", -210863520000000), ("294276-12-31 23:59:59+00", 9224318015999000),
)  # fmt: skip
ROWS = st.lists(
    st.tuples(
        st.sampled_from(TIMES),
        st.sampled_from(AMOUNTS),
        st.sampled_from(MOMENTS),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8),
    ),
    min_size=1,
    max_size=25,
)


@profile(max_examples=6, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=ROWS)
def test_any_value_is_kept_or_left_out_and_told(world: World, falkordb: FalkorDB, rows: list[Any]) -> None:
    world.pg.execute("delete from unified.relationships; delete from unified.tickets; delete from unified.entities")
    person, ticket = world.entity("Person", "Leo"), world.add("unified.tickets", tier="vip")
    expected: dict[str, list[object]] = {}
    odd = set()
    for n, ((times, kept_times), (amount, kept_amount), (at, kept_at), text) in enumerate(rows):
        bought = {"discriminator": n, "source": text, "properties": _given(amount=amount, currency=text)}
        id = world.relate(("Person", person), "PURCHASED", ("Ticket", ticket), **bought)
        world.pg.execute("update unified.relationships set at = %s where id = %s", [at, id])
        if kept_amount != LOST:
            expected[id] = [kept_amount, kept_at, text, text]
        odd |= _told(id, "PURCHASED", "amount", amount, kept_amount) | _told(id, "PURCHASED", "timestamp", at, kept_at)
        shared = {"discriminator": n, "properties": _given(times=times)}
        id = world.relate(("Person", person), "REFERRED", ("Person", person), **shared)
        expected[id] = [kept_times, None, "test", None]
        odd |= _told(id, "REFERRED", "times", times, kept_times)
    mend(world.pg, falkordb, OPERATIONS)
    _is(world, falkordb, expected)
    rebuild(world.pg.info.dsn, falkordb, OPERATIONS, "0/1")
    _is(world, falkordb, expected)
    assert {row[:3] for row in refused(world.pg, OPERATIONS)} == odd


def _given(**properties: object) -> dict[str, object]:
    return {name: value for name, value in properties.items() if value is not None}


def _told(id: str, type: str, column: str, value: object, kept: object) -> set[tuple[str, str, str]]:
    return {(type, id, column)} if value is not None and kept in (None, LOST) else set()


def _is(world: World, client: FalkorDB, expected: dict[str, list[object]]) -> None:
    graph = client.select_graph(OPERATIONS)  # another object: the client remembers the names of a graph's properties
    query = "MATCH ()-[e]->() RETURN e.id, coalesce(e.amount, e.times), e.timestamp, e.source, e.currency"
    assert {id: values for id, *values in cypher.read(graph, query)} == expected
    assert all(each.holds for each in parities(world.pg, graph, OPERATIONS))
    buckets = {id[-2:] for id in expected}
    edges = [schema.EDGE[name] for name in ("PURCHASED", "REFERRED")]
    assert [id for edge in edges for bucket in buckets for id in falsified(world.pg, graph, edge, bucket)] == []


def test_columns_that_no_graph_can_hold_are_left_out_and_told(world: World, falkordb: FalkorDB) -> None:
    rich = world.add("unified.tickets", tier="rich", price=10**400)
    long = world.add("unified.campaigns", name="long")
    world.pg.execute("update unified.tickets set checked_in_at = 'infinity'")
    world.pg.execute("update unified.campaigns set end_date = 'infinity'")
    nested = world.entity("Event", "Nested", genres=[["techno"], ["house"]])
    mend(world.pg, falkordb, OPERATIONS)
    graph = falkordb.select_graph(OPERATIONS)
    assert cypher.read(graph, "MATCH (n) WHERE n.price IS NULL AND n.end_date IS NULL RETURN count(n)") == [[3]]
    assert {row[:3] for row in refused(world.pg, OPERATIONS)} == {
        ("Ticket", rich, "price"), ("Ticket", rich, "checked_in_at"), ("Campaign", long, "end_date"),
        ("Event", nested, "genres"),
    }  # fmt: skip
    world.pg.execute("update unified.campaigns set end_date = '2026-03-01'")
    assert mend(world.pg, falkordb, OPERATIONS)[1].upserted == {"Campaign": 1}
