"""Stores at given addresses, for assets and sensors that are run without settings."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from falkordb import FalkorDB

from resources.dagster import Stores
from resources.embedded import Endpoints
from resources.stores import falkordb as falkordb_store


class FixedStores(Stores):
    """PostgreSQL and FalkorDB at given addresses."""

    postgres_url: str
    falkordb_url: str

    @contextmanager
    def postgres(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.postgres_url) as connection:
            yield connection

    def endpoints(self) -> Endpoints:
        return Endpoints(self.postgres_url, self.postgres_url, self.falkordb_url, self.falkordb_url)

    def falkordb(self) -> FalkorDB:
        return falkordb_store.connect(self.falkordb_url)
