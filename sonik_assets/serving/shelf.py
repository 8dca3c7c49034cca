"""Where answers are kept: Redis as the settings name it, the entries, and what finds them by meaning.

`Held` lets errors through, for the stage `cache`; a `Shelf` spares who asks them. What is kept when is `answers`.
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import redis

from resources import embedded
from resources.embedded.urls import redacted
from resources.errors import SonikError
from sonik_assets.serving import single_flight
from sonik_assets.serving.entries import Asked, Entries, Found
from sonik_assets.serving.policies import SAME_MEANING, policy

if TYPE_CHECKING:
    from redisvl.extensions.cache.llm.base import BaseLLMCache

    from resources.encoders import Vectors
    from resources.settings import Settings

logger = logging.getLogger(__name__)

PREFIX = "sonik:cache"
SECONDS = 0.5
"""The longest that one call to Redis may take before a question goes on without it."""
AWAY_SECONDS = 5.0
"""How long nobody asks a Redis that was not there."""
ENDPOINT_SECONDS = 30.0
EXPECTED = (redis.RedisError, OSError, ValueError, TypeError, KeyError, AttributeError)
"""What a Redis that is away, full or read-only, or an entry that somebody else wrote, can raise."""

_AWAY: dict[str, float] = {}
"""Until when (monotonic) the Redis of each URL is let alone."""


class Held:
    """The answers of one database, with what finds them by meaning."""

    def __init__(self, client: "redis.Redis", database: str) -> None:
        """Take a client that returns bytes."""
        self.client = client
        self.root = f"{PREFIX}:{quote(database, safe='')}"
        self.entries = Entries(client, self.root)

    def similar(self, asked: Asked, same: str, vector: "Vectors", count: int, distance: float) -> Found | None:
        """Return the answer of the nearest question that has one, and remember the question with it."""
        from redisvl.query.filter import Tag

        from resources.stores.semantic_cache import redis_errors

        with redis_errors():
            hits = self.meaning(asked.tenant, len(_flat(vector))).check(
                vector=_flat(vector),
                num_results=count,
                filter_expression=Tag("scope") == same,
                distance_threshold=distance,
            )
        for hit in hits:
            found = self.entries.find(hit["response"])
            if found is not None and not found.similar:
                self.entries.same_as(asked.key, hit["response"])
                return Found(found.value, similar=True)
        return None

    def keep(
        self,
        asked: Asked,
        same: str,
        value: Any,
        cites: Collection[str],
        *,
        epoch: str,
        vector: "Vectors | None",
        made_ms: float,
    ) -> bool:
        """Keep an answer as its kind is kept; False where something was dropped since `epoch`."""
        rule = policy(asked.kind)
        near = None if vector is None or rule.refresh != "semantic" else vector.reshape(-1)
        facts = {"made_ms": round(made_ms, 3), "same": same, "dimension": 0 if vector is None else vector.size}
        kept = self.entries.keep(asked, value, cites, seconds=rule.seconds, epoch=epoch, vector=near, facts=facts)
        if kept and vector is not None and rule.by_meaning:
            from resources.stores.semantic_cache import redis_errors

            self.client.sadd(self._tenants, f"{asked.tenant} {len(_flat(vector))}")
            with redis_errors():
                # What is found by meaning is the key of an answer: the answer itself is kept once, and dropped once.
                self.meaning(asked.tenant, len(_flat(vector))).store(
                    asked.prompt.casefold(), asked.key, vector=_flat(vector), filters={"scope": same}, ttl=rule.seconds
                )
        return kept

    def meaning(self, tenant: str, dimension: int) -> "BaseLLMCache":
        """Return what finds a tenant's questions of one model's dimension by meaning."""
        # A name of fixed length: no tenant's is the beginning of another's, whatever it is called.
        name = hashlib.sha256(f"{tenant} {dimension}".encode()).hexdigest()[:24]
        return _opened(self.client, f"{self.root}:meaning:{name}", dimension)

    def forget(self, dropped: Iterable[Mapping[str, Any]]) -> None:
        """Remove what finds dropped answers (`Entries.about`) by meaning: it would be in the way of others."""
        from redisvl.redis.utils import hashify

        from resources.stores.semantic_cache import redis_errors

        ids: dict[tuple[str, int], list[str]] = {}
        for each in dropped:
            if each["dimension"]:
                id = hashify(each["prompt"].casefold(), {"scope": each["same"]})
                ids.setdefault((each["tenant"], each["dimension"]), []).append(id)
        for (tenant, dimension), found in ids.items():
            with redis_errors():
                self.meaning(tenant, dimension).drop(ids=found)

    def sweep(self) -> int:
        """Remove what finds answers that have ended; return how many."""
        swept = 0
        tenants: Any = self.client.smembers(self._tenants)
        for member in tenants:
            tenant, _, dimension = member.decode().rpartition(" ")
            swept += self.meaning(tenant, int(dimension)).sweep()
        return swept

    @property
    def _tenants(self) -> str:
        return f"{self.root}:tenants"


class Shelf:
    """The answers for who asks a question: where Redis does not answer once, it is not asked again."""

    def __init__(self, held: Held | None, url: str = "") -> None:
        """Take what is held, None where it is away."""
        self._held = held
        self._url = url

    def ask[T](self, do: Callable[[Held], T]) -> T | None:
        """Return what the answers say, or None where that fails."""
        if self._held is None:
            return None
        try:
            return do(self._held)
        except EXPECTED as error:
            logger.warning("answering without the cache: %s", error)
            if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
                _AWAY[self._url] = time.monotonic() + AWAY_SECONDS
                self._held = None
            return None

    @contextmanager
    def turn(self, key: str, proof: str) -> Iterator[None]:
        """Make an answer while all others who ask the same wait for it."""
        if self._held is None:
            yield
            return
        client, lock = self._held.client, self._held.entries.lock(key)
        try:
            with single_flight.held(client, lock, proof):
                yield
        finally:
            self.ask(lambda held: single_flight.release(held.client, lock, proof))


def await_turn(held: Held, key: str, seconds: float) -> tuple[Found | None, str]:
    """Return the answer that another made meanwhile and "", or None and the proof that it is ours to make."""
    lock = held.entries.lock(key)
    return single_flight.wait(held.client, lock, lambda: held.entries.find(key), seconds=seconds)


def reach(settings: "Settings") -> Shelf:
    """Return the answers of these settings' database; none, and a warning, where Redis is away."""
    try:
        url, database = _where(settings, int(time.monotonic() // ENDPOINT_SECONDS))
    except SonikError as error:
        logger.warning("answering without the cache: %s", error)
        return Shelf(None)
    if _AWAY.get(url, 0.0) > time.monotonic():
        return Shelf(None)
    client = _client(url)
    return Shelf(Held(client, database), url) if _keeps_all(client, url) else Shelf(None)


def held(settings: "Settings", client: "redis.Redis") -> Held:
    """Return the answers of these settings' database on a server that is known to be there."""
    return Held(client, _database(embedded.endpoints(settings).postgres))


def scope(*parts: str) -> str:
    """Return a hash of what must be equal for two questions to be compared by meaning."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def connect(url: str, seconds: float = SECONDS) -> "redis.Redis":
    """Return a client that returns bytes and waits for nothing longer than that; it connects when it is used."""
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    # Once more, for a connection that a restarted server has closed meanwhile.
    again = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    # Older query engines answer a search as under protocol 2, whatever was agreed on.
    return redis.Redis.from_url(url, socket_timeout=seconds, socket_connect_timeout=seconds, retry=again, protocol=2)


@lru_cache(maxsize=8)
def _where(settings: "Settings", _moment: int) -> tuple[str, str]:
    found = embedded.endpoints(settings)
    return found.redis, _database(found.postgres)


def _database(postgres_url: str) -> str:
    from psycopg.conninfo import conninfo_to_dict

    return str(conninfo_to_dict(postgres_url).get("dbname", ""))


@lru_cache(maxsize=8)
def _client(url: str) -> "redis.Redis":
    return connect(url)


_KEEPS: dict[str, bool] = {}


def _keeps_all(client: "redis.Redis", url: str) -> bool:
    """Return whether the server lets nothing go by itself: an answer without the list of what it cites would stay."""
    if url not in _KEEPS:
        try:
            memory: Any = client.info("memory")
        except EXPECTED as error:
            logger.warning("answering without the cache: Redis at %s: %s", redacted(url), error)
            _AWAY[url] = time.monotonic() + AWAY_SECONDS
            return False
        _KEEPS[url] = not memory.get("maxmemory") or memory.get("maxmemory_policy") == "noeviction"
        if not _KEEPS[url]:
            logger.warning(
                "answering without the cache: Redis at %s evicts keys (maxmemory-policy %s): set noeviction",
                *(redacted(url), memory.get("maxmemory_policy")),
            )
    return _KEEPS[url]


@lru_cache(maxsize=1024)
def _opened(client: "redis.Redis", name: str, dimension: int) -> "BaseLLMCache":
    from resources.stores.semantic_cache import open_cache

    return open_cache(client, name, dimension=dimension, tags=("scope",), distance=SAME_MEANING)


def _flat(vector: "Vectors") -> list[float]:
    flat: list[float] = vector.reshape(-1).tolist()
    return flat
