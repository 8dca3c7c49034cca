from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.support import feed


@pytest.fixture
def pg(database: str) -> Iterator["psycopg.Connection[Any]"]:
    """Return a connection to a database with published tables and a slot that begins behind them."""
    with feed.connect(database) as made, made.transaction():
        feed.migrate(made)
        made.execute(feed.TABLES)
    with feed.followed(database) as connection:
        yield connection
