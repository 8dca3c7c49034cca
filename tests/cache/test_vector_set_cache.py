"""The contract of a RedisVL cache, run against vector sets."""

import time

import numpy as np
import pytest
import redis
from redisvl.query.filter import Num, Tag

from resources.stores.vector_set_cache import VectorSetCache
from sonik_assets.serving.answers import PREFIX, query_indexes, semantic_cache

RNG = np.random.default_rng(0)


def unit(*, near: list[float] | None = None, noise: float = 0.01) -> list[float]:
    base = RNG.normal(size=384) if near is None else np.asarray(near) + noise * RNG.normal(size=384)
    vector: list[float] = (base / np.linalg.norm(base)).tolist()
    return vector


@pytest.fixture
def cache(client: redis.Redis) -> VectorSetCache:
    found = semantic_cache(client, f"{PREFIX}:test:one")
    assert isinstance(found, VectorSetCache)
    return found


def test_the_embedded_server_has_no_query_engine(client: redis.Redis) -> None:
    assert query_indexes(client) is None


def test_a_near_prompt_hits_and_a_far_one_does_not(cache: VectorSetCache) -> None:
    vector = unit()
    key = cache.store("q", "a", vector=vector, metadata={"k": 1}, filters={"scope": "s"})
    (hit,) = cache.check(vector=unit(near=vector), filter_expression=Tag("scope") == "s")
    assert (hit["prompt"], hit["response"], hit["metadata"], hit["key"]) == ("q", "a", {"k": 1}, key)
    assert 0 < hit["vector_distance"] < 0.08
    assert cache.check(vector=unit(), filter_expression=Tag("scope") == "s") == []
    assert cache.check(vector=unit(near=vector, noise=0.05), filter_expression=Tag("scope") == "s") == []


def test_distances_are_one_minus_cosine(cache: VectorSetCache) -> None:
    vector, other = unit(), unit()
    cache.store("q", "a", vector=vector)
    (hit,) = cache.check(vector=other, distance_threshold=2)
    assert hit["vector_distance"] == pytest.approx(1 - np.dot(vector, other), abs=0.01)


def test_other_filters_are_another_world(cache: VectorSetCache) -> None:
    vector = unit()
    cache.store("q", "a", vector=vector, filters={"scope": "s-1"})
    cache.store("q", "b", vector=vector, filters={"scope": "s-2"})
    for scope, response in (("s-1", ["a"]), ("s-2", ["b"]), ("s-3", [])):
        hits = cache.check(vector=vector, filter_expression=Tag("scope") == scope)
        assert [hit["response"] for hit in hits] == response
    assert cache.check(vector=vector) == []


def test_filters_it_cannot_keep_are_refused(cache: VectorSetCache) -> None:
    with pytest.raises(ValueError, match="tag equality only"):
        cache.check(vector=unit(), filter_expression=Num("age") > 3)
    with pytest.raises(ValueError, match="needs the prompt's vector"):
        cache.check(prompt="q")


def test_the_same_prompt_is_replaced_and_results_are_nearest_first(cache: VectorSetCache) -> None:
    vector = unit()
    cache.store("q", "old", vector=vector)
    cache.store("q", "new", vector=vector)
    cache.store("r", "next", vector=unit(near=vector))
    hits = cache.check(vector=vector, num_results=5, return_fields=["response"])
    assert [hit["response"] for hit in hits] == ["new", "next"]
    assert set(hits[0]) == {"response", "key"}


def test_expiry_is_absolute_and_swept(cache: VectorSetCache, client: redis.Redis) -> None:
    vector = unit()
    cache.store("short", "a", vector=vector, ttl=1)
    cache.store("long", "b", vector=unit(), ttl=60)
    assert cache.check(vector=vector)
    time.sleep(0.6)
    assert cache.check(vector=vector)
    time.sleep(0.6)
    assert cache.check(vector=vector) == []
    vectors = cache._set({})
    assert (client.execute_command("VCARD", vectors), cache.sweep()) == (2, 1)
    assert (client.execute_command("VCARD", vectors), cache.sweep()) == (1, 0)


def test_both_protocols_read_alike(client: redis.Redis, endpoints) -> None:  # type: ignore[no-untyped-def]
    vector = unit()
    VectorSetCache(f"{PREFIX}:test:two", redis_client=client).store("q", "a", vector=vector)
    for protocol in (2, 3):
        raw = redis.Redis.from_url(endpoints.redis, protocol=protocol)
        cache = VectorSetCache(f"{PREFIX}:test:two", redis_client=raw)
        assert cache.check(vector=vector)[0]["response"] == "a"
        raw.close()


def test_delete_leaves_nothing(cache: VectorSetCache, client: redis.Redis) -> None:
    cache.store("q", "a", vector=unit(), ttl=9)
    cache.delete()
    assert list(client.scan_iter(f"{cache.name}:*")) == []
