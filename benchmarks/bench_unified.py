"""The unified model: what building it costs, what a run over changes writes, and how fast the marts answer.

About 100,000 source records at scale 1 and a million at 10, most of them what visitors did.
"""

import json
import os
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psycopg

from benchmarks.identity_world import World, make
from benchmarks.metrics import Metric
from benchmarks.unified_changes import change
from resources import embedded
from resources.settings import ROOT, Settings

WORLD_SCALE = 1.65
"""Of the generator: about 100,000 source records."""
CHANGED = 1_000
ASKED = 2_000
ANALYSES = "fqn:sonik.marts.analysis"
WITHOUT_ANALYSES = ("--exclude", ANALYSES)
"""What follows a change at once. Analyses are made once an hour (docs/marts.md)."""
_SLOT = "bench"
# What the build reads at least once: every payload, typed.
_READ = "create temporary table bare on commit drop as select * from staging.{}"
_STAGED = ("stg_mongo__engagement", "stg_mongo__tickets", "stg_mongo__transactions", "mentions", "event_mentions")
_WRITTEN = """
select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0) from pg_stat_user_tables
where schemaname in ('unified', 'marts')
"""
# Deletes, inserts and updates by the first byte of the protocol; the rest are begins, commits and relations.
_CHANGES = """
select count(*) from pg_logical_slot_get_binary_changes(
    %s, null, null, 'proto_version', '1', 'publication_names', 'sonik'
) where get_byte(data, 0) in (68, 73, 85)
"""
_NIGHTS = "select city, local_date, count(*) from marts.whats_on where city is not null group by 1, 2 order by 1, 2"


def run(scale: int) -> list[Metric]:
    """Measure in a home of its own, whose servers are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sonik-bench-") as folder:
        Path(folder).chmod(0o755)  # the account that PostgreSQL runs as under root passes through
        settings = Settings.from_env({"SONIK_HOME": f"{folder}/home"})
        try:
            postgres = embedded.up(settings).postgres
            world = make(settings, postgres, "natural", WORLD_SCALE * scale, engagement=True)
            world.resolve()
            return [*_builds(settings, world), *_questions(world.postgres)]
        finally:
            embedded.delete(settings)


def _builds(settings: Settings, world: World) -> Iterator[Metric]:
    bare = _read_bare(world)
    full = _build(settings, world)
    yield Metric("build_seconds", full, "s", yardstick=bare)
    _build(settings, world)  # sets what autovacuum and the first look at claims leave to do
    with psycopg.connect(world.postgres, autocommit=True) as connection:
        connection.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [_SLOT])
        before = _written(connection)
        unchanged = _build(settings, world)
        yield Metric("unchanged_seconds", unchanged, "s", yardstick=full)
        yield Metric("rows_rewritten_unchanged", _written(connection) - before + _told(connection), "rows")
        before = _written(connection)
        changed = change(world.postgres, CHANGED)
        world.resolve(again=True)
        _told(connection)
        yield Metric("incremental_seconds", _build(settings, world, *WITHOUT_ANALYSES), "s", yardstick=unchanged)
        yield Metric("analyses_seconds", _build(settings, world, "--select", ANALYSES), "s", yardstick=unchanged)
        yield Metric("rows_rewritten_changed", _written(connection) - before, "rows", yardstick=changed)
        yield Metric("changes_told", _told(connection), "rows", yardstick=changed)
        connection.execute("select pg_drop_replication_slot(%s)", [_SLOT])


def _build(settings: Settings, world: World, *more: str) -> float:
    """Return the seconds of one `dbt build` from the staging views to the marts, tests included.

    As in a run of the platform, views that stand are left alone.
    """
    from sonik_assets.unified import dbt, views

    with patch.dict(os.environ), psycopg.connect(world.postgres, autocommit=True) as connection:
        dbt.point_at(world.postgres, settings.home)
        where = ["--project-dir", str(dbt.PROJECT), "--profiles-dir", str(dbt.PROJECT)]
        all_views = views.views_of(json.loads(dbt.manifest().read_bytes()))
        started = time.perf_counter()
        project = dbt.fingerprint()
        alone = views.leave_alone(views.standing(connection, all_views, project))
        command = [dbt.EXECUTABLE, "--quiet", *dbt.BUILD, *where, *alone, *more]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        views.remember(connection, all_views, project)
        seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"dbt build failed: {done.stdout[-3000:]}{done.stderr[-1000:]}")
    return seconds


def _read_bare(world: World) -> float:
    """Return the seconds that typing every payload into tables takes, with nothing made of them."""
    started = time.perf_counter()
    for relation in _STAGED:
        with psycopg.connect(world.postgres) as connection:
            connection.execute(_READ.format(relation))  # type: ignore[arg-type]
    return time.perf_counter() - started


def _written(connection: psycopg.Connection[Any]) -> int:
    time.sleep(1.5)  # sessions report what they wrote within a second
    connection.execute("select pg_stat_clear_snapshot()")
    (count,) = connection.execute(_WRITTEN).fetchone() or (0,)
    return int(count)


def _told(connection: psycopg.Connection[Any]) -> int:
    """Return how many rows the change feed has told since it was last asked: inserted, updated, deleted."""
    (count,) = connection.execute(_CHANGES, [_SLOT]).fetchone() or (0,)
    return int(count)


def _questions(postgres: str) -> Iterator[Metric]:
    """Ask as the read side does; cities and nights by how much is on there."""
    from sonik_assets.serving.events import whats_on
    from sonik_assets.serving.leads import leads

    dice = random.Random(7)  # noqa: S311 - repeatable, not secret
    with psycopg.connect(postgres) as pg:
        nights = pg.execute(_NIGHTS).fetchall()
        asked = dice.choices([night[:2] for night in nights], [night[2] for night in nights], k=ASKED)
        pings = _p99(lambda _: pg.execute("select 1").fetchall(), asked)

        def on(night: tuple[str, date]) -> object:
            return whats_on(pg, city=night[0], first=night[1], last=night[1], limit=50)

        yield Metric("whats_on_p99_ms", _p99(on, asked), "ms", yardstick=pings)
        yield Metric("leads_p99_ms", _p99(lambda _: leads(pg, limit=100), asked), "ms", yardstick=pings)


def _p99(ask: Callable[[Any], object], questions: list[Any]) -> float:
    """Return the milliseconds within which 99 of 100 questions are answered, once warm."""
    for question in questions[:50]:
        ask(question)
    took = []
    for question in questions:
        started = time.perf_counter()
        ask(question)
        took.append(time.perf_counter() - started)
    return 1000 * sorted(took)[int(len(took) * 0.99)]
