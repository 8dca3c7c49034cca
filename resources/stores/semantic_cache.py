"""The semantic cache that a Redis can carry: RedisVL's where it has the query engine, ours over vector sets elsewhere.

Both take and give what RedisVL's `BaseLLMCache` does. A hit prolongs nothing: an entry ends when it was said to.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import redis
from redisvl.exceptions import RedisVLError
from redisvl.extensions.cache.llm import SemanticCache
from redisvl.extensions.cache.llm.base import BaseLLMCache
from redisvl.utils.vectorize import CustomVectorizer

from resources.stores.vector_set_cache import VectorSetCache


class EngineCache(SemanticCache):  # type: ignore[misc]  # RedisVL has no types
    """RedisVL's cache on the query engine, but that a hit leaves an entry's end alone."""

    def expire(self, key: str, ttl: int | None = None) -> None:
        """Set an end that is given; RedisVL calls this without one for every hit, to put the end off."""
        if ttl is not None:
            super().expire(key, ttl)

    async def aexpire(self, key: str, ttl: int | None = None) -> None:
        """As `expire`."""
        if ttl is not None:
            await super().aexpire(key, ttl)

    def sweep(self) -> int:
        """Do nothing: the engine forgets an entry when its hash ends."""
        return 0


def has_engine(client: "redis.Redis") -> bool:
    """Return whether the server has the query engine."""
    return _indexes(client) is not None


def open_cache(
    client: "redis.Redis", name: str, *, dimension: int, tags: tuple[str, ...], distance: float
) -> BaseLLMCache:
    """Return the cache `name`, made where it is absent; hits lie within `distance` (1 - cosine).

    `tags`: filters that entries have. Neither a name nor a prefix of it may be the beginning of another cache's.
    """
    indexes = _indexes(client)
    if indexes is None:
        return VectorSetCache(name, redis_client=client, distance_threshold=distance)
    with redis_errors():
        return EngineCache(
            name=name,
            distance_threshold=distance,
            vectorizer=_vectorizer(dimension),
            filterable_fields=[{"name": tag, "type": "tag"} for tag in tags],
            redis_client=client,
            # One that is there is not compared: engines differ in what they tell of an index.
            create_index=name not in indexes,
        )


@contextmanager
def redis_errors() -> Iterator[None]:
    """Raise RedisVL's own errors as redis-py's."""
    try:
        yield
    except RedisVLError as error:
        raise redis.RedisError(str(error)) from error


@lru_cache
def _vectorizer(dimension: int) -> CustomVectorizer:
    # Vectors are always given; RedisVL calls this only to learn their length.
    return CustomVectorizer(embed=lambda *_, **__: [0.0] * dimension)


def _indexes(client: "redis.Redis") -> list[str] | None:
    """Return the names of the engine's indexes, or None where there is no engine."""
    try:
        names: Any = client.execute_command("FT._LIST")  # type: ignore[no-untyped-call]
    except redis.ResponseError:
        return None
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
