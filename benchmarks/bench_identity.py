"""Identity: how right it is, on labelled sets and on worlds whose truth is known, and what a resolution costs.

Quality is of a world of scale 1. Cost is of about 100,000 identity-bearing records at scale 1, a million at 10: a
cold run, one that finds nothing new, and one over 1,000 changed raw records.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from math import log
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from benchmarks import labelled_sets
from benchmarks.identity_changes import change
from benchmarks.identity_world import KINDS, World, make
from benchmarks.labelled_sets import Quality, Score
from benchmarks.metrics import Metric
from resources import embedded
from resources.settings import Settings
from resources.stores.copy import copy_frame, copy_out

WORLD_SCALE = 11.9
"""Of the generator: about 100,000 mentions of venues, organizations, artists, brands, people and events."""
SIZES = (0.25, 0.5, 1.0)
CHANGED = 1_000


def run(scale: int) -> list[Metric]:
    """Measure in a home of its own, whose servers are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sonik-bench-") as folder:
        Path(folder).chmod(0o755)  # the account that PostgreSQL runs as under root passes through
        settings = Settings.from_env({"SONIK_HOME": f"{folder}/home"})
        try:
            postgres = embedded.up(settings).postgres
            return [*_labelled(), *_quality(settings, postgres), *_cost(settings, postgres, scale)]
        finally:
            embedded.delete(settings)


def _labelled() -> Iterator[Metric]:
    places = labelled_sets.overture()
    yield from _set("overture", places)
    yield Metric("overture_link_precision", places.link.precision, "share")
    yield Metric("overture_link_recall", places.link.recall, "share", places.review.recall)
    assert places.latin_america_review
    assert places.latin_america_link
    yield from _score("overture_latam", places.latin_america_review, places.review)
    yield Metric("overture_latam_link_precision", places.latin_america_link.precision, "share", places.link.precision)
    yield from _set("fodors_zagats", labelled_sets.fodors_zagats())
    yield from _set("febrl4", labelled_sets.febrl4())


def _set(name: str, found: Quality) -> Iterator[Metric]:
    """Yield the figures of links and reviews together; the yardstick is that of links alone."""
    yield from _score(name, found.review, found.link)


def _score(name: str, found: Score, beside: Score | None = None) -> Iterator[Metric]:
    yield Metric(f"{name}_f1", found.f1, "share", beside.f1 if beside else None)
    yield Metric(f"{name}_precision", found.precision, "share", beside.precision if beside else None)
    yield Metric(f"{name}_recall", found.recall, "share", beside.recall if beside else None)


def _quality(settings: Settings, postgres: str) -> Iterator[Metric]:
    """With identifiers, the yardstick being those alone; then without any.

    Events have no identifier of their own but the page that lists them and the key made of venue, night and name. They
    are matched without both while venues keep theirs, since events are compared within venue and night; then also
    without those of venues.
    """
    world = make(settings, postgres, "quality", 1)
    world.resolve("matchers")
    alone = world.scores()
    world.resolve()
    with_ids = world.scores()
    yield Metric("review_share", world.waiting(), "share")
    for kind, score in world.scores_of_named().items():
        yield Metric(f"world_{kind}_f1_with_named", score.f1, "share", with_ids[kind].f1)
    world.resolve("event_keys")
    events = world.scores()["event"]
    world.hide_identifiers()
    world.resolve("places", "event_keys")
    hidden = world.scores()
    yield Metric("review_share_no_ids", world.waiting(), "share")
    yield Metric("world_event_f1_no_ids_of_venues", hidden["event"].f1, "share", events.f1)
    yield from _worlds(with_ids, alone, {**hidden, "event": events})


def _worlds(with_ids: Mapping[str, Score], alone: Mapping[str, Score], hidden: Mapping[str, Score]) -> Iterator[Metric]:
    for kind in KINDS:
        name = f"world_{kind}"
        yield from _score(name, with_ids[kind], alone[kind])
        yield Metric(f"{name}_link_precision", with_ids[kind].precision, "share", alone[kind].precision)
        yield Metric(f"{name}_f1_no_ids", hidden[kind].f1, "share", with_ids[kind].f1)
        yield Metric(f"{name}_recall_no_ids", hidden[kind].recall, "share", with_ids[kind].recall)
        yield Metric(f"{name}_link_precision_no_ids", hidden[kind].precision, "share", with_ids[kind].precision)


def _cost(settings: Settings, postgres: str, scale: int) -> Iterator[Metric]:
    runs: list[dict[str, Any]] = []
    for number, size in enumerate(SIZES):
        world = make(settings, postgres, f"cost_{number}", size * scale * WORLD_SCALE)
        runs.append(world.resolve())
    yield from _cold(runs)
    yield from _again(world, runs[-1])
    yield from _deterministic(world)


def _cold(runs: list[dict[str, Any]]) -> Iterator[Metric]:
    """Yield what the largest cold run took; the yardstick is the smallest, by its size. Of the slope: that of CPU."""
    small, large = runs[0], runs[-1]
    times = large["mentions"] / small["mentions"]
    yield Metric("records", large["mentions"], "mentions", small["mentions"])
    yield Metric("resolve_seconds", large["seconds"], "s", small["seconds"] * times)
    for step, seconds in large["steps"].items():
        yield Metric(f"resolve_seconds.{step}", seconds, "s", small["steps"][step] * times)
    yield Metric("resolve_cpu_seconds", large["cpu_seconds"], "s", small["cpu_seconds"] * times)
    yield Metric("peak_mb", large["peak_mb"], "MB", small["peak_mb"])
    yield Metric("peak_mb_with_postgres", large["peak_mb_with_postgres"], "MB", small["peak_mb_with_postgres"])
    by = {name: _slope([(each["mentions"], each[name]) for each in runs]) for name in ("seconds", "cpu_seconds")}
    yield Metric("slope", by["seconds"], "log/log", by["cpu_seconds"])


def _again(world: World, cold: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield runs over what changed, in the database as the cold run left it; the yardstick is that run."""
    unchanged = world.resolve(again=True)
    yield Metric("unchanged_seconds", unchanged["seconds"], "s", cold["seconds"])
    yield Metric("changed_records", change(world, CHANGED), "records", CHANGED)
    changed = world.resolve(again=True)
    yield Metric("incremental_seconds", changed["seconds"], "s", cold["seconds"])
    yield Metric("incremental_cpu_seconds", changed["cpu_seconds"], "s", cold["cpu_seconds"])
    yield Metric("incremental_scope", changed["scope"], "mentions", cold["mentions"])
    for step, seconds in changed["steps"].items():
        yield Metric(f"incremental_seconds.{step}", seconds, "s", cold["steps"][step])


def _deterministic(world: World) -> Iterator[Metric]:
    """Yield a cold run by identifiers alone, reading and writing included; the yardstick is the bare transfer."""
    alone = world.resolve("matchers", "places")
    yield Metric("deterministic_seconds", alone["seconds"], "s", _copy_seconds(world))


def _copy_seconds(world: World) -> float:
    """Return what the bare transfer costs: COPY of what is resolved, out of staging and into a table."""
    from sonik_assets.identity.happenings import MENTIONS as EVENTS
    from sonik_assets.identity.identifiers import MENTIONS

    started = time.perf_counter()
    with psycopg.connect(world.postgres) as connection:
        for name, columns in (("mentions", MENTIONS), ("event_mentions", EVENTS)):
            told = sql.SQL("select {} from staging.{}").format(
                sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier(name)
            )
            into = sql.Identifier(f"copied_{name}")
            connection.execute(sql.SQL("create temporary table {} as {} limit 0").format(into, told))
            with connection.cursor() as cursor:
                copy_frame(cursor, into, copy_out(connection, told, columns))
    return time.perf_counter() - started


def _slope(points: list[tuple[float, float]]) -> float:
    """Return the slope of the line through the logarithms of size and seconds (least squares): 1 is linear."""
    xs, ys = ([log(value) for value in side] for side in zip(*points, strict=True))
    x, y = sum(xs) / len(xs), sum(ys) / len(ys)
    return sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True)) / sum((a - x) ** 2 for a in xs)
