"""The reading commands: tables, JSON, and what they say when there is nothing."""

import json
import sys
import types
from dataclasses import replace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from resources.errors import SonikError
from sonik_assets.cli import entity, read, searching
from tests.serving.conftest import scene
from tests.support.scene import OLD, Scene

__all__ = ["scene"]


class Sonik:
    """Runs commands in this process against the scene."""

    def __init__(self) -> None:
        self.app = typer.Typer()
        read.register(self.app)
        searching.register(self.app)
        entity.register(self.app)

    def __call__(self, *words: str, width: int = 120) -> str:
        result = CliRunner().invoke(self.app, words, env={"COLUMNS": str(width)})
        if isinstance(result.exception, SonikError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "--json"))


@pytest.fixture
def sonik(scene: Scene, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Sonik:
    url = with_database(endpoints.postgres, scene.pg.info.dbname)
    monkeypatch.setattr(read, "_endpoints", lambda: replace(endpoints, postgres=url))
    return Sonik()


def test_entity_show(sonik: Sonik) -> None:
    assert sonik.json("entity", "show", OLD)["name"] == "Ñandú"
    text = sonik("entity", "show", "nandu")
    assert "source records" in text
    shown = [line.split()[0] for line in text.splitlines() if line.strip()]
    assert shown.index("entity") < shown.index("city") < shown.index("updated")


def test_an_entity_shows_fifteen_records(sonik: Sonik, scene: Scene) -> None:
    scene.pg.execute(
        "insert into identity.entity_map (source, table_name, record_id, entity_id)"
        " select 'mongo', 'users', 'u' || n, %s from generate_series(1, 40) as n",
        [scene.ids["Zoe"]],
    )
    text = sonik("entity", "show", "Zoe")
    assert text.count("mongo") == 15
    assert "... and 25 more: --json" in text
    assert len(sonik.json("entity", "show", "Zoe")["records"]) == 40


def test_whatson(sonik: Sonik) -> None:
    (row,) = sonik.json("whatson", "--city", "bogota", "--from", "2026-03-01", "--to", "2026-03-01")
    assert (row["local_date"], row["price_min"], row["artists"]) == ("2026-03-01", 50.0, ["Ana"])
    assert "Noche" in sonik("whatson", "--from", "2026-03-01")
    assert "Bogotá" not in sonik("whatson", "--from", "2026-03-01", "--city", "bogota")
    assert sonik.json("whatson", "--from", "2099-01-01") == []
    assert "try --from 2026-03-01" in sonik("whatson", "--from", "2099-01-01")


def test_path(sonik: Sonik) -> None:
    (hop,) = sonik.json("path", "Leo", "Noche")
    assert hop["why"] in {"Leo went to Noche", "Leo shared Noche"}
    assert "Leo" in sonik("path", "Leo", "Noche")
    assert "no connection" in sonik("path", "Zoe", "Noche")


def test_leads(sonik: Sonik) -> None:
    assert "We sent 847 clicks to your ticket page" in sonik("leads")
    assert [row["name"] for row in sonik.json("leads", "--limit", "1")] == ["Crobar"]


def test_query(sonik: Sonik) -> None:
    assert sonik.json("query", "artists_at_venue", "--param", "venue=Ñandú")[0]["artist"] == "Ana"
    assert "Beto" in sonik("query", "artists_at_venue", "--param", "venue=Ñandú")
    assert "warm_introduction" in {row["name"] for row in sonik.json("query")}
    with pytest.raises(SonikError, match="name=value"):
        sonik("query", "influencers", "--param", "limit")


def test_search_prints_what_serving_finds(sonik: Sonik, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [{"id": "1", "kind": "venue", "name": "[Ñ]", "text": "x", "score": 0.5}]
    fake = types.ModuleType("sonik_assets.serving.search")
    fake.search = lambda _settings, _scope, text, **_more: answers if text == "x" else []  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sonik_assets.serving.search", fake)
    assert sonik.json("search", "x") == answers
    assert "[Ñ]" in sonik("search", "x")
    assert "try fewer or other words" in sonik("search", "y", "--city", "Lima")


def test_a_found_text_is_one_line_without_the_name(sonik: Sonik, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "Noche. " + "una noche de salsa\n" * 20
    answer = {"id": "1", "kind": "event", "name": "Noche", "city": "Lima", "text": text, "score": 0.0304}
    fake = types.ModuleType("sonik_assets.serving.search")
    fake.search = lambda *_args, **_more: [answer, {**answer, "name": "Tarde"}]  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "sonik_assets.serving.search", fake)
    lines = [line for line in sonik("search", "x").splitlines() if "event" in line]
    assert [line.count("Noche") for line in lines] == [1, 1]
    assert all("…" in line and line.endswith("0.030  ") for line in lines)
    assert "score" not in sonik("search", "x", width=80)


def test_an_empty_database_says_what_to_run(
    database: str, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read, "_endpoints", lambda: replace(endpoints, postgres=database))
    with pytest.raises(SonikError, match="run `sonik run` first"):
        Sonik()("leads")


def test_whatson_says_how_many_more_there_are(sonik: Sonik, monkeypatch: pytest.MonkeyPatch) -> None:
    from sonik_assets.serving import events

    (row,) = sonik.json("whatson", "--from", "2026-03-01")
    row |= {"price_min": 67500.0, "currency": "COP"}
    monkeypatch.setattr(events, "whats_on", lambda *_args, limit, **_more: ([row] * 50)[:limit])
    text = sonik("whatson", width=80)
    assert (text.count("Noche"), text.count("67,500 COP")) == (20, 20)
    assert "... and 30 more: --limit" in text
    assert max(map(len, text.splitlines())) <= 80
    assert len(sonik.json("whatson", "--limit", "7")) == 7
