"""A world whose truth is known, in a database of its own: raw and staging as the platform makes them, then resolved.

Here: making it, changing it as sources do, hiding its identifiers, the right and wrong links. What is measured on which
world, and what it is held against, is in `bench_identity.py`.

`python -m benchmarks.identity_world POSTGRES EXPORTS [--without ...]` resolves once and prints what it took, as JSON.
"""

import argparse
import gzip
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import polars as pl
import psutil
import psycopg
from psycopg import sql

from benchmarks.labelled_sets import Score
from resources.embedded.urls import with_database
from resources.settings import ROOT, Settings
from resources.stores.copy import copy_out

if TYPE_CHECKING:
    from sonik_assets.identity.happenings import Happenings

KINDS = ("venue", "organization", "artist", "event", "person")
OMISSIONS = ("matchers", "places", "event_keys")
"""What a run can be made to do without: the matchers (identifiers alone), the gazetteer, what events are known by."""
STRONG = ("google_place_id", "instagram", "email", "user_id")
"""The strong identifiers of staging.mentions, whatever the type; a website is weak for some types."""
_WEBSITE = sql.SQL("""
case when entity_type in ('venue', 'person') and website !~* 'instagr|ig[.]me|@' then website end as website
""")

_STRONG = """
alter view staging.mentions rename to mentions_as_told;
create view staging.mentions as select {columns} from staging.mentions_as_told;
"""
_MAP = """
select m.ref, m.entity_type, m.embedded, e.entity_id::text as entity
from identity.mentions as m
left join identity.entity_map as e using (source, table_name, record_id)
"""
_WAITING = """
with asked as (
    select left_ref as ref from identity.judgements where judgement = 'unsure' and retired_at is null
    union
    select right_ref from identity.judgements where judgement = 'unsure' and retired_at is null
)
select count(*) filter (where ref in (select ref from asked)), count(*) from identity.mentions where not embedded
"""


@dataclass(frozen=True)
class World:
    """A database with raw and staging, and the exports that it was read from."""

    postgres: str
    exports: Path

    def resolve(self, *without: str, again: bool = False) -> dict[str, Any]:
        """Resolve in a process of its own, cold unless `again`; return what `main` prints.

        `without`: some of OMISSIONS. `again`: what earlier runs decided stays, so that only changes are looked at.
        """
        command = [sys.executable, "-m", "benchmarks.identity_world", self.postgres, str(self.exports)]
        if not again:
            self.forget()
            command.append("--acknowledged")
        command += ["--without", *without] if without else []
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"resolving {self.exports} failed: {done.stderr[-2000:]}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def forget(self) -> None:
        """Drop what earlier runs decided."""
        with psycopg.connect(self.postgres) as connection:
            connection.execute("drop schema if exists identity cascade")
            connection.execute("drop table if exists unified.changes")

    def hide_identifiers(self) -> None:
        """Take all strong identifiers out of what the sources say of everything but events."""
        with psycopg.connect(self.postgres) as connection:
            query = "select attname from pg_attribute where attrelid = 'staging.mentions'::regclass and attnum > 0"
            names = [name for (name,) in connection.execute(query)]
            columns = sql.SQL(", ").join(_hidden(name) for name in names)
            connection.execute(sql.SQL(_STRONG).format(columns=columns))

    def waiting(self) -> float:
        """Return the share of records that a person is asked about."""
        with psycopg.connect(self.postgres) as connection:
            asked, all_ = connection.execute(_WAITING).fetchone() or (0, 0)
        return float(asked / max(1, all_))

    def scores(self) -> dict[str, Score]:
        """Return how right the links between records of their own are, by type."""
        return self._scores(_true_records(self.exports), own=True)

    def scores_of_named(self) -> dict[str, Score]:
        """Return the same with what listings name: an event's venue, organizer and artists, as the truth has them."""
        records = _true_records(self.exports)
        return self._scores(pl.concat([records, _true_names(self.exports, records)]), own=False)

    def _scores(self, truth: pl.DataFrame, *, own: bool) -> dict[str, Score]:
        texts = dict.fromkeys(("ref", "entity_type"), pl.String)
        with psycopg.connect(self.postgres) as connection:
            found = copy_out(connection, sql.SQL(_MAP), {**texts, "embedded": pl.Boolean, "entity": pl.String})
        # What stands for nothing is a thing of its own.
        placed = found.filter(~pl.col("embedded") | (not own)).with_columns(pl.col("entity").fill_null(pl.col("ref")))
        judged = placed.join(truth, on=["ref", "entity_type"])
        return {str(kind): pairwise(part) for (kind,), part in judged.group_by("entity_type")}


def pairwise(records: pl.DataFrame) -> Score:
    """Return precision and recall of the pairs within an `entity`, of which those of one `thing` are right."""
    right, found, true = (_pairs(records, *by) for by in (("thing", "entity"), ("entity",), ("thing",)))
    return Score(right / max(1, found), right / max(1, true))


def make(settings: Settings, postgres: str, name: str, scale: float, *, engagement: bool = False) -> World:
    """Generate a world of this scale, read it into a new database as any source is, and build the staging views."""
    exports = settings.home.parent / name
    generate = ["-m", "sample_data.generator", "--scale", str(scale), "--out", str(exports)]
    _run([sys.executable, *generate, *([] if engagement else ["--without-engagement"])])
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    world = World(with_database(postgres, name), exports)
    _read(replace(settings, exports=exports, lake_uri=str(exports / "lake")), world)
    _stage(settings, world)
    return world


def _read(settings: Settings, world: World) -> None:
    from resources.sources.catalogue import TABLES
    from sonik_assets.raw.extract import extract

    with psycopg.connect(world.postgres) as connection:
        for table in TABLES:
            if table.files:
                extract(settings, connection, table, (None, None), "bench")


def _stage(settings: Settings, world: World) -> None:
    from sonik_assets.unified import dbt

    with patch.dict(os.environ):
        dbt.point_at(world.postgres, settings.home)
        where = ["--project-dir", str(dbt.PROJECT), "--profiles-dir", str(dbt.PROJECT)]
        _run([dbt.EXECUTABLE, "--quiet", "run", *where, "--select", "fqn:sonik.staging"])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} failed: {done.stdout[-2000:]}{done.stderr[-2000:]}")


def _hidden(name: str) -> sql.Composable:
    if name in STRONG:
        return sql.SQL("null::text as {}").format(sql.Identifier(name))
    return _WEBSITE if name == "website" else sql.Identifier(name)


def _pairs(records: pl.DataFrame, *by: str) -> int:
    sizes = records.group_by(by).len()["len"].cast(pl.Int64)
    return int((sizes * (sizes - 1) // 2).sum())


def _true_records(exports: Path) -> pl.DataFrame:
    return _lines(exports / "truth" / "records.ndjson.gz").unique("ref")


def _true_names(exports: Path, records: pl.DataFrame) -> pl.DataFrame:
    """Return ref, entity_type, thing of the venues and organizers that records of events name."""
    things = _lines(exports / "truth" / "things.ndjson.gz").filter(pl.col("entity_type") == "event")
    told = records.filter(pl.col("entity_type") == "event").select("ref", "thing").join(things, on="thing")
    parts = told.select(pl.col("ref").str.splitn("/", 3).struct.unnest(), "venue", "organizer")
    named = [
        parts.select(
            pl.format("{}/{}.{}/{}", "field_0", "field_1", pl.lit(name), "field_2").alias("ref"),
            pl.lit(kind).alias("entity_type"),
            pl.col(name).alias("thing"),
        )
        for name, kind in (("venue", "venue"), ("organizer", "organization"))
    ]
    return pl.concat(named)


def _lines(path: Path) -> pl.DataFrame:
    with gzip.open(path) as file:
        return pl.read_ndjson(file.read(), infer_schema_length=None)


def main() -> None:
    """Resolve the database that the arguments name, and print seconds (all, by step), megabytes and counts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identity_world", description=__doc__)
    parser.add_argument("postgres")
    parser.add_argument("exports", type=Path)
    parser.add_argument("--acknowledged", action="store_true")
    parser.add_argument("--without", choices=OMISSIONS, nargs="*", default=[])
    chosen = parser.parse_args()
    print(
        json.dumps(_resolve(chosen.postgres, chosen.exports, chosen.without, "bench" if chosen.acknowledged else None))
    )


def _resolve(postgres: str, exports: Path, without: Sequence[str], acknowledged: str | None) -> dict[str, Any]:
    from resources.places import open_places
    from sonik_assets.identity.normalize.text import name_key
    from sonik_assets.identity.resolve import Options, resolve

    places = None if "places" in without else open_places(exports, name_key)
    options = Options(matchers={} if "matchers" in without else None, acknowledged=acknowledged)
    with psycopg.connect(postgres) as connection, Costs(connection.info.backend_pid) as costs, _keys(without):
        started = time.perf_counter()
        report = resolve(connection, places, options)
        seconds = time.perf_counter() - started
    return {
        "seconds": seconds,
        "steps": report.seconds,
        "cpu_seconds": costs.cpu_seconds,
        "peak_mb": costs.own_mb,
        "peak_mb_with_postgres": costs.both_mb,
        "mentions": report.mentions,
        "scope": report.scope,
    }


@contextmanager
def _keys(without: Sequence[str]) -> Iterator[None]:
    """Let events have their venue and night but nothing that they are known by, where that is asked."""
    from sonik_assets.identity import happenings

    told = happenings.prepare

    def unknown(connection: psycopg.Connection, said: pl.DataFrame) -> "Happenings":
        found = told(connection, said)
        return replace(found, identifiers=found.identifiers.clear())

    with patch.object(happenings, "prepare", unknown if "event_keys" in without else told):
        yield


class Costs:
    """Samples what this process holds, alone and with the private memory of its PostgreSQL backend; keeps the most.

    `cpu_seconds` is of both too: on a busy machine it says more than the clock.
    """

    def __init__(self, backend: int) -> None:
        self._own, self._backend = psutil.Process(), psutil.Process(backend)
        self.own_mb = self.both_mb = 0.0
        self.cpu_seconds = -self._cpu()
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Costs":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self.cpu_seconds += self._cpu()

    def _cpu(self) -> float:
        return sum(sum(each.cpu_times()[:2]) for each in (self._own, self._backend))

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            own, backend = self._own.memory_info().rss, self._backend.memory_info()
            # Buffers are shared: they are the server's, whatever is asked of it.
            both = own + backend.rss - getattr(backend, "shared", 0)
            self.own_mb, self.both_mb = max(self.own_mb, own / 2**20), max(self.both_mb, both / 2**20)


if __name__ == "__main__":
    main()
