"""Servers of both ages, a source with something awkward of every kind, and targets of one's own."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from resources import embedded
from resources.embedded.urls import with_database
from tests.support.old_postgres import OldPostgres, installed

AWKWARD = (Path(__file__).parent / "awkward.sql").read_text()


@pytest.fixture(scope="session")
def oldest() -> Iterator[OldPostgres]:
    """Return the oldest server that the machine has."""
    found = installed()
    if not found:
        pytest.skip("no PostgreSQL 15 to 17 on this machine: apt-get install postgresql-15")
    with OldPostgres(next(iter(found.values()))) as server:
        yield server


def fresh(server: str) -> str:
    """Return the URL of a new database."""
    name = f"move_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0")
    return with_database(server, name)


def run(url: str, script: str) -> None:
    """Run statements, each in a transaction of its own unless the script says otherwise."""
    with psycopg.connect(url, autocommit=True, client_encoding="utf8") as connection:
        connection.execute(script.encode())


@pytest.fixture
def old(oldest: OldPostgres) -> str:
    """Return the URL of a new database on the old server."""
    return fresh(oldest.url)


@pytest.fixture
def new(database: str) -> str:
    """Return the URL of a new database on the new server."""
    return database


@pytest.fixture
def awkward(old: str) -> str:
    """Return a source with something of every kind."""
    run(old, AWKWARD)
    return old


@pytest.fixture
def role(oldest: OldPostgres, endpoints: embedded.Endpoints) -> Iterator[str]:
    """Return a role that only the old server has."""
    name = f"keeper {uuid.uuid4().hex[:6]}"
    run(oldest.url, f'create role "{name}" login createdb bypassrls')
    yield name
    with psycopg.connect(endpoints.postgres, autocommit=True) as connection:
        connection.execute(f'drop role if exists "{name}"'.encode())
