"""What a run of `cache/warm` does, in its order, on a small world that is really searched."""

import uuid
from typing import Any

import psycopg
import pytest
import redis

from resources.settings import Settings
from sonik_assets.cache import again, assets, log, warm
from sonik_assets.cache.warm import Warmed
from sonik_assets.serving import query_log, shelf
from sonik_assets.serving.answers import Asked, Made, answer
from sonik_assets.serving.scope import Agent, Staff
from sonik_assets.serving.search import search
from tests.support.searchable import sync_all, venue
from tests.support.unified import World
from tests.support.vectors import unit

ASKED = ("techno en Bogotá", "Techno  en bogotá", "discos en Lima", "   ")


@pytest.fixture
def pg(world: World) -> "psycopg.Connection[Any]":
    for text in ASKED:
        world.add("unified.agent_queries", text=text)
    return world.pg


def run(place: Settings, pg: "psycopg.Connection[Any]", client: redis.Redis) -> Warmed:
    assert place.postgres_url is not None
    return warm.warm(place, pg, place.postgres_url, shelf.held(place, client))


def test_the_most_asked_are_there_and_a_second_run_makes_nothing(
    place: Settings, pg: "psycopg.Connection[Any]", client: redis.Redis
) -> None:
    done = run(place, pg, client)
    assert (done.asked, done.made) == (2, 2)
    done = run(place, pg, client)
    assert (done.asked, done.made, done.dropped.answers) == (2, 0, 0)
    assert pg.execute("select count(*) from ops.query_log").fetchone() == (0,)
    assert search(place, Agent(), "TECHNO en Bogotá") == search(place, Agent(), "techno en bogotá", cached=False)
    assert pg.execute("select how, tenant from ops.query_log order by at").fetchall() == [
        ("exact", "agent"),
        ("made", "agent"),
    ]


def test_what_is_new_is_found_after_a_run(
    place: Settings, pg: "psycopg.Connection[Any]", world: World, client: redis.Redis
) -> None:
    run(place, pg, client)
    before = [row["name"] for row in search(place, Agent(), "techno en Bogotá")]
    venue(world, "Techno Club Bogotá", city="Bogotá")
    sync_all(place)
    assert [row["name"] for row in search(place, Agent(), "techno en Bogotá")] == before
    done = run(place, pg, client)
    assert done.dropped.answers > 0
    assert done.made > 0
    assert "Techno Club Bogotá" in [row["name"] for row in search(place, Agent(), "techno en Bogotá")]


def test_what_people_search_is_warmed_with_their_filters(
    place: Settings, pg: "psycopg.Connection[Any]", client: redis.Redis
) -> None:
    for _ in range(3):
        search(place, Staff(), "vinilos", city="Lima", limit=3, cached=False)
    assert run(place, pg, client).made == 3
    held = shelf.held(place, client)
    (about,) = [about for about, _ in held.entries.about() if about["tenant"] == "staff"]
    assert about["prompt"] == "vinilos"
    found = search(place, Staff(), "vinilos", city="Lima", limit=3)
    assert found == search(place, Staff(), "vinilos", city="Lima", limit=3, cached=False)
    assert pg.execute("select how from ops.query_log order by at desc offset 1 limit 1").fetchone() == ("exact",)


@pytest.fixture
def kpis(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the prompts of eager questions that were made; each is asked again under its own kind."""
    made: list[str] = []

    def asker(settings: Settings, scope: object, arguments: Any) -> object:
        return kpi(settings, arguments["prompt"], str(scope), made)

    monkeypatch.setattr(again, "_ASKERS", dict(again._ASKERS))
    again.register("executive_kpis", asker)
    return made


def kpi(place: Settings, prompt: str, tenant: str, made: list[str], *cites: str) -> object:
    question = Asked("executive_kpis", prompt, "", tenant, f'{{"prompt": "{prompt}"}}')

    def make(_: object) -> Made:
        made.append(prompt)
        return Made(len(made), frozenset(cites or ("*",)))

    return answer(place, question, unit, make).value


def test_eager_answers_are_made_again_when_they_fall(
    place: Settings, pg: "psycopg.Connection[Any]", world: World, client: redis.Redis, kpis: list[str]
) -> None:
    run(place, pg, client)
    kpi(place, "sales", "staff", kpis)
    kpi(place, "other", "staff", kpis, str(uuid.uuid4()))
    assert run(place, pg, client).renewed == 0
    venue(world, "New")
    sync_all(place)
    assert run(place, pg, client).renewed == 1
    assert kpis == ["sales", "other", "sales"]
    assert kpi(place, "sales", "staff", kpis) == 3


def test_eager_answers_are_made_again_before_they_end_while_they_are_asked_for(
    place: Settings, pg: "psycopg.Connection[Any]", client: redis.Redis, kpis: list[str]
) -> None:
    run(place, pg, client)
    for prompt in ("asked", "forgotten"):
        kpi(place, prompt, "staff", kpis)
    pg.execute("update ops.query_log set at = at - interval '2 days' where text = 'forgotten'")
    held = shelf.held(place, client)
    for key in client.scan_iter(f"{held.root}:answer:*"):
        client.expire(key, 100)
    assert run(place, pg, client).renewed == 1
    assert kpis == ["asked", "forgotten", "asked"]
    left = {about["prompt"]: seconds for about, seconds in held.entries.about()}
    assert (left["asked"] > 200, left["forgotten"] <= 100) == (True, True)


def test_a_question_that_fails_stops_nothing(
    place: Settings, pg: "psycopg.Connection[Any]", client: redis.Redis, kpis: list[str]
) -> None:
    query_log.ensure(pg)
    line = "insert into ops.query_log (kind, text, ms, hit, tenant, again) values (%s, 'x', 1, false, %s, %s)"
    for kind, tenant, arguments in (
        ("search", "nobody", '{"text": "x"}'),
        ("search", "staff", '{"text": ""}'),
        ("search", "staff", '{"no": 1}'),
        ("search", "staff", "[]"),
        ("unknown", "staff", "{}"),
    ):
        pg.execute(line, [kind, tenant, arguments])
    assert run(place, pg, client).asked == 2
    assert kpis == []


def test_what_a_run_tells(place: Settings, pg: "psycopg.Connection[Any]", client: redis.Redis) -> None:
    for _ in range(4):
        search(place, Staff(), "vinilos")
    told = assets._metadata(run(place, pg, client)) | assets._looks(pg)
    assert {"rows_in", "stored", "dropped", "swept", "renewed", "changes_read"} <= told.keys()
    assert (told["hit_rate"], told["saved_ms"] > 0) == (0.75, True)
    assert "| search | staff | vinilos | 4 | 75% |" in told["hottest"].value


def test_old_lines_of_the_log_are_forgotten(
    place: Settings, pg: "psycopg.Connection[Any]", client: redis.Redis
) -> None:
    search(place, Staff(), "vinilos")
    pg.execute(
        "insert into ops.query_log (kind, text, ms, hit, at) values ('a', 'b', 1, true, now() - interval '91 days')"
    )
    assert run(place, pg, client).forgotten == 1
    assert [hot.question for hot in log.hottest(pg)] == ["vinilos"]


@pytest.mark.parametrize("error", [psycopg.OperationalError("gone"), RuntimeError("lance error: Not found")])
def test_one_question_that_fails_stops_no_other(
    place: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception
) -> None:
    def fails(*_: Any) -> None:
        raise error

    monkeypatch.setattr(again, "_ASKERS", {"search": fails})
    assert not again.ask(place, "search", "staff", "{}")
    assert str(error) in caplog.text
