"""Every catalogued query answers from the real graph; names, ids and mistakes are understood."""

import pytest

from resources.errors import TerminalError, TransientError
from sonik_assets.graph import cypher
from sonik_assets.serving.catalogue import catalogue, parse
from sonik_assets.serving.graph import query
from tests.support.scene import OLD, Scene


def ask(scene: Scene, name: str, **given: str) -> list[tuple[object, ...]]:
    """Return the rows without their id, as tuples."""
    rows = query(scene.pg, scene.client, name, given)
    return [tuple(value for key, value in row.items() if key != "id") for row in rows]


def test_the_catalogue_answers(scene: Scene) -> None:
    date = "2026-03-01"
    assert ask(scene, "artists_at_venue", venue="nandu") == [("Ana", 2, date), ("Beto", 1, date)]
    assert ask(scene, "venues_by_promoter", promoter="CROBAR") == [("Ñandú", None, 2, date)]
    assert ask(scene, "who_also_attended", event="Tarde") == [("Noche", date, 1)]
    assert ask(scene, "influencers") == [("Leo", 2.0, 1, 1)]
    assert ask(scene, "promoters_by_conversion", least="1") == [("Crobar", 2, 1, 0.5)]
    assert set(ask(scene, "lead_paths", organizer="Crobar")) == {
        ("Eva", "WORKS_FOR", "Crobar", 0),
        ("Iris", "OWNS", "Crobar", 0),
        ("Eva", "MANAGES", "Ana", 2),
        ("Mia", "OWNS", "Ñandú", 2),
    }
    assert ask(scene, "features_by_revenue_impact") == [("Search", "discovery", 5.0, 1.0)]
    assert ask(scene, "code_of_feature", feature="search") == [("a.search", 1.0, ["a.text"])]


def test_a_path_is_the_shortest_and_says_why(scene: Scene) -> None:
    hops = query(scene.pg, scene.client, "warm_introduction", {"from": "Beto", "to": "Iris"})
    assert [hop["why"] for hop in hops] == [
        "Beto performs at Tarde",
        "Tarde is promoted by Crobar",
        "Crobar is owned by Iris",
    ]
    assert (hops[2]["type"], hops[2]["forward"]) == ("OWNS", False)
    assert query(scene.pg, scene.client, "warm_introduction", {"from": "Zoe", "to": "Eva"}) == []
    with pytest.raises(TerminalError, match="both ends"):
        query(scene.pg, scene.client, "warm_introduction", {"from": "Eva", "to": "eva"})


def test_an_id_works_like_a_name_even_after_a_merge(scene: Scene) -> None:
    by_name = ask(scene, "artists_at_venue", venue="Ñandú")
    assert ask(scene, "artists_at_venue", venue=scene.ids["Ñandú"]) == by_name
    assert ask(scene, "artists_at_venue", venue=OLD) == by_name


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("nothing", {}, "there is no query nothing; there are: artists_at_venue"),
        ("influencers", {"who": "x"}, "no parameter who"),
        ("artists_at_venue", {}, "needs --param venue="),
        ("artists_at_venue", {"venue": "Crobar"}, "there is no venue 'Crobar'"),
        ("artists_at_venue", {"venue": "ñand"}, "did you mean: Ñandú"),
        ("influencers", {"limit": "many"}, "'many' is no whole number"),
    ],
)
def test_mistakes_say_what_to_do(scene: Scene, name: str, given: dict[str, str], message: str) -> None:
    with pytest.raises(TerminalError, match=message):
        query(scene.pg, scene.client, name, given)


def test_a_name_of_two_things_asks_for_an_id(scene: Scene) -> None:
    with scene.pg.transaction(force_rollback=True):
        scene.pg.execute("insert into unified.entities (entity_type, name) values ('venue', 'NANDÚ')")
        with pytest.raises(TerminalError, match=r"may be any of: .*; say which by its id"):
            query(scene.pg, scene.client, "artists_at_venue", {"venue": "Ñandú"})


def test_a_graph_that_is_not_built_says_so(scene: Scene) -> None:
    with pytest.raises(TransientError, match="agent_memory is not built yet"):
        cypher.read(scene.client.select_graph("agent_memory"), "MATCH (n) RETURN n")


def test_a_named_query_cannot_write_and_is_cut_off(scene: Scene) -> None:
    graph = scene.client.select_graph("operations")
    with pytest.raises(TerminalError, match="read-only"):
        cypher.read(graph, "CREATE (:Person)")
    with pytest.raises(TransientError, match="took too long"):
        cypher.read(
            graph,
            "UNWIND range(0, 100000) AS a UNWIND range(0, 100000) AS b RETURN sum(a * b)",
            timeout_ms=20,
        )


def test_every_query_describes_itself() -> None:
    for each in catalogue().values():
        assert each.example.startswith("sonik ")
        assert all(f"${param.name}" in each.text for param in each.params if each.runner == "plain")
    with pytest.raises(TerminalError, match="header needs"):
        parse("bad", "// answers: x\nRETURN 1")
