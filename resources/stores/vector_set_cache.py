"""RedisVL's language-model cache on the vector sets of a plain Redis 8, for servers without the query engine.

Same calls, entries and hits as RedisVL's `SemanticCache`; what is cached is the caller's matter. It differs
where that one can be wrong: an entry's expiry is absolute (a hit does not prolong it), and each combination of
filters has a vector set of its own, because a filtered search over many tenants loses hits.
"""

import hashlib
import json
import re
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from redisvl.extensions.cache.llm.base import BaseLLMCache
from redisvl.extensions.cache.llm.schema import CacheEntry, CacheHit
from redisvl.query.filter import FilterExpression

EF = 100
"""How widely VSIM looks: so it found 3,000 of 3,000 among 10,000 entries; at 50 one of 1,500 was missed."""
SPARE = 7
"""More than are wanted are asked for: some may have ended. To have the server look at that doubles the time."""
NEVER = 1e15
TAG = re.compile(r"@(\w+):\{((?:\\.|[^\\{}|])+)\}")


class VectorSetCache(BaseLLMCache):  # type: ignore[misc]  # RedisVL has no types
    """A semantic cache over vector sets. Distances are RedisVL's: 1 - cosine, 0 to 2."""

    def __init__(self, name: str, *, redis_client: Any, distance_threshold: float = 0.1, ttl: int | None = None):
        super().__init__(name=name, ttl=ttl, redis_client=redis_client)
        self.distance_threshold = distance_threshold
        self._redis = redis_client

    def store(
        self,
        prompt: str,
        response: str,
        vector: list[float] | None = None,
        metadata: dict[str, Any] | None = None,
        filters: dict[str, Any] | None = None,
        ttl: int | None = None,
    ) -> str:
        """Keep a response under its prompt's vector; return the entry's key. The same prompt is replaced."""
        entry = CacheEntry(
            prompt=prompt, response=response, prompt_vector=_given(vector), metadata=metadata, filters=filters
        )
        seconds = self._resolve_ttl(ttl)
        expires = time.time() + seconds if seconds else NEVER
        key, vectors = self._key(str(entry.entry_id)), self._set(filters or {})
        with self._redis.pipeline(transaction=True) as pipe:
            text = entry.model_dump_json(exclude={"prompt_vector"})
            pipe.hset(key, mapping={"entry": text, "vectors": vectors})
            attributes = json.dumps({"expires": expires})
            blob = _blob(entry.prompt_vector)
            pipe.execute_command("VADD", vectors, "FP32", blob, entry.entry_id, "Q8", "SETATTR", attributes)
            if seconds:
                pipe.expire(key, seconds)
                pipe.zadd(self._key("expiries"), {f"{vectors} {entry.entry_id}": expires})
            else:
                pipe.persist(key)
                pipe.zrem(self._key("expiries"), f"{vectors} {entry.entry_id}")
            pipe.execute()
        return key

    def check(
        self,
        prompt: str | None = None,
        vector: list[float] | None = None,
        num_results: int = 1,
        return_fields: list[str] | None = None,
        filter_expression: FilterExpression | None = None,
        distance_threshold: float | None = None,
    ) -> list[dict[str, Any]]:
        """Return the nearest live entries that were stored with exactly these filters, nearest first.

        Raises ValueError without a vector, and for a filter other than `Tag(...) == value` joined by `&`.
        """
        del prompt  # RedisVL's signature: embedding is the caller's, who has the vector already
        threshold = self.distance_threshold if distance_threshold is None else distance_threshold
        vectors, wanted = self._set(_tags(filter_expression)), num_results + SPARE
        near = self._near(vectors, _given(vector), wanted)
        hits = self._hits(near, threshold)
        if len(hits) < num_results and len(near) == wanted and max(near.values()) <= threshold:
            # Those that have ended, and are not swept yet, took the places of others.
            hits = self._hits(self._near(vectors, _given(vector), num_results, live=True), threshold)
        return [_selected(hit, return_fields) for hit in hits[:num_results]]

    def drop(self, ids: list[str] | None = None, keys: list[str] | None = None) -> None:
        """Drop entries by id or by key; what is not there is no error. Raises ValueError without either."""
        if ids is None and keys is None:
            raise ValueError("give the ids or the keys of the entries to drop")
        names = [*(self._key(id) for id in ids or ()), *(keys or ())]
        with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.hget(name, "vectors")
            sets = pipe.execute()
        with self._redis.pipeline(transaction=True) as pipe:
            for name, vectors in zip(names, sets, strict=True):
                pipe.unlink(name)
                if vectors is not None:
                    self._forget(pipe, _text(vectors), name.removeprefix(self._key("")))
            pipe.execute()

    def sweep(self) -> int:
        """Remove the vectors of entries that have expired; return how many. Their hashes are gone already."""
        expiries = self._key("expiries")
        now = time.time()
        expired = [_text(member) for member in self._redis.zrangebyscore(expiries, "-inf", now)]
        with self._redis.pipeline(transaction=True) as pipe:
            for member in expired:
                self._forget(pipe, *member.rsplit(" ", 1))
            pipe.execute()
        return len(expired)

    def delete(self) -> None:
        """Delete the cache: every entry and vector set under its name."""
        self.clear()

    def _key(self, name: str) -> str:
        return f"{self.name}:{name}"

    def _set(self, filters: Mapping[str, Any]) -> str:
        tags = json.dumps({key: str(value) for key, value in filters.items()}, sort_keys=True)
        return self._key(f"vectors:{hashlib.sha256(tags.encode()).hexdigest()[:16]}")

    def _forget(self, pipe: Any, vectors: str, id: str) -> None:
        pipe.execute_command("VREM", vectors, id)
        pipe.zrem(self._key("expiries"), f"{vectors} {id}")

    def _hits(self, near: Mapping[str, float], threshold: float) -> list[dict[str, Any]]:
        with self._redis.pipeline(transaction=False) as pipe:
            for id in near:
                pipe.hget(self._key(id), "entry")
            entries = pipe.execute()
        return [
            hit | {"key": self._key(id)}
            for (id, distance), entry in zip(near.items(), entries, strict=True)
            if entry is not None and distance <= threshold and (hit := _hit(entry, distance))
        ]

    def _near(self, vectors: str, vector: list[float], count: int, *, live: bool = False) -> dict[str, float]:
        """Return distance by entry id, nearest first; `live`: of entries that have not ended, which takes longer."""
        # In the main thread: to begin one takes longer than to look.
        options: list[Any] = ["WITHSCORES", "COUNT", count, "EF", EF, "NOTHREAD"]
        if live:
            options += ["FILTER", f".expires > {time.time():.3f}"]
        reply = self._redis.execute_command("VSIM", vectors, "FP32", _blob(vector), *options)
        # A map under protocol 3 and redis-py's default, a flat list under protocol 2.
        pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=True)
        return {_text(id): 2 * (1 - float(score)) for id, score in pairs}


def _given(vector: list[float] | None) -> list[float]:
    if vector is None:
        raise ValueError("a vector set cache needs the prompt's vector")
    return vector


def _blob(vector: list[float]) -> bytes:
    return np.asarray(vector, dtype="<f4").tobytes()


def _text(value: str | bytes) -> str:
    return value.decode() if isinstance(value, bytes) else value


def _tags(expression: FilterExpression | None) -> dict[str, str]:
    """Return field and value of each tag equality; raises ValueError for any other filter."""
    query = "" if expression is None or str(expression) == "*" else str(expression)
    if TAG.sub("", query).strip(" ()"):
        raise ValueError(f"a vector set cache filters by tag equality only, not by {query}")
    return {field: re.sub(r"\\(.)", r"\1", value) for field, value in TAG.findall(query)}


def _hit(entry: str | bytes, distance: float) -> dict[str, Any] | None:
    """Return the hit of an entry; None of one that is not as we write it: no reason to fail who asks."""
    try:
        hit: dict[str, Any] = CacheHit(vector_distance=distance, **json.loads(entry)).to_dict()
    except (ValueError, TypeError):
        return None
    return hit


def _selected(hit: dict[str, Any], fields: list[str] | None) -> dict[str, Any]:
    return hit if fields is None else {name: hit[name] for name in (*fields, "key") if name in hit}
