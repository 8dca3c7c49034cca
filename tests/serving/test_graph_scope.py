"""Who may learn what from the graphs: every catalogued query asked as one organizer and as an agent."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from resources.errors import SonikError, TerminalError
from resources.stores import falkordb
from sonik_assets.graph.mend import mend
from sonik_assets.serving.asking import Answer
from sonik_assets.serving.catalogue import Query, catalogue
from sonik_assets.serving.graph import query
from sonik_assets.serving.scope import Agent, Organizer, Scope, Staff
from tests.support.protected import protect
from tests.support.scene import PEOPLE, Scene
from tests.support.unified import World

EVERY = pytest.mark.parametrize("asked", catalogue().values(), ids=lambda each: each.name)
OPEN = [each for each in catalogue().values() if "organizer" in each.scopes]

LABELS = dict.fromkeys(PEOPLE, "Person") | dict.fromkeys(("Ana", "Beto", "Caro"), "Artist")
LABELS |= dict.fromkeys(("Ñandú", "Sótano"), "Venue") | dict.fromkeys(("Crobar", "Rival"), "Organization")
LABELS |= dict.fromkeys(("Noche", "Tarde", "Ajena", "Secreta"), "Event") | {"vip": "Ticket", "oro": "Ticket"}
MINE = {"Crobar", "Noche", "Tarde", "Ñandú", "Ana", "Beto"}
# Both organizers use one venue, one artist and one audience.
EDGES = """
Noche PROMOTED_BY Crobar; Tarde PROMOTED_BY Crobar; Ajena PROMOTED_BY Rival; Secreta PROMOTED_BY Rival
Noche HOSTED_BY Ñandú; Tarde HOSTED_BY Ñandú; Ajena HOSTED_BY Ñandú; Secreta HOSTED_BY Sótano
Ana PERFORMS_AT Noche; Beto PERFORMS_AT Tarde; Ana PERFORMS_AT Ajena; Caro PERFORMS_AT Ajena; Caro PERFORMS_AT Secreta
Leo ATTENDED Noche; Leo ATTENDED Tarde; Leo ATTENDED Ajena; Mia ATTENDED Noche; Mia ATTENDED Ajena; Zoe ATTENDED Ajena
Leo SHARED Noche; Zoe SHARED Ajena; Leo REFERRED Mia; Leo REFERRED Zoe; Zoe REFERRED Eva; Mia PURCHASED vip
Zoe PURCHASED oro; Eva WORKS_FOR Crobar; Iris OWNS Rival; Mia MANAGES Ana
""".strip().replace("\n", ";")


@pytest.fixture(scope="module")
def scene(endpoints: Endpoints) -> Iterator[Scene]:
    """Two organizers, side by side; `Rival` is none of `Crobar`'s business."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    client = falkordb.connect(endpoints.falkordb)
    with psycopg.connect(endpoints.postgres, autocommit=True) as admin:
        admin.execute(f"create database {name} template template0")
        with psycopg.connect(with_database(endpoints.postgres, name), autocommit=True) as pg:
            yield _built(pg, client)
        admin.execute(f"drop database {name} with (force)")
    for graph in client.list_graphs():
        client.select_graph(graph).delete()


def _built(pg: psycopg.Connection[Any], client: Any) -> Scene:
    world = World(pg)
    protect(pg)
    ids = {each: world.entity(label, each) for each, label in LABELS.items() if label != "Ticket"}
    ids["vip"] = world.add("unified.tickets", tier="vip", event_id=ids["Noche"])
    ids["oro"] = world.add("unified.tickets", tier="oro", event_id=ids["Ajena"])
    for edge in filter(None, map(str.strip, EDGES.split(";"))):
        start, type, end = edge.split()
        world.relate((LABELS[start], ids[start]), type, (LABELS[end], ids[end]))
        if type == "PROMOTED_BY":
            pg.execute("update unified.events set organizer_id = %s where id = %s", [ids[end], ids[start]])
        if type == "HOSTED_BY":
            pg.execute("update unified.events set venue_id = %s where id = %s", [ids[end], ids[start]])
        if type == "PERFORMS_AT":
            pg.execute(
                "insert into unified.event_artists (event_id, artist_id) values (%s, %s)", [ids[end], ids[start]]
            )
    feature = world.add("unified.features", name="Search", revenue_impact=5)
    module = world.add("unified.code_modules", path="a.search", importance=1)
    world.relate(("CodeModule", module), "IMPLEMENTS", ("Feature", feature))
    world.relate(("Feature", feature), "IMPACTS", ("Revenue", world.add("unified.revenues", name="tickets")))
    _session(world, ids)
    for graph in ("operations", "knowledge", "agent_memory"):
        mend(pg, client, graph)
    return Scene(pg, client, ids)


def _session(world: World, ids: dict[str, str]) -> None:
    session = world.add("unified.agent_sessions", name="s-1")
    asked = world.add("unified.agent_queries", session_id=session, text="who plays")
    world.relate(("Session", session), "ASKED", ("Query", asked))
    for name in ("Ana", "Leo", "Zoe"):
        reference = world.add("unified.agent_references", graph="operations", label=LABELS[name], ref_id=ids[name])
        world.relate(("Query", asked), "TOUCHED", ("Reference", reference))
    bad = world.add(
        "unified.agent_references", graph="operations", label="Venue) DETACH DELETE n //", ref_id=ids["Ñandú"]
    )
    world.relate(("Query", asked), "TOUCHED", ("Reference", bad))


def ask(scene: Scene, name: str, scope: Scope, **given: str) -> Answer:
    return query(scene.pg, scene.client, name, given, scope)


def crobar(scene: Scene) -> Organizer:
    return Organizer(uuid.UUID(scene.ids["Crobar"]))


def combinations(scene: Scene, asked: Query) -> Iterator[dict[str, str]]:
    """Yield arguments: every thing there is, by name and by id, for every parameter that names one."""
    things = [param.name for param in asked.params if param.default is None]
    for name in (*LABELS, "Search", "a.search", "s-1"):
        for text in {name, scene.ids.get(name, name)}:
            yield dict.fromkeys(things[:1], text) | dict.fromkeys(things[1:], "Ana")


@EVERY
def test_an_organizer_learns_nothing_of_anothers(scene: Scene, asked: Query) -> None:
    """Ids and names of others' things and of all people never occur; not in answers, nor in refusals."""
    mine = crobar(scene)
    foreign = {name for name in LABELS if name not in MINE} | {"Search", "a.search"}
    secret = foreign | {scene.ids[name] for name in foreign if name in scene.ids}
    for given in combinations(scene, asked):
        try:
            said = json.dumps(ask(scene, asked.name, mine, **given).rows, default=str, ensure_ascii=False)
        except TerminalError as error:
            said = str(error).split(": ")[-1] if "not for organizers" in str(error) else str(error)
            assert "organizer" in asked.scopes or "only for" in str(error)  # noqa: PT017
        told = {text for text in secret if text in said} - set(given.values())
        assert not told, (given, said)


@EVERY
def test_an_agent_learns_nobodys_name_or_id(scene: Scene, asked: Query) -> None:
    secret = {*PEOPLE, *(scene.ids[name] for name in PEOPLE)}
    for given in combinations(scene, asked):
        try:
            said = json.dumps(ask(scene, asked.name, Agent(), **given).rows, default=str, ensure_ascii=False)
        except SonikError as error:
            said = str(error)
        told = {text for text in secret if text in said} - set(given.values())
        assert not told, (given, said)


def test_what_an_organizer_may_ask_is_of_its_own_events(scene: Scene) -> None:
    mine = crobar(scene)
    rows = ask(scene, "artists_at_venue", mine, venue="Ñandú").rows
    assert [(row["artist"], row["events"]) for row in rows] == [("Ana", 1), ("Beto", 1)]  # Ana's other one is Rival's
    assert [row["events"] for row in ask(scene, "artists_at_venue", Staff(), venue="Ñandú").rows] == [2, 1, 1]
    assert [row["venue"] for row in ask(scene, "venues_by_promoter", mine, promoter="Crobar").rows] == ["Ñandú"]
    assert [row["event"] for row in ask(scene, "who_also_attended", mine, event="Noche").rows] == ["Tarde"]
    assert len(ask(scene, "who_also_attended", Staff(), event="Noche").rows) == 2
    assert ask(scene, "spread_of_event", mine, event="Noche").rows == [
        {"people": 2, "shared": 1, "came": 2, "bought": 1}
    ]
    assert {each.name for each in OPEN} == {
        *("artists_at_venue", "venues_by_promoter", "who_also_attended", "spread_of_event")
    }


def test_a_referral_to_a_rivals_event_tells_an_organizer_nothing(scene: Scene) -> None:
    """The graph has one referral a pair: Mia brought Leo to what is Rival's, and both came to Noche."""
    graph = scene.client.select_graph("operations")
    people = {"mia": scene.ids["Mia"], "leo": scene.ids["Leo"]}
    one = "(:Person {id: $mia})-[r:REFERRED]->(:Person {id: $leo})"
    before, staff = (ask(scene, "spread_of_event", who, event="Noche") for who in (crobar(scene), Staff()))
    graph.query("MATCH (m:Person {id: $mia}), (l:Person {id: $leo}) CREATE (m)-[:REFERRED {weight: 1.0}]->(l)", people)
    try:
        assert ask(scene, "spread_of_event", crobar(scene), event="Noche") == before
        assert ask(scene, "spread_of_event", Staff(), event="Noche") != staff
    finally:
        graph.query(f"MATCH {one} DELETE r", people)
    assert "no generations for organizers" in before.notes[0]


def test_an_organization_without_events_learns_nothing(scene: Scene) -> None:
    nobody = Organizer(uuid.uuid4())
    for asked in OPEN:
        for given in combinations(scene, asked):
            with pytest.raises(TerminalError, match="that you may see"):
                ask(scene, asked.name, nobody, **given)


def test_postgresql_is_the_judge_not_the_graph(scene: Scene) -> None:
    """An event that went over to another organizer is gone at once, though the graph has not heard of it."""
    move = "update unified.events set organizer_id = %s where name = 'Tarde'"
    scene.pg.execute(move, [scene.ids["Rival"]])
    try:
        rows = ask(scene, "artists_at_venue", crobar(scene), venue="Ñandú").rows
        assert [row["artist"] for row in rows] == ["Ana"]
        assert ask(scene, "who_also_attended", crobar(scene), event="Noche").rows == []
    finally:
        scene.pg.execute(move, [scene.ids["Crobar"]])


def test_an_agent_asks_of_things_that_are_no_people(scene: Scene) -> None:
    rows = ask(scene, "warm_introduction", Agent(), **{"from": "Caro", "to": "Crobar"}).rows
    assert {row["type"] for row in rows} <= {"PERFORMS_AT", "PROMOTED_BY", "HOSTED_BY"}
    assert len(rows) == 4
    touched = ask(scene, "touched_by_session", Agent(), session="s-1").rows
    assert [(row["label"], row["name"]) for row in touched] == [("Artist", "Ana")]


def test_what_a_session_touched_has_the_names_of_the_other_graph(scene: Scene) -> None:
    answer = ask(scene, "touched_by_session", Staff(), session="s-1")
    assert {row["name"] for row in answer.rows} == {"Ana", "Leo", "Zoe"}  # the label that is none is not asked for


def test_what_an_agent_wrote_of_another_type_is_left_out(scene: Scene) -> None:
    """Agents write into their own graph whatever they like."""
    graph = scene.client.select_graph("agent_memory")
    for number, value in enumerate(("['operations']", "5", "true", "null")):
        for column in ("graph", "label", "ref_id"):
            fields = {"graph": "'operations'", "label": "'Artist'", "ref_id": "'1'"} | {column: value}
            props = ", ".join(f"{name}: {text}" for name, text in fields.items())
            asked = f"(:Query {{id: 'odd-{column}-{number}'}})-[:TOUCHED]->(:Reference:Odd {{{props}}})"
            graph.query(f"MATCH (s:Session {{name: 's-1'}}) CREATE (s)-[:ASKED]->{asked}")
    try:
        for scope in (Staff(), Agent()):
            assert {row["name"] for row in ask(scene, "touched_by_session", scope, session="s-1").rows} >= {"Ana"}
    finally:
        graph.query("MATCH (q:Query)-[:TOUCHED]->(r:Odd) DELETE q, r")


def test_a_scope_is_one(scene: Scene) -> None:
    for nobody in (None, "staff", Staff):
        with pytest.raises(TerminalError, match="is no scope"):
            ask(scene, "artists_at_venue", nobody, venue="Ñandú")  # type: ignore[arg-type]
