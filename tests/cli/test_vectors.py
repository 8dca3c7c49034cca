"""`sonik vectors`: versions are listed, gone back to, and kept up."""

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from resources.errors import SonikError
from resources.settings import Settings
from sonik_assets.cli import vectors
from sonik_assets.vectors.sync import sync
from tests.support.searchable import place_in, venue, world_in


@pytest.fixture
def place(settings: Settings, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    place = place_in(settings, database, tmp_path)
    for name, value in {"HOME": place.home, "POSTGRES_URL": database, "LANCEDB_URI": place.lancedb_uri}.items():
        monkeypatch.setenv(f"SONIK_{name}", str(value))
    return place


def sonik(*words: str) -> str:
    app = typer.Typer()
    vectors.register(app)
    app.command("nothing")(lambda: None)  # a lone group would be the application itself
    result = CliRunner().invoke(app, ["vectors", *words], env={"COLUMNS": "140"})
    if isinstance(result.exception, SonikError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_versions_are_listed_gone_back_to_and_erased(place: Settings, database: str) -> None:
    with world_in(database) as world:
        assert "no run has left a version yet" in sonik("versions")
        for run in ("one", "two"):
            venue(world, f"Sala {run}")
            sync(place, database, "entities", run=run)
    found = json.loads(sonik("versions", "--json"))
    assert [(row["table"], row["tag"], row["rows"]) for row in found] == [
        ("entities", "run-two", 2),
        ("entities", "run-one", 1),
    ]
    assert "run-one" in sonik("versions", "entities")
    assert "1 rows" in sonik("restore", "entities", "run-one")
    assert sync(place, database, "entities").how == "compared"
    assert "entities" in sonik("upkeep", "--erase")
    assert json.loads(sonik("versions", "--json")) == []


def test_what_is_not_there_is_named(place: Settings) -> None:
    with pytest.raises(SonikError, match="no vector table 'venues': entities, events"):
        sonik("versions", "venues")
    with pytest.raises(SonikError, match="has no table events"):
        sonik("restore", "events", "run-one")
