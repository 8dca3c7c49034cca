"""Views that a run leaves alone: only those that the project's present text has made, and that still look so."""

from collections.abc import Iterator

import psycopg
import pytest

from sonik_assets.migrations import migrate
from sonik_assets.unified.views import leave_alone, remember, standing, views_of

VIEWS: dict[str, set[str]] = {"staging.venues": set(), "unified.rooms": set()}


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as connection:
        migrate(connection)
        connection.execute("create schema if not exists staging; create schema if not exists unified")
        connection.execute("create view staging.venues as select 1 as id; create view unified.rooms as select 2 as id")
        yield connection


def test_a_view_stands_once_it_was_made_by_this_text(connection: psycopg.Connection) -> None:
    assert standing(connection, VIEWS, "text") == []
    remember(connection, ["staging.venues"], "text")
    assert standing(connection, VIEWS, "text") == ["staging.venues"]
    assert standing(connection, VIEWS, "another text") == []
    assert standing(connection, {"unified.rooms": set()}, "text") == []


@pytest.mark.parametrize(
    "done",
    [
        "create or replace view staging.venues as select 3 as id",
        "drop view staging.venues",
        "drop view staging.venues; create table staging.venues (id int)",
        "alter view staging.venues rename column id to number",
        "alter view staging.venues rename to places",
        "alter view staging.venues set (security_invoker = true)",
    ],
)
def test_a_view_that_another_hand_has_changed_stands_no_more(connection: psycopg.Connection, done: str) -> None:
    remember(connection, VIEWS, "text")
    connection.execute(done)
    assert standing(connection, VIEWS, "text") == ["unified.rooms"]
    remember(connection, ["staging.gone"], "text")
    assert standing(connection, {"staging.gone": set()}, "text") == []


def test_what_reads_a_view_that_is_made_again_is_made_again(connection: psycopg.Connection) -> None:
    """It may have to be dropped, as where it has lost a column, and what reads it falls with it."""
    views = VIEWS | {"unified.rooms": {"staging.venues"}, "unified.halls": {"unified.rooms"}, "unified.bars": set()}
    connection.execute("create view unified.halls as select 1 as id; create view unified.bars as select 1 as id")
    remember(connection, views, "text")
    assert standing(connection, views, "text") == sorted(views)
    assert standing(connection, views, "text", again=["unified.rooms"]) == ["staging.venues", "unified.bars"]
    connection.execute("create or replace view staging.venues as select 3 as id")
    assert standing(connection, views, "text") == ["unified.bars"]
    assert standing(connection, {"unified.halls": {"unified.rooms"}}, "text") == ["unified.halls"]


def test_who_may_read_it_is_made_sure_of(connection: psycopg.Connection) -> None:
    remember(connection, VIEWS, "text")
    connection.execute("grant select on unified.rooms to public")
    standing(connection, VIEWS, "text")
    (public,) = connection.execute("select has_table_privilege('public', 'unified.rooms', 'select')").fetchone() or ()
    assert public is False


def node(schema: str, name: str, materialized: str, *reads: str) -> dict[str, object]:
    return {
        "schema": schema,
        "name": name,
        "config": {"materialized": materialized},
        "depends_on": {"nodes": list(reads)},
    }


def test_views_are_left_out_and_their_tests_are_not() -> None:
    manifest = {
        "nodes": {
            "model.sonik.venues": node("staging", "venues", "view", "source.sonik.raw.venues"),
            "model.sonik.events": node("unified", "events", "incremental", "model.sonik.venues"),
            "model.sonik.rooms": node("unified", "rooms", "view", "model.sonik.venues", "model.sonik.events"),
            "test.sonik.a": node("x", "a", "test", "model.sonik.rooms"),
        }
    }
    assert views_of(manifest) == {"staging.venues": set(), "unified.rooms": {"staging.venues"}}
    assert leave_alone([]) == leave_alone([], ["a"]) == []
    assert leave_alone(VIEWS) == ["--indirect-selection", "empty", "--exclude", "venues rooms"]
    chosen = ["--indirect-selection", "empty", "--select", "a b", "--exclude", "venues"]
    assert leave_alone(["staging.venues"], ["b", "a"]) == chosen
