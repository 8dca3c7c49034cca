"""Introductions and leads: the fewest hops, then the strongest, with reasons; and the search behind them."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import TerminalError
from sonik_assets.serving import path_search
from sonik_assets.serving.graph import query
from sonik_assets.serving.path_search import Found, search
from sonik_assets.serving.scope import Agent, Staff
from tests.support.scene import Scene

Edges = frozenset[frozenset[int]]
DAY = 86_400_000


def expand(edges: Edges, frontier: list[int], most: int = path_search.EDGES) -> tuple[list[int], list[int]]:
    """Expand as the graph does."""
    found = [(node, other) for node in frontier for edge in edges if node in edge for other in edge - {node}][:most]
    return [one for one, _ in found], [other for _, other in found]


def walked(edges: Edges, end: int, hops: int, way: list[int]) -> set[tuple[int, ...]]:
    """Return every simple way of at most so many hops: the plain definition."""
    if way[-1] == end:
        return {tuple(way)}
    if len(way) > hops:
        return set()
    ways = (walked(edges, end, hops, [*way, other]) for other in expand(edges, [way[-1]])[1] if other not in way)
    return set().union(*ways)


@given(st.frozensets(st.frozensets(st.integers(0, 7), min_size=2, max_size=2), max_size=12), st.integers(1, 6))
def test_the_search_finds_the_shortest_ways_and_no_others(edges: Edges, hops: int) -> None:
    every = walked(edges, 7, hops, [0])
    shortest = {way for way in every if len(way) == min(map(len, every))}
    found = search(lambda frontier: expand(edges, frontier), 0, 7, hops=hops)
    assert found.complete
    assert len(found.ways) == min(len(shortest), path_search.PATHS)
    assert {tuple(way) for way in found.ways} <= shortest


def test_a_hub_past_the_budget_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    hub: Edges = frozenset(frozenset((1, n)) for n in range(2, 40)) | {frozenset((0, 1)), frozenset((39, 99))}
    monkeypatch.setattr(path_search, "EDGES", 10)
    seen: list[int] = []

    def counted(frontier: list[int]) -> tuple[list[int], list[int]]:
        origins, reached = expand(hub, frontier, path_search.EDGES)
        seen.append(len(reached))
        return origins, reached

    assert search(counted, 0, 99, hops=6).ways == [[0, 1, 39, 99]]  # met from the other side
    assert not search(counted, 0, 1000, hops=6).complete
    assert max(seen) == 10
    assert search(counted, 500, 1000, hops=6) == Found([], complete=True)


def why(scene: Scene, start: str, end: str, **given: str) -> list[str]:
    answer = query(scene.pg, scene.client, "warm_introduction", {"from": start, "to": end} | given, Staff())
    return [hop["why"] for hop in answer.rows]


def test_a_path_is_the_shortest_and_says_why(scene: Scene) -> None:
    answer = query(scene.pg, scene.client, "warm_introduction", {"from": "Beto", "to": "Iris"}, Staff())
    assert [hop["why"] for hop in answer.rows] == [
        "Beto performs at Tarde",
        "Tarde is promoted by Crobar",
        "Crobar is owned by Iris",
    ]
    assert (answer.rows[2]["type"], answer.rows[2]["forward"], answer.notes) == ("OWNS", False, ())
    assert why(scene, "Zoe", "Eva") == []
    with pytest.raises(TerminalError, match="both ends"):
        why(scene, "Eva", "eva")


def test_of_equally_short_ways_the_strongest_is_taken_as_of_a_day(scene: Scene) -> None:
    """From Leo to Crobar over either event: what was stronger once is weaker when it is old."""
    graph = scene.client.select_graph("operations")
    bind = {"noche": scene.ids["Noche"], "tarde": scene.ids["Tarde"], "now": 1000 * DAY, "old": 900 * DAY}
    graph.query(
        "MATCH (:Event {id: $noche})-[p:PROMOTED_BY]->() SET p.weight = 0.4, p.timestamp = $now "
        "WITH 1 AS x MATCH (:Event {id: $tarde})-[q:PROMOTED_BY]->() SET q.weight = 0.8, q.timestamp = $old "
        "WITH 1 AS x MATCH (:Person)-[a:ATTENDED|SHARED]->() SET a.timestamp = $now",
        bind,
    )
    ask = {"from": "Leo", "to": "Crobar"}

    def over(**more: str) -> tuple[str, float]:
        rows = query(scene.pg, scene.client, "warm_introduction", ask | more, Staff(), now_ms=1000 * DAY).rows
        return rows[0]["to_name"], rows[1]["weight"]

    assert over() == ("Tarde", 0.8)
    assert over(half_life_days="50") == ("Noche", 0.4)  # of the other 0.8 a quarter is left
    assert over(half_life_days="1000") == ("Tarde", pytest.approx(0.8 * 0.5**0.1))


def test_an_agents_way_leads_over_no_person(scene: Scene) -> None:
    rows = query(scene.pg, scene.client, "warm_introduction", {"from": "Ana", "to": "Crobar"}, Staff()).rows
    assert len(rows) == 2  # over Eva, or over an event
    rows = query(scene.pg, scene.client, "warm_introduction", {"from": "Beto", "to": "Ñandú"}, Agent()).rows
    assert [row["why"] for row in rows] == ["Beto performs at Tarde", "Tarde takes place at Ñandú"]
    for row in rows:
        assert "Person" not in (row["from_label"], row["to_label"])
    with pytest.raises(TerminalError, match="that you may see"):
        query(scene.pg, scene.client, "warm_introduction", {"from": "Beto", "to": "Mia"}, Agent())


def test_leads_are_people_we_know_the_nearest_first(scene: Scene) -> None:
    graph = scene.client.select_graph("operations")
    known = "MATCH (p:Person) WHERE p.id IN $ids SET p.claim_status = $status"
    ids = [scene.ids["Mia"], scene.ids["Iris"]]
    try:
        graph.query(known, {"ids": ids, "status": "claimed"})
        ask = {"organizer": "Crobar"}
        near = query(scene.pg, scene.client, "lead_paths", ask | {"hops": "1"}, Staff()).rows
        rows = query(scene.pg, scene.client, "lead_paths", ask, Staff()).rows
        assert [row["person"] for row in near] == ["Iris"]
        assert [(row["person"], row["hops"]) for row in rows] == [("Iris", 1), ("Mia", 3)]
        assert rows[1]["why"].endswith("Ñandú is owned by Mia")
        assert len(list(pairwise(rows[1]["why"].split("; ")))) == 2
    finally:
        graph.query(known, {"ids": ids, "status": "unclaimed"})
