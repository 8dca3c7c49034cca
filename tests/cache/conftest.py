"""A furnished world, and a Redis client on a server whose cache keys are gone before and after."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from resources import embedded
from resources.settings import Settings
from resources.stores import redis as redis_store
from sonik_assets.serving.answers import PREFIX
from tests.support.searchable import furnish, place_in, world_in
from tests.support.unified import World


@pytest.fixture
def client(endpoints: embedded.Endpoints) -> Iterator[redis.Redis]:
    client = redis_store.connect(endpoints.redis)
    _clean(client)
    yield client
    _clean(client)
    client.close()


@pytest.fixture
def place(settings: Settings, database: str, tmp_path: Path) -> Settings:
    return place_in(settings, database, tmp_path)


@pytest.fixture
def world(database: str, place: Settings) -> Iterator[World]:
    with world_in(database) as world:
        furnish(world, place)
        yield world


def _clean(client: redis.Redis) -> None:
    keys = list(client.scan_iter(f"{PREFIX}:*"))
    if keys:
        client.delete(*keys)
