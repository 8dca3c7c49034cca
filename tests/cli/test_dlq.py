"""`dlq list` on hand-made letters."""

import json
from dataclasses import replace
from typing import Any

import psycopg
import pytest
import typer
from typer.testing import CliRunner

from resources.embedded import Endpoints
from resources.errors import SonikError
from sonik_assets.cli import dlq, read
from sonik_assets.raw import schema

INSERT = """
insert into raw.dead_letters
    (id, source, table_name, record_id, payload, reason, error_class, failed_at, run_id, replayed_at)
values (gen_random_uuid(), %s, %s, %s, %s, %s, 'contract', %s, 'r1', %s)
"""
LETTERS = [
    ("twenty", "people", None, "{", "twenty/people.ndjson:3: not a JSON object", "2026-11-19 10:00+00", None),
    ("scraper", "events", "a:1", "[x]", "landing/a.ndjson:7: price: got [consultar]", "2026-11-20 10:00+00", None),
    (
        "scraper",
        "events",
        "a:2",
        "{}",
        "landing/a.ndjson:9: missing key id",
        "2026-11-21 10:00+00",
        "2026-11-22 10:00+00",
    ),
]


def run(*words: str) -> str:
    app = typer.Typer()
    dlq.register(app)
    result = CliRunner().invoke(app, ["dlq", "list", *words], env={"COLUMNS": "80"})
    if isinstance(result.exception, SonikError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def empty(database: str, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(read, "_endpoints", lambda: replace(endpoints, postgres=database))
    return database


@pytest.fixture
def letters(empty: str) -> None:
    with psycopg.connect(empty) as connection:
        schema.ensure(connection)
        connection.cursor().executemany(INSERT, LETTERS)


@pytest.mark.usefixtures("letters")
def test_newest_first_with_reason_and_where() -> None:
    lines = [line.strip() for line in run().splitlines() if line.strip()]
    assert lines[3:9] == [
        "2026-11-21   scraper.events: missing key id (replayed 2026-11-22)",
        "landing/a.ndjson:9",
        "2026-11-20   scraper.events: price: got [consultar]",
        "landing/a.ndjson:7",
        "2026-11-19   twenty.people: not a JSON object",
        "twenty/people.ndjson:3",
    ]
    assert lines[-1] == "3 in all: scraper.events 2, twenty.people 1"
    assert "... and 2 more: --limit" in run("--limit", "1")


@pytest.mark.usefixtures("letters")
def test_json_and_filters() -> None:
    found: list[dict[str, Any]] = json.loads(run("--source", "twenty", "--table", "people", "--json"))
    (letter,) = found
    assert letter.keys() == {
        *("id", "source", "table_name", "record_id", "payload", "reason", "failed_at", "run_id", "replayed_at")
    }
    assert (letter["payload"], letter["failed_at"][:10], letter["replayed_at"]) == ("{", "2026-11-19", None)
    assert "1 in all: twenty.people 1" in run("--table", "people")
    assert "no dead letters for --source mongo" in run("--source", "mongo")


def test_without_letters_it_says_so(empty: str) -> None:
    with pytest.raises(SonikError, match="run `sonik run` first"):
        run()
    with psycopg.connect(empty) as connection:
        schema.ensure(connection)
    assert run() == "no dead letters: every record was readable\n"
    assert json.loads(run("--json")) == []
