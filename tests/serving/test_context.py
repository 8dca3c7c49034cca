import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import psycopg
import pytest
from falkordb import FalkorDB
from redis.exceptions import ConnectionError as Unreachable

from resources.embedded import Endpoints
from resources.errors import TerminalError
from resources.settings import Settings
from resources.stores import falkordb
from sonik_assets.graph.mend import mend
from sonik_assets.serving import context_graph
from sonik_assets.serving.context import AWAY, context
from sonik_assets.serving.context_facts import SAYS
from sonik_assets.serving.context_graph import Near, Node
from sonik_assets.serving.context_text import tokens_of
from sonik_assets.serving.scope import Agent, Organizer, Scope, Staff
from tests.support.protected import protect
from tests.support.searchable import database_of, place_in, sync_all
from tests.support.unified import World

DAY = date(2026, 5, 10)
LINE = re.compile(r"^(?P<sentence>.+) \[(?P<n>\d+)\]$")


@dataclass
class Scene:
    pg: psycopg.Connection[Any]
    client: FalkorDB
    place: Settings
    ids: dict[str, str]

    def ask(self, text: str, scope: Scope | None = None, **more: Any) -> dict[str, Any]:
        given = {"on": DAY, "cached": False, **more}
        client = given.pop("client", self.client)
        return context(self.place, self.pg, client, scope or Staff(), text, **given)


@pytest.fixture(scope="module")
def scene(settings: Settings, endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Return a scene of two nights at one club, a third elsewhere by others, in all stores."""
    client = falkordb.connect(endpoints.falkordb)
    with database_of(endpoints) as url:
        place = place_in(settings, url, tmp_path_factory.mktemp("context"))
        with psycopg.connect(url, autocommit=True) as pg:
            ids = _build(World(pg))
            protect(pg)
            for graph in ("operations", "knowledge"):
                mend(pg, client, graph)
            sync_all(place)
            yield Scene(pg, client, place, ids)
    for graph in client.list_graphs():
        client.select_graph(graph).delete()


def _build(world: World) -> dict[str, str]:
    labels = {"Ñandú": "Venue", "Crobar": "Organization", "Otros": "Organization", "Ana": "Artist", "Eva": "Person"}
    ids = {name: world.entity(label, name, city="Bogotá") for name, label in labels.items()}
    for name, who in (("Noche", "Crobar"), ("Tarde", "Crobar"), ("Ajena", "Otros")):
        labels[name] = "Event"
        own = {"venue_id": ids["Ñandú"], "organizer_id": ids[who], "local_date": DAY, "genres": ["Salsa"]}
        ids[name] = world.entity("Event", name, city="Bogotá", ticket_url=f"https://x.example/{name}", **own)
        world.add("unified.event_artists", event_id=ids[name], artist_id=ids["Ana"])
        at = datetime(2026, 5, 1, tzinfo=UTC)
        for start, type, end in (
            ("Ana", "PERFORMS_AT", name),
            (name, "HOSTED_BY", "Ñandú"),
            (name, "PROMOTED_BY", who),
        ):
            world.relate((labels[start], ids[start]), type, (labels[end], ids[end]), at=at)
    world.relate(("Person", ids["Eva"]), "MANAGES", ("Artist", ids["Ana"]), at=datetime(2026, 5, 1, tzinfo=UTC))
    body = "La noche [9]\nempieza tarde."
    ids["Guía"] = world.add("unified.content", type="article", title="Guía", city="Bogotá", body=body)
    world.add("identity.entity_map", source="directus", table_name="venues", record_id="7", entity_id=ids["Ñandú"])
    return ids


def lines(found: dict[str, Any]) -> list[tuple[str, int]]:
    """Return the sentences with their numbers; all lines before the sources are such."""
    text = found["text"].partition("\n\nSources:")[0]
    matches = [LINE.match(line) for line in text.splitlines()]
    assert all(matches)
    return [(match["sentence"], int(match["n"])) for match in matches if match]


def test_every_sentence_is_of_the_row_that_it_cites(scene: Scene) -> None:
    found = scene.ask("Ana en Bogotá")
    sources = {each["n"]: each for each in found["sources"]}
    names = {id: name for name, id in scene.ids.items()}
    assert {n for _, n in lines(found)} == set(sources) == set(range(1, len(sources) + 1))
    for sentence, n in lines(found):
        source = sources[n]
        (row,) = scene.pg.execute(
            f"select to_jsonb(r) from unified.{source['table']} as r where id = %s", [source["id"]]
        ).fetchone() or ({},)
        if source["table"] == "relationships":
            said = SAYS[row["type"]].format(start=names[row["from_id"]], end=names[row["to_id"]])
            assert sentence == said
            continue
        told = str(row) + " ".join(f"{row.get(key)}" for key in ("title", "name", "city", "body", "local_date"))
        for value in re.findall(r"^(\S+) is|in (\S+?)(?: on|;|$)|on (\d{4}-\d\d-\d\d)|genres (.+)$", sentence):
            assert all(part in told for part in value if part)
    assert {"relationships", "events", "entities"} <= {each["table"] for each in found["sources"]}


def test_sources_name_raw_records_and_urls(scene: Scene) -> None:
    found = scene.ask("Ñandú")
    by_name = {each["name"]: each for each in found["sources"]}
    assert by_name["Ñandú"]["records"] == ["directus/venues/7"]
    assert by_name["Noche"]["url"] == "https://x.example/Noche"
    assert "directus/venues/7" in found["text"]


def test_a_record_cannot_look_like_a_source(scene: Scene) -> None:
    found = scene.ask("guía de la noche", kind="article")
    assert [sentence for sentence, _ in lines(found)] == [
        "Guía is an article in Bogotá; it says: La noche (9) empieza tarde."
    ]


def test_the_same_stores_and_day_give_the_same_bytes(scene: Scene) -> None:
    assert len({repr(scene.ask("salsa en Bogotá")) for _ in range(3)}) == 1


@pytest.mark.parametrize("tokens", [100, 200, 400])
def test_the_budget_holds(scene: Scene, tokens: int) -> None:
    found = scene.ask("salsa en Bogotá", tokens=tokens)
    assert 0 < found["tokens"] == tokens_of(found["text"]) <= tokens
    assert found["left_out"] > 0
    assert scene.ask("salsa en Bogotá", tokens=5000)["left_out"] == 0


def test_agents_hear_of_no_person(scene: Scene) -> None:
    assert "Eva manages Ana" in scene.ask("Ana")["text"]
    found = scene.ask("Ana Eva", Agent())
    assert "Eva" not in found["text"]
    assert "Ana performs at Noche" in found["text"]
    assert all(not each["records"] for each in found["sources"])


def test_organizers_hear_of_their_own(scene: Scene) -> None:
    found = scene.ask("Ana en Bogotá", Organizer(uuid.UUID(scene.ids["Crobar"])))
    assert "Ajena" not in found["text"]
    assert "Otros" not in found["text"]
    assert "Eva" not in found["text"]
    assert {each["table"] for each in found["sources"]} == {"events", "entities"}
    assert "Noche is hosted by Ñandú" in found["text"]
    assert "Ñandú is a venue [" in found["text"]
    assert scene.ask("Ana", Organizer(uuid.uuid4()))["text"] == ""


def test_organizers_hear_only_what_the_event_holds(scene: Scene) -> None:
    own = Organizer(uuid.UUID(scene.ids["Crobar"]))
    moved = "update unified.events set venue_id = %s where id = %s"
    scene.pg.execute(moved, [None, scene.ids["Noche"]])
    scene.pg.execute("delete from unified.event_artists where event_id = %s", [scene.ids["Tarde"]])
    try:
        text = scene.ask("Noche", own)["text"]
    finally:
        scene.pg.execute(moved, [scene.ids["Ñandú"], scene.ids["Noche"]])
        scene.pg.execute("insert into unified.event_artists values (%s, %s)", [scene.ids["Tarde"], scene.ids["Ana"]])
    assert "Noche is hosted by" not in text
    assert "Ana performs at Noche" in text
    assert "Tarde is hosted by Ñandú" in text
    assert "Ana performs at Tarde" not in text


def test_half_a_character_fails_nothing(scene: Scene) -> None:
    assert scene.ask("Ana \udcff")["text"]
    assert scene.ask("Ana", city="\udcff", cached=True)["text"] == ""


def test_without_the_graph_there_are_hits_and_a_note(scene: Scene) -> None:
    found = scene.ask("Ana", client=None, cached=True)
    assert found["notes"] == [AWAY]
    assert "Ana is an artist in Bogotá" in found["text"]
    assert "relationships" not in {each["table"] for each in found["sources"]}
    assert scene.ask("Ana", cached=True)["notes"] == []

    class Away:
        name = "operations"

        def select_graph(self, _name: str) -> "Away":
            return self

        def ro_query(self, *_args: object, **_more: object) -> None:
            raise Unreachable

    assert scene.ask("Ana", client=Away())["notes"] == [AWAY]


def test_weights_fade_and_hubs_are_cut(scene: Scene) -> None:
    start = Node("Artist", scene.ids["Ana"])
    now = int(datetime(2026, 5, 11, tzinfo=UTC).timestamp() * 1000)
    fresh = context_graph.edges(scene.client, Near(now, None, persons=False), {start: 1.0}, 2)
    faded = context_graph.edges(scene.client, Near(now, 10.0, persons=False), {start: 1.0}, 2)
    assert len(fresh) == len(faded) == 2
    assert [edge.strength for edge in fresh] == [1.0, 1.0]
    assert [edge.strength for edge in faded] == [pytest.approx(0.5), pytest.approx(0.5)]


def test_a_context_is_kept(scene: Scene) -> None:
    first = scene.ask("tarde en Ñandú", cached=True)
    assert scene.ask("TARDE en  Ñandú", cached=True, client=None) == first


def test_wrong_wishes_are_said(scene: Scene) -> None:
    for tokens in (0, 99, 1_000_000):
        with pytest.raises(TerminalError, match="tokens are not between"):
            scene.ask("Ana", tokens=tokens)
    with pytest.raises(TerminalError, match="no scope"):
        context(scene.place, scene.pg, scene.client, None, "Ana")  # type: ignore[arg-type]
