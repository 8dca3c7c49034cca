"""Answers that were given before, in Redis: by the exact question, then by a question that means the same.

Key: tenant and generation. The generation follows the vector tables, so an answer made from older data is out
of reach. Redis being away is a miss: slower, never wrong. Filling and sweeping is the stage `cache`.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis

from resources import embedded
from resources.errors import TransientError
from resources.stores import redis as redis_store
from resources.stores.lancedb import DIMENSION
from sonik_assets.serving.question import Question

if TYPE_CHECKING:
    from redisvl.extensions.cache.llm.base import BaseLLMCache

    from resources.embedder import Vectors
    from resources.settings import Settings

logger = logging.getLogger(__name__)

Answer = list[dict[str, Any]]
PREFIX = "sonik:cache"
TTL_SECONDS = 7 * 24 * 3600
DISTANCE = 0.08
"""Furthest that two questions may lie apart (1 - cosine): rewordings are at 0.02 to 0.07, weekdays at 0.13."""


class Answers:
    """The cache of one tenant and one generation of the data."""

    def __init__(self, client: redis.Redis, generation: str, tenant: str = "default") -> None:
        self.client = client
        self.name = f"{PREFIX}:{tenant}:{generation}"
        self._semantic: BaseLLMCache | None = None

    def exact(self, question: Question) -> Answer | None:
        """Return the answer to this very question."""
        found = self.client.get(self._key(question))
        return None if found is None else _loads(found)

    def similar(self, question: Question, vector: "Vectors") -> Answer | None:
        """Return the answer to a question with the same filters and numbers that means the same."""
        from redisvl.query.filter import Tag

        scope = Tag("scope") == question.scope
        with _redis_errors():
            hits = self.semantic.check(vector=vector.tolist(), filter_expression=scope)
        return _loads(hits[0]["response"]) if hits else None

    def keep(self, question: Question, vector: "Vectors", answer: Answer) -> None:
        """Keep the answer until it expires, however often it is asked for meanwhile."""
        text = json.dumps(answer, ensure_ascii=False)
        with _redis_errors():
            self.semantic.store(
                question.prompt,
                text,
                vector=vector.tolist(),
                filters={"scope": question.scope},
                ttl=TTL_SECONDS,
            )
        self.client.set(self._key(question), text, ex=TTL_SECONDS)

    @property
    def semantic(self) -> "BaseLLMCache":
        """RedisVL's cache where the server has the query engine, ours over vector sets where it has not."""
        if self._semantic is None:
            self._semantic = semantic_cache(self.client, self.name)
        return self._semantic

    def _key(self, question: Question) -> str:
        digest = hashlib.sha256(f"{question.scope} {question.prompt}".encode()).hexdigest()
        return f"{self.name}:exact:{digest}"


def semantic_cache(client: redis.Redis, name: str) -> "BaseLLMCache":
    """Return the semantic cache that this server can carry."""
    indexes = query_indexes(client)
    if indexes is None:
        from resources.stores.vector_set_cache import VectorSetCache

        return VectorSetCache(name, redis_client=client, distance_threshold=DISTANCE)
    from redisvl.extensions.cache.llm import SemanticCache
    from redisvl.utils.vectorize import CustomVectorizer

    # Vectors are always given; RedisVL calls the vectorizer only to learn their length.
    return SemanticCache(
        name=name,
        distance_threshold=DISTANCE,
        vectorizer=CustomVectorizer(embed=lambda *_, **__: [0.0] * DIMENSION),
        filterable_fields=[{"name": "scope", "type": "tag"}],
        redis_client=client,
        create_index=name not in indexes,
    )


def query_indexes(client: redis.Redis) -> list[str] | None:
    """Return the names of the query engine's indexes, or None where the server has no query engine."""
    command: Callable[..., Any] = client.execute_command  # redis-py has no types for commands by name
    try:
        return [str(name) for name in command("FT._LIST")]
    except redis.ResponseError:
        return None


def connect(settings: "Settings", generation: str) -> Answers | None:
    """Return the answers of this generation, or None while Redis is away."""
    try:
        return Answers(redis_store.connect(embedded.endpoints(settings).redis), generation)
    except TransientError as error:
        logger.warning("searching without the cache: %s", error)
        return None


def spared[T](ask: Callable[[], T]) -> T | None:
    """Return what the cache says, or None where it fails: a question never fails with the cache."""
    try:
        return ask()
    except redis.RedisError as error:
        logger.warning("the cache failed, searching without it: %s", error)
        return None


@contextmanager
def _redis_errors() -> Iterator[None]:
    """Raise RedisVL's own errors as redis-py's: the exact path then needs no RedisVL, a second to import."""
    from redisvl.exceptions import RedisVLError

    try:
        yield
    except RedisVLError as error:
        raise redis.RedisError(str(error)) from error


def _loads(text: str | bytes) -> Answer:
    answer: Answer = json.loads(text)
    return answer
