"""The log of questions: a fresh database and an old one, and PostgreSQL away."""

from dataclasses import replace
from typing import Any

import psycopg
import pytest

from resources.settings import Settings
from sonik_assets.cache import log
from sonik_assets.migrations import migrate
from sonik_assets.serving import query_log
from sonik_assets.serving.answers import Asked, Made, answer
from tests.support.vectors import unit

OLD = """
create schema ops;
create table ops.query_log (id uuid primary key default uuidv7(), at timestamptz not null default now(),
    kind text not null, text text not null, ms double precision not null, hit boolean not null);
insert into ops.query_log (kind, text, ms, hit) values ('search', 'old', 1, true);
"""


@pytest.fixture(autouse=True)
def nobody_is_away() -> None:
    query_log._AWAY.clear()


def ask(place: Settings, prompt: str = "one", **more: Any) -> str:
    question = Asked("model_answers", prompt, "", "staff", '{"a": 1}')
    return answer(place, question, unit, lambda _: Made(1, frozenset("a")), **more).how


def lines(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as pg:
        return pg.execute(
            "select kind, text, tenant, how, hit, made_ms is null from ops.query_log order by at"
        ).fetchall()


@pytest.mark.parametrize("before", ["", OLD])
def test_a_fresh_database_and_an_old_one(place: Settings, database: str, client: object, before: str) -> None:
    with psycopg.connect(database) as pg:
        pg.execute(before or "select 1")
    assert [ask(place), ask(place), ask(place, cached=False)] == ["made", "exact", "made"]
    assert lines(database)[-3:] == [
        ("model_answers", "one", "staff", "made", False, False),
        ("model_answers", "one", "staff", "exact", True, True),
        ("model_answers", "one", "staff", "made", False, False),
    ]
    with psycopg.connect(database) as pg:
        assert "0012_queries" in migrate(pg)
    assert ask(place) == "exact"
    with psycopg.connect(database) as pg:
        found = pg.execute("select question, asked, hits, again from ops.questions order by asked desc").fetchone()
        query_log.ensure(pg)
    assert found == ("one", 4, 2, {"a": 1})


def test_the_answer_comes_without_its_log(place: Settings, database: str, client: object) -> None:
    ask(place)
    gone = replace(place, postgres_url=database.replace("test_", "gone_"))
    assert ask(gone, "two") == "made"
    with psycopg.connect(database, autocommit=True) as pg:
        pg.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid()"
            " and datname = current_database()"
        )
    ask(place, "a\0b")
    assert [line[1] for line in lines(database)] == ["one", "a b"]


def test_hits_save_what_making_took(place: Settings, database: str) -> None:
    line = "insert into ops.query_log (kind, text, ms, hit, made_ms) values ('k', 'x', %s, %s, %s)"
    with psycopg.connect(database) as pg:
        query_log.ensure(pg)
        for row in ((110, False, 100), (1, True, None), (2, True, None), (500, True, None)):
            pg.execute(line, row)
        pg.execute("insert into ops.query_log (kind, text, ms, hit) values ('never made', 'x', 1, true)")
        found = {day.kind: (day.asked, day.hits, day.saved_ms) for day in log.days(pg)}
    assert found == {"k": (4, 3, 99 + 98), "never made": (1, 1, 0)}
