"""Fixtures for everything that needs real servers: one set per test process, an empty database per test."""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import hypothesis
import psycopg
import pytest
from falkordb import FalkorDB
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from resources import embedded
from resources.embedded.urls import with_database
from resources.settings import Settings
from resources.stores import falkordb as falkordb_store

# No deadline: the machine is busy. New examples at the desk, the same ones wherever CI is set.
hypothesis.settings.register_profile("sonik", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.load_profile("sonik")

GRAPHS = ("operations", "knowledge", "agent_memory")


class _Together(LoadScopeScheduling):
    """Gives tests that share a home, or a database that dbt built, to one worker: making those takes longer."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.split("::")[0]
        if path in _ALONE:
            return path
        return next((folder for folder in _SHARING if path.startswith(folder)), nodeid)


_SHARING = ("tests/end_to_end/", "tests/unified/")
_ALONE = (
    "tests/end_to_end/test_killed.py",
    "tests/end_to_end/test_definitions.py",
    "tests/unified/test_incremental.py",
    "tests/unified/test_access.py",
)
"""These need no home of others for long: a second worker takes them meanwhile."""


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Together:
    """Schedule in place of `--dist loadgroup`, whose marks xdist 3.8 loses under pytest 9.2."""
    return _Together(config, log)


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    """Return settings of a fresh home whose servers are up; all of it is gone after the session."""
    # Not pytest's own folder: that one is closed to the account that PostgreSQL runs as under root.
    home = Path(tempfile.mkdtemp(prefix="sonik-test-"))
    found = replace(Settings.from_env({"SONIK_HOME": str(home)}), lake_uri=str(home / "lake"))
    try:
        servers = embedded.up(found)
        # Who waits for the disk need not wait for the second to be over.
        falkordb_store.connect(servers.falkordb).connection.config_set("appendfsync", "always")
        yield found
    finally:
        embedded.delete(found)
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def endpoints(settings: Settings) -> embedded.Endpoints:
    """Return where the session's servers are."""
    return embedded.endpoints(settings)


@pytest.fixture
def database(endpoints: embedded.Endpoints) -> Iterator[str]:
    """Return the URL of a fresh empty database, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(endpoints.postgres, autocommit=True) as connection:
        connection.execute(f"create database {name} template template0")
        yield with_database(endpoints.postgres, name)
        # A database that has a slot cannot be dropped.
        slots = "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s"
        connection.execute(slots, [name])
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def falkordb(endpoints: embedded.Endpoints) -> Iterator[FalkorDB]:
    """Return a FalkorDB client; our three graphs do not exist before and after."""
    client = falkordb_store.connect(endpoints.falkordb)
    _delete_graphs(client)
    yield client
    _delete_graphs(client)
    client.close()


def _delete_graphs(client: FalkorDB) -> None:
    for name in set(client.list_graphs()) & set(GRAPHS):
        client.select_graph(name).delete()
    client.connection.delete("sonik:positions", "sonik:generations", "sonik:schemas")
