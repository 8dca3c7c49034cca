"""`cache_hit_p99_ms`: how long an answer takes that the cache has, at 10,000 entries. Part of `bench_vectors`.

Yardstick: a bare PING and a bare GET of an answer of the same length, on the same connection in the same run.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics import Metric
from resources import embedded
from sonik_assets.serving import shelf
from sonik_assets.serving.answers import Asked, Made, answer, warming

if TYPE_CHECKING:
    from resources.encoders import Vectors
    from resources.settings import Settings

ENTRIES = 10_000
ASKED = 2000
DIMENSION = 384
DISTANCE = 0.04
"""Of a question from the kept one that means the same; rewordings are at 0.02 to 0.07."""
ROWS = 10


def measures(settings: "Settings", entries: int = ENTRIES, asked: int = ASKED) -> Iterator[Metric]:
    """Yield the figures. The answers are those of a database that does not exist, and are gone afterwards.

    Embedding is not counted, nor the query log, which waits for no disk: a hit is what `answer` does otherwise.
    """
    random = np.random.default_rng(7)
    vectors = _unit(random.normal(size=(entries, DIMENSION)))
    place = replace(settings, postgres_url="postgresql://nobody@127.0.0.1:1/sonik_bench_cache")
    missed = _Missed()
    client = shelf.connect(embedded.endpoints(settings).redis, 60)
    try:
        with warming():
            for number, vector in enumerate(vectors):
                _ask(place, _question(number), vector, _made(number))
            picked = random.choice(entries, asked, replace=False)
            exact = _times(lambda n: _ask(place, _question(n), vectors[n], missed), picked)
            # Each is asked once: from then on it is known to mean the same, and is not compared.
            near = _near(vectors, picked, random)
            similar = _times(lambda n: _ask(place, _question(n, "la "), near[n], missed), picked)
            again = _times(lambda n: _ask(place, _question(n, "la "), near[n], missed), picked)
        client.set("sonik:cache:bench", str(_rows(0)))
        ping = _times(lambda _: client.ping(), picked)
        get = _times(lambda _: client.get("sonik:cache:bench"), picked)
    finally:
        _remove(client)
    yield Metric("cache_hit_p99_ms", _p(similar, 99), "ms", _p(get, 99))
    yield Metric("cache_exact_p99_ms", _p(exact, 99), "ms", _p(get, 99))
    yield Metric("cache_known_p99_ms", _p(again, 99), "ms", _p(get, 99))
    yield Metric("cache_hit_p50_ms", _p(similar, 50), "ms", _p(get, 50))
    yield Metric("cache_exact_p50_ms", _p(exact, 50), "ms", _p(get, 50))
    yield Metric("cache_hits_found", 1 - missed.count / (3 * asked), "share", 1.0)
    yield Metric("redis_ping_p99_ms", _p(ping, 99), "ms")


def _question(number: int, before: str = "") -> Asked:
    # Letters: questions with other numbers are never compared.
    word = "".join(chr(97 + int(digit)) for digit in str(number))
    return Asked("search", f"{before}pregunta {word}", "bench", "staff")


def _ask(settings: "Settings", question: Asked, vector: "Vectors", make: "Callable[[Vectors | None], Made]") -> None:
    answer(settings, question, lambda: vector, make)


def _rows(number: int) -> list[dict[str, Any]]:
    return [
        {"id": f"{number:08d}-{row:04d}", "name": f"Noche de techno {row}", "text": "x" * 200, "score": 0.5}
        for row in range(ROWS)
    ]


def _made(number: int) -> "Callable[[Vectors | None], Made]":
    rows = _rows(number)
    return lambda _: Made(rows, frozenset(row["id"] for row in rows))


class _Missed:
    """Makes what the cache should have had, and counts it."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, _: "Vectors | None") -> Made:
        self.count += 1
        return Made(None, frozenset())


def _near(vectors: "Vectors", picked: Any, random: np.random.Generator) -> dict[int, "Vectors"]:
    """Return by number a vector at exactly `DISTANCE` of each picked one."""
    chosen = vectors[picked]
    drawn = random.normal(size=chosen.shape)
    aside = _unit(drawn - np.sum(drawn * chosen, axis=1, keepdims=True) * chosen)
    cosine = 1 - DISTANCE
    found = _unit(cosine * chosen + np.sqrt(1 - cosine**2) * aside)
    return dict(zip(picked.tolist(), found, strict=True))


def _unit(rows: Any) -> "Vectors":
    found: Vectors = (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
    return found


def _times(do: Callable[[int], object], numbers: Any) -> list[float]:
    """Return milliseconds of each; a few come first that are not counted."""
    for number in numbers[:20].tolist():
        do(number)
    found = []
    for number in numbers[20:].tolist():
        started = time.perf_counter()
        do(number)
        found.append((time.perf_counter() - started) * 1000)
    return found


def _p(times: list[float], percent: int) -> float:
    return round(float(np.percentile(times, percent)), 3)


def _remove(client: Any) -> None:
    keys = [*client.scan_iter("sonik:cache:sonik_bench_cache:*", count=10_000), "sonik:cache:bench"]
    for start in range(0, len(keys), 1000):
        client.unlink(*keys[start : start + 1000])
