"""The scene, once a module: the tests here only read."""

import uuid
from collections.abc import Iterator

import psycopg
import pytest

from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from resources.stores import falkordb
from tests.support.scene import Scene, build


@pytest.fixture(scope="module")
def scene(endpoints: Endpoints) -> Iterator[Scene]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    client = falkordb.connect(endpoints.falkordb)
    with psycopg.connect(endpoints.postgres, autocommit=True) as admin:
        admin.execute(f"create database {name} template template0")
        with psycopg.connect(with_database(endpoints.postgres, name), autocommit=True) as pg:
            yield build(pg, client)
        admin.execute(f"drop database {name} with (force)")
    for graph in client.list_graphs():
        client.select_graph(graph).delete()
