"""A database with claims."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.claims import Claimed


@pytest.fixture
def claimed(database: str) -> Iterator[Claimed]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield Claimed(connection)
