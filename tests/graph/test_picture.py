"""A graph's neighbourhood is small, bounded at hubs, the same each time, and safe to show."""

import base64
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from falkordb import FalkorDB, Graph
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import TransientError
from sonik_assets.graph import cypher
from sonik_assets.graph.neighbourhood import (
    MOST_EDGES,
    MOST_NODES,
    NEAR,
    Edge,
    Neighbourhood,
    Node,
    neighbourhood,
)
from sonik_assets.graph.picture import as_markdown, counts_table, svg

HOSTILE = "<script>alert('x')</script> & \"]]>\x00\x08 ‮ \ud800 ]( [x]"


@pytest.fixture
def graph(falkordb: FalkorDB) -> Graph:
    return falkordb.select_graph("operations")


def texts(picture: str) -> list[str]:
    """Everything that is written in a picture; fails where it is no XML."""
    return [element.text or "" for element in ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]  # noqa: S314


def hub(graph: Graph, fans: int) -> None:
    """An event with so many people, a venue, an artist, and another event at the venue."""
    cypher.write(
        graph,
        "CREATE (e:Event {id: 'e', name: 'Noche', row_hash: 1}), (f:Event {id: 'f', name: 'Tarde', row_hash: 1}),"
        " (v:Venue {id: 'v', name: 'Ñandú', row_hash: 1}), (a:Artist {id: 'a', name: 'Ana', row_hash: 1}),"
        " (e)-[:HOSTED_BY]->(v), (f)-[:HOSTED_BY]->(v), (a)-[:PERFORMS_AT]->(e)",
    )
    cypher.write(
        graph,
        f"UNWIND range(1, {fans}) AS i MATCH (e:Event {{id: 'e'}})"
        " CREATE (:Person {id: 'person-' + toString(1000 + i), name: 'Leo', row_hash: 1})-[:ATTENDED]->(e)",
    )


def test_a_hub_is_shown_by_some_of_each_kind_of_its_neighbours(graph: Graph) -> None:
    hub(graph, 3_000)
    found = neighbourhood(graph)
    assert found.nodes[0].name == "Noche"
    assert {node.label for node in found.nodes} == {"Event", "Venue", "Artist", "Person"}
    assert sum(node.label == "Person" for node in found.nodes) == NEAR - 2
    assert {"Tarde", "Ñandú", "Ana"} <= {node.name for node in found.nodes}
    ends = {node.key for node in found.nodes}
    assert {edge.type for edge in found.edges} == {"HOSTED_BY", "PERFORMS_AT", "ATTENDED"}
    assert all({edge.start, edge.end} <= ends for edge in found.edges)
    assert neighbourhood(graph) == found
    assert svg(found) == svg(neighbourhood(graph))


def test_no_query_looks_at_every_node(graph: Graph, monkeypatch: pytest.MonkeyPatch) -> None:
    hub(graph, 50)
    plans: list[str] = []

    def read(graph: Graph, query: str, **parameters: Any) -> list[list[Any]]:
        parameters.pop("timeout_ms")
        plans.append(str(graph.explain(query, parameters)))
        return cypher._execute(
            graph, query, cypher.header({k: cypher.literal(v) for k, v in parameters.items()}), timeout_ms=1000
        )

    monkeypatch.setattr("sonik_assets.graph.neighbourhood.cypher.read", read)
    assert len(neighbourhood(graph).nodes) > 10
    assert plans
    assert not [plan for plan in plans if "All Node Scan" in plan]
    assert all("Limit" in plan for plan in plans if "Label Scan" in plan)


def test_people_and_what_agents_said_are_not_named(falkordb: FalkorDB) -> None:
    graph = falkordb.select_graph("agent_memory")
    cypher.write(
        graph,
        "CREATE (s:Session {id: 'session-a1b2', name: 'ana@example.com', row_hash: 1}),"
        " (s)-[:HAS_MEMORY]->(:Memory {id: 'c3d4', text: 'Ana called', name: 'Ana', row_hash: 1}),"
        " (s)-[:KNOWS]->(:Person {id: 'e5f6', name: 'Ana', row_hash: 1})",
    )
    drawn = texts(svg(neighbourhood(graph)))
    assert {"Session a1b2", "Memory c3d4", "Person e5f6"} <= set(drawn)
    assert not [text for text in drawn if "Ana" in text or "@" in text]


def test_what_others_wrote_is_drawn_without_trust(falkordb: FalkorDB) -> None:
    graph = falkordb.select_graph("agent_memory")
    cypher.write(graph, "CREATE ({name: ['no', 'label']})-[:`odd type <b>`]->(:`Thought <i>` {id: 7, name: [1, 2]})")
    found = neighbourhood(graph)
    assert {node.name for node in found.nodes} == {"", "Thought <i> 7"}
    assert "odd type <b>" in texts(svg(found))


def test_an_empty_graph_says_so_and_a_missing_one_is_an_error(graph: Graph) -> None:
    with pytest.raises(TransientError, match="not built yet"):
        neighbourhood(graph)
    cypher.write(graph, "CREATE INDEX FOR (n:Person) ON (n.id)")
    assert texts(svg(neighbourhood(graph))) == ["operations is empty"]


def test_a_node_on_its_own_is_drawn(graph: Graph) -> None:
    cypher.write(graph, "CREATE (:Venue {id: 'v', name: 'Ñandú', row_hash: 1})")
    assert texts(svg(neighbourhood(graph))) == ["Ñandú", "Venue"]


def test_the_largest_picture_of_hostile_names_is_small_and_well_formed() -> None:
    nodes = tuple(Node(key, f"<{key}>", "&<>" * 500) for key in range(MOST_NODES))
    pairs = [(a, b) for a in range(MOST_NODES) for b in range(MOST_NODES)][:MOST_EDGES]
    picture = svg(Neighbourhood("operations", nodes, tuple(Edge(a, "<&>" * 99, b) for a, b in pairs)))
    assert len(picture.encode()) < 30_000
    assert len(texts(picture)) > MOST_NODES


@given(st.text(max_size=80) | st.just(HOSTILE))
def test_any_name_is_safe(name: str) -> None:
    picture = svg(Neighbourhood("operations", (Node(1, name, name),)))
    picture.encode()
    assert picture.count("<script") == 0
    assert len(texts(picture)) == 2


def test_names_do_not_cover_each_other() -> None:
    nodes = tuple(Node(key, "Venue", "W" * 20) for key in range(MOST_NODES))
    star = tuple(Edge(0, "NEAR", key) for key in range(1, MOST_NODES))
    drawn = ET.fromstring(svg(Neighbourhood("operations", nodes, star)))  # noqa: S314
    circles = [c for c in drawn.iter("{http://www.w3.org/2000/svg}circle") if c.get("r") == "9"]
    places = [(float(c.get("cx", 0)), float(c.get("cy", 0))) for c in circles]
    apart = [abs(x1 - x2) > 125 or abs(y1 - y2) > 24 for i, (x1, y1) in enumerate(places) for x2, y2 in places[i + 1 :]]
    assert all(apart)


def test_the_markdown_carries_the_picture() -> None:
    picture = svg(Neighbourhood("knowledge"))
    head, tail = as_markdown(picture).split("base64,")
    assert head == "![neighbourhood](data:image/svg+xml;"
    assert base64.b64decode(tail.removesuffix(")")).decode() == picture


def test_counts_are_told_against_last_time() -> None:
    assert counts_table({"Person": 1200, "a|b": 1}, {"Person": 1000, "Venue": 2}).splitlines() == [
        "| | now | last time | difference |",
        "|---|--:|--:|--:|",
        "| Person | 1,200 | 1,000 | +200 |",
        "| a\\|b | 1 | 0 | +1 |",
        "| Venue | 0 | 2 | -2 |",
    ]
    assert counts_table({"Person": 1}, None).splitlines()[2:] == ["| Person | 1 |  |  |"]
