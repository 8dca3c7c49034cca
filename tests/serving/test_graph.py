"""Every catalogued query answers from the real graph; names, ids and mistakes are understood."""

import pytest

from resources.errors import TerminalError, TransientError
from sonik_assets.graph import cypher
from sonik_assets.serving.catalogue import parse
from sonik_assets.serving.graph import query
from sonik_assets.serving.scope import Staff
from tests.support.scene import OLD, Scene


def ask(scene: Scene, name: str, **given: str) -> list[tuple[object, ...]]:
    """Return the rows without their id, as tuples."""
    rows = query(scene.pg, scene.client, name, given, Staff()).rows
    return [tuple(value for key, value in row.items() if key != "id") for row in rows]


def test_the_catalogue_answers(scene: Scene) -> None:
    date = "2026-03-01"
    assert ask(scene, "artists_at_venue", venue="nandu") == [("Ana", 2, date), ("Beto", 1, date)]
    assert ask(scene, "venues_by_promoter", promoter="CROBAR") == [("Ñandú", "Lima", 2, date)]
    assert ask(scene, "who_also_attended", event="Tarde") == [("Noche", date, 1, 1, False)]
    ((leo, rank, *counts),) = ask(scene, "influencers")
    assert (leo, *counts) == ("Leo", 1, 1)
    assert rank == pytest.approx(0.459, abs=0.001)  # he brought all; of two steps one leads to him
    assert ask(scene, "promoters_by_conversion", least="1") == [("Crobar", 2, 1, 0.5, False)]
    contacts = ask(scene, "organizer_contacts", organizer="Crobar")
    assert {row[:4] for row in contacts} == {
        ("Eva", "WORKS_FOR", "Crobar", 0),
        ("Iris", "OWNS", "Crobar", 0),
        ("Eva", "MANAGES", "Ana", 2),
        ("Mia", "OWNS", "Ñandú", 2),
    }
    assert ask(scene, "features_by_revenue_impact") == [("Search", "discovery", 5.0, 1.0)]
    assert ask(scene, "code_of_feature", feature="search") == [("a.search", 1.0, ["a.text"])]
    assert ask(scene, "features_of_code", module="a.search") == [("Search", 0, 1, 5.0)]
    assert ask(scene, "features_of_code", module="a.text") == [("Search", 1, 1, 5.0)]
    assert ask(scene, "spread_of_event", event="Noche") == [(0, 1, 1, 1, 1, 1), (1, 1, 0, 1, 0, 0)]
    assert ask(scene, "communities", least="2") == [(1, 2, 2, False, ["Noche", "Tarde"])]


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
        ("influencers", {"limit": "1001"}, "limit is from 1 to 1000, not 1001"),
        ("influencers", {"half_life_days": "-1"}, "'-1' is no half-life"),
    ],
)
def test_mistakes_say_what_to_do(scene: Scene, name: str, given: dict[str, str], message: str) -> None:
    with pytest.raises(TerminalError, match=message):
        query(scene.pg, scene.client, name, given, Staff())


def test_text_that_is_no_utf8_is_refused(scene: Scene) -> None:
    with pytest.raises(TerminalError, match="is no UTF-8 text"):
        query(scene.pg, scene.client, "touched_by_session", {"session": "\udcff"}, Staff())


def test_a_name_of_two_things_asks_for_an_id(scene: Scene) -> None:
    twin = "insert into unified.entities (entity_type, name) values ('venue', 'NANDÚ') returning id"
    (id,) = scene.pg.execute(twin).fetchone() or ("",)
    try:
        with pytest.raises(TerminalError, match=r"may be any of: .*; say which by its id"):
            query(scene.pg, scene.client, "artists_at_venue", {"venue": "Ñandú"}, Staff())
    finally:
        scene.pg.execute("delete from unified.entities where id = %s", [id])


def test_a_graph_that_is_not_built_says_so(scene: Scene) -> None:
    with pytest.raises(TransientError, match="agent_memory is not built yet"):
        cypher.read(scene.client.select_graph("agent_memory"), "MATCH (n) RETURN n")


def test_a_query_file_says_who_may_ask() -> None:
    head = "// answers: x\n// graph: operations\n// example: y\n// reach: hops\n"
    assert parse("good", f"{head}// scope: staff — it is secret\nRETURN 1").scopes == {"staff"}
    with pytest.raises(TerminalError, match="header needs"):
        parse("bad", f"{head}RETURN 1")
    with pytest.raises(TerminalError, match="says why"):
        parse("bad", f"{head}// scope: staff\nRETURN 1")
    with pytest.raises(TerminalError, match=r"only ask of the events in \$own"):
        parse("bad", f"{head}// scope: staff, agent, organizer\nRETURN 1")
