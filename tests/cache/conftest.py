"""A furnished world, answers of a database's own, and the two kinds of server that can find them by meaning."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from resources import embedded
from resources.settings import Settings
from sonik_assets.serving import shelf
from sonik_assets.serving.answers import PREFIX
from tests.support import query_engine
from tests.support.protected import protect
from tests.support.searchable import furnish, place_in, world_in
from tests.support.unified import World


@pytest.fixture
def client(endpoints: embedded.Endpoints) -> Iterator[redis.Redis]:
    """Return a client of the embedded server, which is a plain Redis 8."""
    with shelf.connect(endpoints.redis, 60) as client:
        _clean(client)
        yield client
        _clean(client)


@pytest.fixture(scope="session")
def engine_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the URL of a server with the query engine."""
    if query_engine.compiler() is None:
        pytest.skip("there is no C compiler to make the query engine's module with")
    with query_engine.query_engine(tmp_path_factory.mktemp("engine")) as url:
        yield url


@pytest.fixture(params=["vector sets", "query engine"])
def either(request: pytest.FixtureRequest) -> Iterator[redis.Redis]:
    """Return a client of a plain Redis 8, then of one with the query engine."""
    if request.param == "vector sets":
        yield request.getfixturevalue("client")
        return
    with shelf.connect(request.getfixturevalue("engine_url"), 60) as client:
        client.flushall()
        yield client


@pytest.fixture
def place(settings: Settings, database: str, tmp_path: Path) -> Settings:
    return place_in(settings, database, tmp_path)


@pytest.fixture
def world(database: str, place: Settings) -> Iterator[World]:
    with world_in(database) as world:
        furnish(world, place)
        protect(world.pg)
        yield world


def _clean(client: redis.Redis) -> None:
    keys = list(client.scan_iter(f"{PREFIX}:*"))
    if keys:
        client.delete(*keys)


@pytest.fixture(params=["vector sets", "query engine"])
def either_place(request: pytest.FixtureRequest, place: Settings) -> Settings:
    """Return settings with answers on a plain Redis 8, then on one with the query engine."""
    if request.param == "vector sets":
        request.getfixturevalue("client")
        return place
    url = request.getfixturevalue("engine_url")
    with shelf.connect(url, 60) as client:
        client.flushall()
    return replace(place, redis_url=url)
