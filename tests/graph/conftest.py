"""A small world in PostgreSQL for the graph tests."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.unified import World


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield World(connection)
