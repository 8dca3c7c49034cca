"""The server heeds the time limit inside of every statement that the catalogue sends: each is stopped on a hub."""

import time
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from resources.embedded import Endpoints
from resources.errors import TransientError
from resources.stores import falkordb
from sonik_assets.graph import cypher
from sonik_assets.serving import paths, spread, whole_graph
from sonik_assets.serving.catalogue import catalogue

if TYPE_CHECKING:
    from falkordb import Graph

SPOKES = 20_000
INDEXES = [(label, "id") for label in ("Venue", "Organization", "Event", "Feature", "Session", "Person")]
INDEXES += [("CodeModule", "path"), ("Ticket", "event_id")]
HUB = """
CREATE (hub:Person {id: 'hub', claim_status: 'claimed'}), (v:Venue {id: 'hub'}), (o:Organization {id: 'hub'}),
       (e:Event {id: 'hub'}), (m:CodeModule {path: 'hub'})-[:IMPLEMENTS]->(f:Feature {id: 'hub'}),
       (s:Session {id: 'hub'}), (r:Revenue {id: 'hub'})
WITH hub, v, o, e, m, f, s, r
UNWIND range(1, $spokes) AS i
CREATE (p:Person {id: toString(i), claim_status: 'claimed'}), (x:Event {id: toString(i)}), (a:Artist {id: toString(i)}),
       (p)-[:ATTENDED]->(e), (p)-[:ATTENDED]->(x), (p)-[:SHARED {weight: 0.5}]->(e), (p)-[:WORKS_FOR]->(o),
       (hub)-[:REFERRED {weight: 0.5}]->(p), (p)-[:REFERRED {weight: 0.5}]->(hub), (p)-[:MANAGES]->(a),
       (p)-[:PURCHASED]->(:Ticket {event_id: 'hub'}), (x)-[:HOSTED_BY]->(v), (x)-[:PROMOTED_BY]->(o),
       (a)-[:PERFORMS_AT]->(x), (c:CodeModule {path: toString(i)})-[:IMPLEMENTS]->(f), (c)-[:DEPENDS_ON]->(m),
       (:Feature {id: toString(i)})-[:IMPACTS {weight: 0.5}]->(r),
       (s)-[:ASKED]->(:Query)-[:TOUCHED]->(:Reference {graph: 'operations', label: 'Person', ref_id: toString(i)})
"""
# `Asking.lists` sends parts on their own; of the others only `spread` has such.
STATEMENTS = [
    (asked.name, part)
    for asked in catalogue().values()
    for part in ([asked.text] if asked.runner == "spread" else asked.text.split("UNION ALL"))
]
STATEMENTS += [("people", whole_graph.PEOPLE), ("going", whole_graph.GOING), ("hops", paths.HOPS)]
STATEMENTS += [("known", paths.KNOWN), ("referred", spread.REFERRED)]
ENOUGH_MS = 20_000


@pytest.fixture(scope="module")
def hub(endpoints: Endpoints) -> "Iterator[tuple[Graph, dict[str, object]]]":
    """Everything that a query begins with, each joined to 20,000 others; and what the queries bind."""
    graph = falkordb.connect(endpoints.falkordb).select_graph(f"hub_{uuid.uuid4().hex[:8]}")
    for label, property in INDEXES:
        graph.query(f"CREATE INDEX FOR (n:{label}) ON (n.{property})")
    graph.query(HUB, {"spokes": SPOKES})
    numbers = [number for (number,) in cypher.read(graph, "MATCH (p:Person) RETURN ID(p) ORDER BY p.id = 'hub' DESC")]
    named = dict.fromkeys(("venue", "promoter", "organizer", "event", "feature", "module", "session"), "hub")
    lists = dict.fromkeys(("frontier", "numbers", "people"), numbers)
    pairs = [[numbers[0], number] for number in numbers[1:1000]]
    numeric = {"limit": 1000, "least": 1, "now_ms": 0, "most": 1_000_000}
    rest: dict[str, object] = {"pairs": pairs, "own": None, "half_life_days": None, "persons": True}
    yield graph, {**named, **lists, **numeric, **rest}
    graph.delete()


@pytest.mark.parametrize(("name", "text"), STATEMENTS, ids=[name for name, _ in STATEMENTS])
def test_a_statement_is_stopped_inside(hub: "tuple[Graph, dict[str, object]]", name: str, text: str) -> None:
    graph, known = hub
    bound = {each: value for each, value in known.items() if f"${each}" in text}
    reached, whole = _took(graph, text, ENOUGH_MS, bound)
    tries = [_took(graph, text, 1, bound) for _ in range(12)]
    stopped = [seconds for ended, seconds in tries if not ended]
    assert reached
    assert stopped
    # One that heeds it between its parts only would go on to the end of a part; the rest is sending and reading.
    assert min(stopped) < max(0.75 * whole, 0.03), name


def _took(graph: "Graph", text: str, limit_ms: int, bound: dict[str, object]) -> tuple[bool, float]:
    """Return whether the statement came to its end, and the seconds."""
    began = time.perf_counter()
    try:
        assert cypher.read(graph, text, timeout_ms=limit_ms, **bound)
    except TransientError as error:
        assert "took too long" in str(error)  # noqa: PT017
        return False, time.perf_counter() - began
    return True, time.perf_counter() - began
