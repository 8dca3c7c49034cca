"""The catalogued graph queries on a synthetic graph: 100,000 nodes and 500,000 edges at scale 1, ten times that at 10.

Arguments are drawn by popularity, as people ask. Names are ids already: what PostgreSQL does for a name is not in here.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from benchmarks.graph_world import NOW_MS, World, build, popular
from benchmarks.metrics import Metric
from sonik_assets.graph.prepare import prepare
from sonik_assets.serving import graph
from sonik_assets.serving.asking import Answer, Asking
from sonik_assets.serving.catalogue import catalogue, named
from sonik_assets.serving.entities import Thing
from sonik_assets.serving.scope import Staff

if TYPE_CHECKING:
    from falkordb import FalkorDB

ASKED = 300
WARMUP = 20
HUB = 1_000
"""Nodes with more neighbours than this are reported apart."""
LABELS = {"venue": "Venue", "organization": "Organization", "event": "Event", "feature": "Feature"}
INTRODUCED = ("Person", "Person", "Person", "Artist", "Venue", "Organization", "Event")


def query_metrics(client: "FalkorDB", pg: "psycopg.Connection[Any]", scale: int) -> list[Metric]:
    """Build `operations` and `knowledge` anew at a scale, and measure; only staff's questions, so PostgreSQL rests."""
    worlds = {"operations": build(client, "operations", scale), "knowledge": build(client, "knowledge", 1)}
    for name in worlds:
        prepare(client, name, worlds[name].count)
    return list(measured(Bench(client, pg, worlds, np.random.default_rng(7))))


def measured(bench: "Bench") -> Iterator[Metric]:
    """Yield the figures of a graph that is there."""
    near, far = {}, {}
    for each in catalogue().values():
        if each.reach == "hops" and each.graph in bench.worlds:
            near[each.name] = bench.p99(bench.draws(each.name, hubs=False))
            if draws := bench.draws(each.name, hubs=True):
                far[each.name] = bench.p99(draws)
    yield from (Metric(f"p99_ms {name}", value, "ms", yardstick=10) for name, value in near.items())
    yield from (Metric(f"hub_p99_ms {name}", value, "ms", yardstick=100) for name, value in far.items())
    yield Metric("query_p99_ms", max(near.values()), "ms", yardstick=10)
    yield Metric("hub_query_p99_ms", max(far.values(), default=0.0), "ms", yardstick=100)
    yield Metric("warm_intro_p99_ms", bench.p99(bench.introductions()), "ms", yardstick=100)
    yield Metric("spread_p99_ms", bench.p99(bench.draws("spread_of_event", hubs=False)), "ms")
    yield Metric("pagerank_seconds", bench.seconds("influencers"), "s", yardstick=bench.bare_pagerank())
    yield Metric("communities_seconds", bench.seconds("communities"), "s")
    yield Metric("promoters_seconds", bench.seconds("promoters_by_conversion"), "s")


@dataclass
class Bench:
    """A server, what is in its graphs, and a source of arguments."""

    client: "FalkorDB"
    pg: "psycopg.Connection[Any]"
    worlds: dict[str, World]
    rng: np.random.Generator

    def draws(self, name: str, *, hubs: bool) -> list[Asking]:
        """Return questions about things drawn by popularity: of hubs only or of all others; none if there are none."""
        asked = named(name)
        world = self.worlds[asked.graph]
        kinds = {param.name: LABELS[param.kind] for param in asked.params if param.kind in LABELS}
        if name == "features_of_code":
            kinds = {"module": "CodeModule"}
        if not kinds:
            return [] if hubs else [self._asking(name, {})] * ASKED
        ((param, label),) = kinds.items()
        degrees = _degrees(world, label)
        # Popular nodes were made by the same draw, and then strewn: see `graph_world._ends`.
        drawn = (popular(world.count[label], 50 * ASKED, self.rng) * 7_919 + 13) % world.count[label]
        drawn = drawn[(degrees[drawn] > HUB) == hubs][:ASKED]
        return [self._asking(name, {param: (label, int(position))}) for position in drawn]

    def introductions(self) -> list[Asking]:
        """Return pairs of things of all kinds, half of them drawn by popularity."""
        return [self._asking("warm_introduction", {"from": self._any(), "to": self._any()}) for _ in range(ASKED)]

    def p99(self, questions: list[Asking]) -> float:
        """Return the 99th percentile in milliseconds."""
        for each in questions[:WARMUP]:
            graph.run(each)
        return float(np.percentile([_timed(each)[0] for each in questions], 99)) * 1000

    def seconds(self, name: str) -> float:
        """Return how long a question about the whole graph takes."""
        return _timed(self._asking(name, {}))[0]

    def bare_pagerank(self) -> float:
        """Return how long the server's own PageRank over one type takes."""
        call = "CALL algo.pageRank('Person', 'REFERRED') YIELD node, score"
        text = f"{call} RETURN node.id, score ORDER BY score DESC LIMIT 20"
        began = time.perf_counter()
        self.client.select_graph("operations").ro_query(text)
        return time.perf_counter() - began

    def _any(self) -> tuple[str, int]:
        label = INTRODUCED[self.rng.integers(len(INTRODUCED))]
        count = self.worlds["operations"].count[label]
        position = popular(count, 1, self.rng)[0] * 7_919 + 13 if self.rng.random() < 0.5 else self.rng.integers(count)
        return label, int(position % count)

    def _asking(self, name: str, chosen: dict[str, tuple[str, int]]) -> Asking:
        asked = named(name)
        world = self.worlds[asked.graph]
        things = {
            param: Thing(world.id(label, position), label.lower(), label, None)
            for param, (label, position) in chosen.items()
        }
        if name == "features_of_code":
            return graph.asking(
                self.pg, self.client, asked, _defaults(name) | {"module": f"{chosen['module'][1]} CodeModule"}, Staff()
            )
        bound = {param.name: graph.bound_value(asked, param, param.default) for param in asked.params if param.default}
        ids = {param: thing.id for param, thing in things.items()}
        return Asking(self.pg, self.client, Staff(), asked, things, {**bound, **ids, "own": None, "now_ms": NOW_MS})


def _defaults(name: str) -> dict[str, str]:
    return {param.name: param.default or "" for param in named(name).params}


def _degrees(world: World, label: str) -> "np.ndarray[Any, np.dtype[np.int64]]":
    found = np.zeros(world.count[label], dtype=np.int64)
    for (_, start, end), (starts, ends) in world.ends.items():
        if start == label:
            found += np.bincount(starts, minlength=len(found))
        if end == label:
            found += np.bincount(ends, minlength=len(found))
    return found


def _timed(asked: Asking) -> tuple[float, Answer]:
    began = time.perf_counter()
    answer = graph.run(asked)
    return time.perf_counter() - began, answer
