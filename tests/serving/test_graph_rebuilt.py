"""Questions of several statements while the graph changes under them: a rebuild numbers nodes anew, an edge goes."""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from resources import embedded
from resources.embedded import users
from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.stores import falkordb
from sonik_assets.graph.positions import GENERATIONS
from sonik_assets.serving import paths, whole_graph
from sonik_assets.serving.asking import Answer
from sonik_assets.serving.catalogue import catalogue
from sonik_assets.serving.graph import BY_ID, RUNNERS, query
from sonik_assets.serving.scope import Staff
from tests.support.scene import Scene

NUMBERED = {"influencers", "communities", "spread_of_event", "lead_paths", "warm_introduction"}


@pytest.fixture(autouse=True)
def forgotten(scene: Scene) -> Iterator[None]:
    yield
    scene.client.connection.delete(GENERATIONS)


def rebuilt(scene: Scene) -> None:
    """Do to the question what a swap does."""
    scene.client.connection.hset(GENERATIONS, "operations", uuid.uuid4().hex)


def ask(scene: Scene, name: str, **given: str) -> Answer:
    return query(scene.pg, scene.client, name, given, Staff())


def test_every_question_by_numbers_looks_whether_they_still_hold() -> None:
    assert {each.name for each in catalogue().values() if each.runner not in BY_ID} == NUMBERED
    assert set(RUNNERS) >= BY_ID


def test_numbers_of_before_a_rebuild_are_not_used(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the first statement and the second the number of Leo becomes another's: the first answer is dropped."""
    graph, whole, asked = scene.client.select_graph("operations"), whole_graph.pagerank, list[int]()

    def swapping(*arrays: Any) -> Any:
        asked.append(1)
        if len(asked) == 1:
            rebuilt(scene)
            graph.query("MATCH (p:Person {name: 'Leo'}) SET p.name = 'Wrong'")
        else:
            graph.query("MATCH (p:Person {name: 'Wrong'}) SET p.name = 'Leo'")
        return whole(*arrays)

    monkeypatch.setattr(whole_graph, "pagerank", swapping)
    assert [row["person"] for row in ask(scene, "influencers").rows] == ["Leo"]
    assert len(asked) == 2


def test_rebuilt_again_and_again_is_said(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    known = paths.search

    def swapping(*given: Any, **more: Any) -> Any:
        rebuilt(scene)
        return known(*given, **more)

    monkeypatch.setattr(paths, "search", swapping)
    with pytest.raises(TransientError, match="graph operations was rebuilt meanwhile, twice; try again"):
        ask(scene, "warm_introduction", **{"from": "Beto", "to": "Iris"})


def test_an_edge_that_goes_takes_its_way_along(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    graph, known = scene.client.select_graph("operations"), paths._hops
    zoe = "MATCH (p:Person {name: 'Zoe'})"

    def going(*given: Any) -> Any:
        graph.query(f"{zoe}-[e:WORKS_FOR]->() DELETE e")
        return known(*given)

    graph.query(f"{zoe}, (o:Organization {{name: 'Crobar'}}) SET p.type = 'contact' CREATE (p)-[:WORKS_FOR]->(o)")
    try:
        assert [row["person"] for row in ask(scene, "lead_paths", organizer="Crobar").rows] == ["Zoe"]
        monkeypatch.setattr(paths, "_hops", going)
        assert ask(scene, "lead_paths", organizer="Crobar").rows == []
    finally:
        graph.query(f"{zoe} SET p.type = null")


def test_a_login_that_cannot_look_is_told(scene: Scene, settings: Settings) -> None:
    narrow = falkordb.connect(embedded.falkordb_url_for(settings, users.READER))
    with pytest.raises(TerminalError, match="may not read sonik:generations; ask as user sonik"):
        query(scene.pg, narrow, "influencers", {}, Staff())
    assert query(scene.pg, narrow, "artists_at_venue", {"venue": "Ñandú"}, Staff()).rows
