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

SPOKES = 10_000
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
STATEMENTS = [(asked.name, part) for asked in catalogue().values() for part in asked.text.split("UNION ALL")]
STATEMENTS += [("people", whole_graph.PEOPLE), ("going", whole_graph.GOING), ("hops", paths.HOPS)]
STATEMENTS += [("known", paths.KNOWN), ("referred", spread.REFERRED)]
ENOUGH_MS = 20_000


@pytest.fixture(scope="module")
def hub(endpoints: Endpoints) -> "Iterator[tuple[Graph, dict[str, object]]]":
    """Everything that a query begins with, each joined to 10,000 others; and what the queries bind."""
    graph = falkordb.connect(endpoints.falkordb).select_graph(f"hub_{uuid.uuid4().hex[:8]}")
    for label, property in INDEXES:
        graph.query(f"CREATE INDEX FOR (n:{label}) ON (n.{property})")
    graph.query(HUB, {"spokes": SPOKES})
    numbers = [number for (number,) in cypher.read(graph, "MATCH (p:Person) RETURN ID(p) ORDER BY p.id = 'hub' DESC")]
    named = dict.fromkeys(("venue", "promoter", "organizer", "event", "feature", "module", "session"), "hub")
    lists = dict.fromkeys(("frontier", "numbers", "people"), numbers)
    pairs = [[numbers[0], number] for number in numbers[1:1000]]
    plain = {
        "own": None,
        "limit": 1000,
        "least": 1,
        "now_ms": 0,
        "half_life_days": None,
        "most": SPOKES,
        "persons": True,
    }
    yield graph, {**named, **lists, "pairs": pairs, **plain}
    graph.delete()


@pytest.mark.parametrize(("name", "text"), STATEMENTS, ids=[name for name, _ in STATEMENTS])
def test_a_statement_is_stopped_inside(hub: "tuple[Graph, dict[str, object]]", name: str, text: str) -> None:
    graph, known = hub
    bound = {each: value for each, value in known.items() if f"${each}" in text}
    sent = f"{text}\n"
    whole = _took(graph, sent, ENOUGH_MS, bound)
    stopped = []
    for _ in range(3):
        with pytest.raises(TransientError, match="took too long"):
            _took(graph, sent, 1, bound, stopped)
    # A statement that heeds it only between its parts would go on to the end of one; the rest is sending and reading.
    assert min(stopped) < max(whole * 0.75, 0.03), name


def _took(
    graph: "Graph", text: str, limit_ms: int, bound: dict[str, object], ended: list[float] | None = None
) -> float:
    began = time.perf_counter()
    try:
        assert cypher.read(graph, text, timeout_ms=limit_ms, **bound)
    finally:
        took = time.perf_counter() - began
        if ended is not None:
            ended.append(took)
    return took
