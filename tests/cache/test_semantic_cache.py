"""The contract of a semantic cache, run on vector sets and on the query engine."""

import time
from typing import Any

import pytest
import redis
from redisvl.extensions.cache.llm.base import BaseLLMCache
from redisvl.query.filter import Num, Tag

from resources.encoders import Vectors
from resources.stores.semantic_cache import EngineCache, has_engine, open_cache
from resources.stores.vector_set_cache import VectorSetCache
from sonik_assets.serving.answers import PREFIX
from tests.support.vectors import unit

NASTY = ("a b", "a}", "} @scope:{*", "a|b", "*", "a*", "a,b", "\\", '"', "ñ", "-", "a-b", "@scope", "(a)")


@pytest.fixture
def cache(either: redis.Redis) -> BaseLLMCache:
    return opened(either, "one")


def opened(client: redis.Redis, name: str) -> BaseLLMCache:
    return open_cache(client, f"{PREFIX}:test:{name}", dimension=384, tags=("scope",), distance=0.08)


def found(cache: BaseLLMCache, vector: Vectors, scope: str | None = "s", **more: Any) -> list[dict[str, Any]]:
    tag = None if scope is None else Tag("scope") == scope
    return cache.check(vector=vector.tolist(), filter_expression=tag, **more)


def stored(cache: BaseLLMCache, prompt: str, response: str, vector: Vectors, scope: str = "s", **more: Any) -> str:
    return cache.store(prompt, response, vector=vector.tolist(), filters={"scope": scope}, **more)


def test_each_server_gets_what_it_can_carry(either: redis.Redis) -> None:
    assert isinstance(opened(either, "one"), EngineCache if has_engine(either) else VectorSetCache)


def test_a_near_prompt_hits_and_a_far_one_does_not(cache: BaseLLMCache) -> None:
    vector = unit()
    key = stored(cache, "q", "a", vector, metadata={"k": [1]})
    (hit,) = found(cache, unit(vector, distance=0.05))
    assert (hit["prompt"], hit["response"], hit["metadata"], hit["key"]) == ("q", "a", {"k": [1]}, key)
    assert found(cache, unit(vector, distance=0.1)) == []
    assert found(cache, unit()) == []


@pytest.mark.parametrize("distance", [0.0, 0.05, 0.5, 1.0, 1.5])
def test_distances_are_one_minus_cosine(cache: BaseLLMCache, distance: float) -> None:
    vector = unit()
    stored(cache, "q", "a", vector)
    (hit,) = found(cache, unit(vector, distance=distance), distance_threshold=2)
    assert hit["vector_distance"] == pytest.approx(distance, abs=0.01)


def test_other_filters_are_another_world(cache: BaseLLMCache) -> None:
    vector = unit()
    stored(cache, "q", "a", vector, "s1")
    stored(cache, "q", "b", vector, "s2")
    for scope, responses in (("s1", ["a"]), ("s2", ["b"]), ("s3", [])):
        assert [hit["response"] for hit in found(cache, vector, scope)] == responses


def test_a_filter_is_never_more_than_a_value(cache: BaseLLMCache) -> None:
    vector = unit()
    stored(cache, "q", "a", vector, "mine")
    for scope in NASTY:
        assert found(cache, vector, scope) == []


def test_another_name_is_another_cache(either: redis.Redis) -> None:
    one, other, vector = opened(either, "one"), opened(either, "two"), unit()
    stored(one, "q", "a", vector)
    assert found(other, vector) == []
    other.clear()
    assert found(one, vector)


def test_the_same_prompt_is_replaced_and_results_are_nearest_first(cache: BaseLLMCache) -> None:
    vector = unit()
    stored(cache, "q", "old", vector)
    stored(cache, "q", "new", vector)
    stored(cache, "r", "next", unit(vector, distance=0.03))
    hits = found(cache, vector, num_results=5, return_fields=["response"])
    assert [hit["response"] for hit in hits] == ["new", "next"]
    assert set(hits[0]) == {"response", "key"}


def test_a_hit_does_not_put_the_end_off(cache: BaseLLMCache, either: redis.Redis) -> None:
    cache.set_ttl(60)
    vector = unit()
    key = stored(cache, "short", "a", vector, ttl=1)
    time.sleep(0.6)
    assert found(cache, vector)
    assert either.ttl(key) <= 1
    time.sleep(0.6)
    assert found(cache, vector) == []


def test_what_has_ended_is_swept(cache: BaseLLMCache, either: redis.Redis) -> None:
    stored(cache, "short", "a", unit(), ttl=1)
    stored(cache, "long", "b", unit(), ttl=60)
    time.sleep(1.2)
    assert cache.sweep() == (0 if has_engine(either) else 1)
    assert cache.sweep() == 0
    keys = [key for key in either.scan_iter(f"{cache.name}:*") if b"vectors" not in key and b"expiries" not in key]
    assert len(keys) == 1
    sets = list(either.scan_iter(f"{cache.name}:vectors:*"))
    assert [either.execute_command("VCARD", each) for each in sets] == ([] if has_engine(either) else [1])


def test_those_that_have_ended_are_in_nobodys_way(cache: BaseLLMCache) -> None:
    vector = unit()
    for number in range(20):
        stored(cache, f"short {number}", "a", unit(vector, distance=0.01), ttl=1)
    stored(cache, "long", "b", unit(vector, distance=0.05), ttl=60)
    deadline = time.monotonic() + 10  # the query engine forgets what has ended a little later: a miss meanwhile
    time.sleep(1.1)
    while not (hits := found(cache, vector)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert [hit["response"] for hit in hits] == ["b"]


def test_dropped_entries_are_gone(cache: BaseLLMCache) -> None:
    vector = unit()
    key = stored(cache, "q", "a", vector, ttl=60)
    stored(cache, "r", "b", unit(vector, distance=0.02), ttl=60)
    id = found(cache, vector)[0]["entry_id"]
    cache.drop(keys=[key, f"{cache.name}:absent"])
    cache.drop(ids=[id])
    assert [hit["response"] for hit in found(cache, vector, num_results=5)] == ["b"]
    with pytest.raises(ValueError, match="ids or"):
        cache.drop()


def test_delete_leaves_nothing(cache: BaseLLMCache, either: redis.Redis) -> None:
    stored(cache, "q", "a", unit(), ttl=9)
    cache.delete()
    assert list(either.scan_iter(f"{cache.name}:*")) == []


def test_vector_sets_filter_by_equality_only(client: redis.Redis) -> None:
    cache = opened(client, "one")
    with pytest.raises(ValueError, match="tag equality only"):
        cache.check(vector=unit().tolist(), filter_expression=Num("age") > 3)
    with pytest.raises(ValueError, match="needs the prompt's vector"):
        cache.check(prompt="q")


def test_an_entry_of_somebody_else_is_no_hit(client: redis.Redis) -> None:
    cache, vector = opened(client, "one"), unit()
    key = stored(cache, "q", "a", vector)
    for garbage in ("", "[]", "{", '{"prompt": 1}', "null"):
        client.hset(key, "entry", garbage)
        assert found(cache, vector) == []


def test_both_protocols_read_alike(client: redis.Redis, endpoints: Any) -> None:
    vector = unit()
    stored(opened(client, "two"), "q", "a", vector)
    for protocol in (2, 3):
        for decodes in (True, False):
            with redis.Redis.from_url(endpoints.redis, protocol=protocol, decode_responses=decodes) as raw:
                assert found(opened(raw, "two"), vector)[0]["response"] == "a"
