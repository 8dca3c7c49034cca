"""Scopes: what they are, and that nothing of one is left when it ends."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import TerminalError
from sonik_assets.migrations import migrate
from sonik_assets.serving.scope import Agent, Organizer, Scope, Staff, parse, scoped

MINE = Organizer(uuid.UUID("01a2007b-742d-71ff-bcd0-4f5dad4060f2"))
NOW = "select current_setting('role'), coalesce(current_setting('app.current_organization', true), '')"


@pytest.fixture
def pg(database: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database, autocommit=True) as connection:
        with connection.transaction():
            migrate(connection)
        yield connection


@pytest.mark.parametrize("scope", [Staff(), Agent(), MINE])
def test_a_scope_reads_as_it_is_written(scope: Scope) -> None:
    assert parse(str(scope)) == scope


@given(st.text())
def test_nothing_else_is_a_scope(text: str) -> None:
    try:
        scope = parse(text)
    except TerminalError as error:
        assert "scope" in str(error)  # noqa: PT017 - most texts are none
    else:
        assert isinstance(scope, Organizer) or text in ("staff", "agent")


@pytest.mark.parametrize("nobody", [None, "", str(MINE), "' or true --"])
def test_an_organization_is_a_uuid(nobody: Any) -> None:
    with pytest.raises(TerminalError, match="no organization"):
        Organizer(nobody)


@pytest.mark.parametrize("nobody", [None, "staff", MINE.organization, Staff])
def test_there_is_no_default(pg: psycopg.Connection[Any], nobody: Any) -> None:
    with pytest.raises(TerminalError, match="is no scope"), scoped(pg, nobody):
        pytest.fail("read without a scope")


@pytest.mark.parametrize(
    ("scope", "role", "organization"),
    [(Staff(), "sonik_staff", ""), (Agent(), "sonik_agent", ""), (MINE, "sonik_organizer", str(MINE))],
)
def test_a_scope_holds_for_its_transaction(
    pg: psycopg.Connection[Any], scope: Scope, role: str, organization: str
) -> None:
    with scoped(pg, scope):
        assert pg.execute(NOW).fetchone() == (role, organization)
        assert pg.execute("select current_user").fetchone() == (role,)
    assert pg.execute(NOW).fetchone() == ("none", "")
    assert pg.execute("show transaction_read_only").fetchone() == ("off",)


def test_a_scope_ends_with_an_error_too(pg: psycopg.Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), scoped(pg, MINE):
        pg.execute("select 1 / 0")
    assert pg.execute(NOW).fetchone() == ("none", "")


def test_a_scope_is_not_within_another(pg: psycopg.Connection[Any]) -> None:
    with scoped(pg, MINE), pytest.raises(TerminalError, match="inside of a transaction"), scoped(pg, Staff()):
        pytest.fail("staff inside of an organizer")


@pytest.mark.parametrize("scope", [Agent(), MINE])
def test_only_staff_writes(pg: psycopg.Connection[Any], scope: Scope) -> None:
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), scoped(pg, scope):
        pg.execute("create temporary table mine ()")
    with scoped(pg, Staff()):
        pg.execute("insert into ops.claims (id, entity_ref, user_id, event) values (uuidv7(), 'a/b/1', 'u', 'submit')")


def test_a_login_that_may_not_is_told_what_to_do(pg: psycopg.Connection[Any], database: str) -> None:
    login = f"nobody_{uuid.uuid4().hex[:8]}"
    pg.execute(f"create role {login} login")
    try:
        with (
            psycopg.connect(database, user=login) as stranger,
            pytest.raises(TerminalError, match=r"permission denied.*grant the role"),
            scoped(stranger, MINE),
        ):
            pytest.fail("read as a role that the login does not have")
    finally:
        pg.execute(f"drop role {login}")
