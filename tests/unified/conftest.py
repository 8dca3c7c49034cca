"""A database with claims; one that dbt has built."""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from resources.embedded import Endpoints
from tests.support.built import Built, copied, furnish
from tests.support.claims import Claimed


@pytest.fixture
def claimed(database: str) -> Iterator[Claimed]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield Claimed(connection)


@pytest.fixture(scope="session")
def template(endpoints: Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The name of a database that dbt has built once, and the folder of its files."""
    home = tmp_path_factory.mktemp("built")
    with psycopg.connect(endpoints.postgres, autocommit=True) as server:
        # dbt knows one database by name: what it is built in becomes the template, its copies take the name.
        with copied(endpoints.postgres, "template0", "test_built", home) as built:
            furnish(built)
            built.connection.close()
            server.execute("create database test_built_template template test_built")
        yield "test_built_template", home
        server.execute("drop database test_built_template with (force)")


@pytest.fixture
def built(endpoints: Endpoints, template: tuple[str, Path]) -> Iterator[Built]:
    """A copy of it for one test to change."""
    name, home = template
    with copied(endpoints.postgres, name, "test_built", home) as made:
        yield made


@pytest.fixture(scope="session")
def server(endpoints: Endpoints) -> Iterator[psycopg.Connection]:
    """A connection for statements that read no table."""
    with psycopg.connect(endpoints.postgres, autocommit=True) as connection:
        yield connection
