import json
import logging
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from resources.embedded import Endpoints
from resources.errors import TerminalError
from resources.settings import Settings
from resources.stores import lancedb
from sonik_assets.serving import query_log
from sonik_assets.serving import search as module
from sonik_assets.serving.question import Question
from sonik_assets.serving.scope import Agent, Organizer, Scope, Staff
from sonik_assets.serving.search import search
from sonik_assets.serving.search_scope import Reach, reach
from sonik_assets.serving.vector_tables import Holding, open_tables
from sonik_assets.vectors.documents import SHOWN
from tests.support.protected import protect
from tests.support.searchable import (
    EVENTS,
    article,
    database_of,
    furnish,
    other_model,
    place_in,
    sync_all,
    venue,
    world_in,
)


@pytest.fixture(scope="module")
def module_database(endpoints: Endpoints) -> Iterator[str]:
    """Return the URL of an empty database."""
    with database_of(endpoints) as url:
        yield url


@pytest.fixture(scope="module")
def furnished(settings: Settings, module_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Return a small world that nobody here changes."""
    place = place_in(settings, module_database, tmp_path_factory.mktemp("search"))
    with world_in(module_database) as world:
        furnish(world, place)
        protect(world.pg)
        yield place


def ask(place: Settings, text: str, **more: Any) -> list[dict[str, Any]]:
    return search(place, more.pop("scope", Staff()), text, **{"cached": False, **more})


def names(found: list[dict[str, Any]]) -> list[str]:
    return [row["name"] for row in found]


def test_words_and_meaning_over_all_tables(furnished: Settings) -> None:
    (best, *_) = ask(furnished, "cancion")
    assert best["name"] == "Canciones de amor en vivo"
    assert (best["kind"], best["city"], best["local_date"]) == ("event", "Bogotá", "2026-06-01")
    assert uuid.UUID(best["id"])
    assert best["table"] == "events"
    assert names(ask(furnished, "tiendas de vinilo"))[0] == "Guía de vinilos"
    assert names(ask(furnished, "niceto", limit=1)) == ["Club Niceto"]
    kinds = {row["kind"] for row in ask(furnished, "música", limit=50)}
    assert kinds == {"venue", "event", "article", "concept", "person", "organization"}


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("club niceot", "Club Niceto"),
        ("qué hay en bogota el 1 de mayo", "Noche de techno"),
        ("o que tem em Bogotá no dia 1 de junho", "Canciones de amor en vivo"),
        ("cumbia in Lima", "Festival de cumbia"),
        ("teatros en Bogotá", "Teatro Colón"),
    ],
)
def test_what_a_question_names_comes_first(furnished: Settings, text: str, first: str) -> None:
    assert names(ask(furnished, text))[0] == first


def test_filters(furnished: Settings) -> None:
    assert {row["city"] for row in ask(furnished, "música", city="BOGOTA ")} == {"Bogotá"}
    assert names(ask(furnished, "música", genre="techno", kind="event")) == ["Noche de techno"]
    may = ask(furnished, "música", date_from=date(2026, 5, 1), date_to=date(2026, 5, 2))
    assert set(names(may)) == {"Noche de techno", "Festival de cumbia"}
    assert ask(furnished, "música", city="Atlantis") == []


def test_any_text_is_only_text(furnished: Settings) -> None:
    for text in (
        "' or 1=1 --",
        'a"b',
        "foo:bar AND (",
        "de la",
        "%_\\",
        "🎉",
        "?!",
        "x" * 2_000_000,
        "a " * 9000,
        "\0a",
    ):
        assert ask(furnished, text)
        assert ask(furnished, "música", city=text, genre=text, kind=text) == []


def test_the_same_question_has_the_same_answer(furnished: Settings) -> None:
    assert len({repr(ask(furnished, "noche de musica en Bogota", limit=30)) for _ in range(4)}) == 1


def test_passages_of_one_article_are_one_hit(furnished: Settings) -> None:
    found = [row for row in ask(furnished, "acetatos raros", limit=50) if row["table"] == "content"]
    assert len({row["id"] for row in found}) == len(found)
    assert "raros" in next(row["text"] for row in found if row["name"] == "Historia del disco")


def test_agents_find_no_person(furnished: Settings) -> None:
    assert "Lucía Rey" in names(ask(furnished, "Lucía Rey"))
    assert "person" not in {row["kind"] for row in ask(furnished, "Lucía Rey", scope=Agent(), limit=100)}
    assert ask(furnished, "Lucía Rey", scope=Agent(), kind="person") == []


def test_organizers_find_their_own(furnished: Settings, module_database: str) -> None:
    with psycopg.connect(module_database) as pg:
        (id,) = pg.execute("select id from unified.entities where name = 'Crobar'").fetchone() or ()
    found = ask(furnished, "música", scope=Organizer(id), limit=100)
    assert {(row["table"], row["name"]) for row in found} == {
        ("events", "Noche de techno"),
        ("entities", "Crobar"),
        ("entities", "Club Niceto"),
    }
    (club,) = (row for row in found if row["name"] == "Club Niceto")
    assert (club["text"], club["city"]) == ("Club Niceto", None)
    assert ask(furnished, "música", scope=Organizer(uuid.uuid4())) == []


def crobar(database: str) -> Organizer:
    with psycopg.connect(database) as pg:
        (id,) = pg.execute("select id from unified.entities where name = 'Crobar'").fetchone() or ()
    return Organizer(id)


def test_organizers_find_entities_by_name_alone(furnished: Settings, module_database: str) -> None:
    own = crobar(module_database)
    for hidden in ({"city": "Buenos Aires"}, {"genre": "House"}):
        assert ask(furnished, "niceto", scope=own, kind="venue", **hidden) == []
    assert names(ask(furnished, "club nicetos", scope=own, limit=1)) == ["Club Niceto"]
    assert names(ask(furnished, "niceto", scope=own, kind="venue")) == ["Club Niceto"]
    told, other = (ask(furnished, f"{word} niceto", scope=own, kind="venue") for word in ("house", "polka"))
    assert told == other


def test_what_a_question_may_name_is_what_the_scope_sees(furnished: Settings, module_database: str) -> None:
    held = {name: opened.holding for name, opened in open_tables(furnished).items()}
    (own,) = reach(furnished, crobar(module_database), held).values()
    assert (own.holds.cities, own.holds.genres) == ({"bogota"}, {"techno"})
    assert own.holds.days == {date(2026, 5, 1)}
    known = {scope: reach(furnished, scope, held)["entities"].holds.cities for scope in (Staff(), Agent())}
    assert known[Staff()] - known[Agent()] == {"quito"}


def test_what_a_stale_table_still_holds_is_not_shown(furnished: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def open_to_all(_settings: Settings, _scope: Scope, held: dict[str, Holding]) -> dict[str, Reach]:
        return {name: Reach(None, each.vocabulary) for name, each in held.items()}

    monkeypatch.setattr(module.search_scope, "reach", open_to_all)
    assert "person" not in {row["kind"] for row in ask(furnished, "Lucía Rey", scope=Agent(), limit=100)}
    assert ask(furnished, "música", scope=Organizer(uuid.uuid4())) == []


def test_a_scope_is_needed(furnished: Settings) -> None:
    with pytest.raises(TerminalError, match="no scope"):
        ask(furnished, "techno", scope=None)
    with pytest.raises(TypeError):
        search(furnished, "techno")  # type: ignore[call-arg,arg-type]


def test_a_table_of_another_model_is_searched_by_words(
    furnished: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = replace(furnished, lancedb_uri=str(tmp_path))
    other_model(furnished, place)
    with caplog.at_level(logging.WARNING):
        assert names(ask(place, "niceto")) == ["Club Niceto", "Noche de techno"]
    assert "searched by words only" in caplog.text
    assert ask(place, "?!") == []


def test_rows_that_no_index_has_yet_are_found(furnished: Settings, tmp_path: Path) -> None:
    place = replace(furnished, lancedb_uri=str(tmp_path))
    other_model(furnished, place, model=None)
    table = lancedb.connect(place.lancedb_uri).open_table("events")
    (row,) = table.search().limit(1).to_list()
    new = {**row, "id": str(uuid.uuid4()), "name": "Zarabanda", "text": "Zarabanda", "text_folded": "zarabanda"}
    new["document_id"] = new["id"]
    plain = {"name_words": "zarabanda", "parts": ["zarabanda"]}
    new["shown"] = json.dumps({name: new[name] for name in SHOWN} | plain, default=str)
    table.add(pa.Table.from_pylist([{name: new[name] for name in table.schema.names}], schema=table.schema))
    assert names(ask(place, "zarabanda", limit=1)) == ["Zarabanda"]


def test_a_table_of_an_earlier_version_says_what_to_do(furnished: Settings, tmp_path: Path) -> None:
    place = replace(furnished, lancedb_uri=str(tmp_path))
    other_model(furnished, place, model=None)
    lancedb.connect(place.lancedb_uri).open_table("events").drop_columns(["shown"])
    with pytest.raises(TerminalError, match="events is of an earlier version: run `sonik run`"):
        ask(place, "niceto")


def test_half_a_character_finds_nothing_and_fails_nothing(furnished: Settings) -> None:
    for cached in (True, False):
        assert ask(furnished, "niceto \udcff", cached=cached)
        assert ask(furnished, "niceto", city="\udcff", genre="\udcff", kind="\udcff", cached=cached) == []


def test_the_log_never_fails_a_question(furnished: Settings, caplog: pytest.LogCaptureFixture) -> None:
    for line in ({"text": "a\udcff"}, {"text": "a", "again": "{"}, {"text": "a", "again": '"\\u0000"'}):
        with caplog.at_level(logging.WARNING):
            query_log.record(furnished, "search", ms=1.0, hit=False, **line)
        assert "was not written" in caplog.text
        caplog.clear()


def test_days_that_python_has_not_are_none(furnished: Settings, tmp_path: Path) -> None:
    place = replace(furnished, lancedb_uri=str(tmp_path))
    other_model(furnished, place, model=None)
    table = lancedb.connect(place.lancedb_uri).open_table("events")
    rows = table.search().to_arrow().select(lancedb.SCHEMA.names)
    far = pa.array([4_000_000, -800_000, 2**31 - 1], pa.int32()).cast(pa.date32())
    at = rows.schema.get_field_index("local_date")
    table.delete("true")
    table.add(rows.set_column(at, rows.schema.field("local_date"), far))
    assert len(ask(place, "noche", kind="event")) == 3
    assert open_tables(place)["events"].holding.vocabulary.days == frozenset()


def test_a_damaged_table_is_named_with_the_way_out(furnished: Settings, tmp_path: Path) -> None:
    place = replace(furnished, lancedb_uri=str(tmp_path))
    other_model(furnished, place, model=None)
    next((tmp_path / "events.lance" / "data").glob("*.lance")).unlink()
    with pytest.raises(TerminalError, match=r"events cannot be read.*sonik vectors restore events"):
        ask(place, "noche")
    for manifest in (tmp_path / "content.lance" / "_versions").glob("*.manifest"):
        manifest.write_bytes(b"x")
    with pytest.raises(TerminalError, match=r"content cannot be read.*sonik run"):
        ask(place, "noche")


def test_a_table_that_is_made_anew_is_read_anew(furnished: Settings, tmp_path: Path) -> None:
    place = replace(furnished, lancedb_uri=str(tmp_path))
    for model in ("one", "other"):
        shutil.rmtree(tmp_path)
        other_model(furnished, place, model=model)
        assert open_tables(place)["events"].holding.models == {model}


def test_an_answer_is_kept_and_cites_what_it_shows(furnished: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    answer = module.answers.answer

    def told(settings: Settings, asked: Any, encode: Any, make: Any, *, cached: bool = True) -> Any:
        return answer(settings, asked, encode, lambda vector: made.append(make(vector)) or made[-1], cached=cached)

    monkeypatch.setattr(module.answers, "answer", told)
    text = f"salsa {uuid.uuid4()}"
    first = search(furnished, Staff(), text)
    assert search(furnished, Staff(), f"  {text.upper()} ") == first
    assert [each.cites for each in made] == [module.answers.cited([row["id"] for row in first], 10)]
    search(furnished, Agent(), text)
    search(furnished, Staff(), text, limit=3)
    assert len(made) == 3


def test_what_cannot_be_searched_is_said(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match="run `sonik run`"):
        ask(replace(settings, lancedb_uri=str(tmp_path)), "techno")
    with pytest.raises(TerminalError, match="nothing to search for"):
        Question(" \n")
    with pytest.raises(TerminalError, match="limit 0"):
        Question("a", limit=0)


def test_the_world_changes_and_so_does_the_answer(settings: Settings, database: str, tmp_path: Path) -> None:
    place = place_in(settings, database, tmp_path)
    with world_in(database) as world:
        venue(world, "Bar Uno", city="Lima")
        sync_all(place)
        assert names(ask(place, "bares en lima")) == ["Bar Uno"]
        article(world, "Bares de Lima", "Lima", "Dos bares nuevos")
        sync_all(place)
    assert set(names(ask(place, "bares en lima"))) == {"Bar Uno", "Bares de Lima"}
    assert len(EVENTS) == 3
