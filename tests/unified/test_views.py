"""Views that a run leaves alone: only those that the project's present text has made, and that still look so."""

from collections.abc import Iterator

import psycopg
import pytest

from sonik_assets.migrations import migrate
from sonik_assets.unified.views import leave_alone, remember, standing, views_of

VIEWS = ["staging.venues", "unified.rooms"]


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
    assert standing(connection, ["unified.rooms"], "text") == []


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
    assert standing(connection, ["staging.gone"], "text") == []


def test_who_may_read_it_is_made_sure_of(connection: psycopg.Connection) -> None:
    remember(connection, VIEWS, "text")
    connection.execute("grant select on unified.rooms to public")
    standing(connection, VIEWS, "text")
    (public,) = connection.execute("select has_table_privilege('public', 'unified.rooms', 'select')").fetchone() or ()
    assert public is False


def test_views_are_left_out_and_their_tests_are_not() -> None:
    manifest = {
        "nodes": {
            "model.sonik.venues": {"schema": "staging", "name": "venues", "config": {"materialized": "view"}},
            "model.sonik.events": {"schema": "unified", "name": "events", "config": {"materialized": "incremental"}},
            "test.sonik.a": {"schema": "x", "name": "a", "config": {"materialized": "test"}},
        }
    }
    assert views_of(manifest) == ["staging.venues"]
    assert leave_alone([]) == leave_alone([], ["a"]) == []
    assert leave_alone(VIEWS) == ["--indirect-selection", "empty", "--exclude", "venues rooms"]
    chosen = ["--indirect-selection", "empty", "--select", "a b", "--exclude", "venues"]
    assert leave_alone(VIEWS[:1], ["b", "a"]) == chosen
