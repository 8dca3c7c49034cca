"""What the tests of the raw stage share."""

from collections.abc import Iterator

import psycopg
import pytest

from sonik_assets.raw import schema


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database) as connection:
        schema.ensure(connection)
        connection.commit()
        yield connection
