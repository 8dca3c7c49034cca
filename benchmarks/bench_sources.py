"""What reading a source costs beside the bare transfer: Directus and MongoDB into `raw_*`, loads beside COPY.

Records are the sample's events with ids of their own, 100,000 at scale 1. Every figure has its yardstick in this run.
"""

import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.metrics import Metric
from resources import embedded
from resources.embedded.urls import with_database
from resources.settings import ROOT, Settings
from sonik_assets import report

RECORDS = 100_000
PACE = 23_500
"""Rows a second that a real Directus 11.17 on PostgreSQL gave for pages of 1,000 (`make test-live`'s server)."""
PAGE = 1_000
TIMES = 3


def run(scale: int) -> list[Metric]:
    """Measure in a home of its own, whose servers are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="sonik-bench-") as folder:
        Path(folder).chmod(0o755)  # the account that PostgreSQL runs as under root passes through
        settings = Settings.from_env({"SONIK_HOME": f"{folder}/home"})
        file = Path(folder) / "events.ndjson"
        count = RECORDS * scale
        file.write_bytes(b"\n".join(records(count)))
        try:
            bench = _Bench(settings, embedded.up(settings).postgres, file, count)
            return [*bench.loads(), *bench.directus(), *bench.mongo(), *bench.memory()]
        finally:
            embedded.delete(settings)


def records(count: int) -> Iterator[bytes]:
    """Yield events as Directus sends them, sorted by `date_updated`, each another record."""
    with gzip.open(ROOT / "sample_data" / "directus" / "events.ndjson.gz", "rt") as lines:
        sample = [json.loads(line) for line in lines if line.startswith('{"id"') and line.rstrip().endswith("}")]
    begin = datetime(2026, 6, 1, tzinfo=UTC)
    for number in range(count):
        at = (begin + timedelta(seconds=number)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        row = {**sample[number % len(sample)], "id": f"{number:08x}-0000-4000-8000-{number:012x}", "date_updated": at}
        yield json.dumps(
            {**row, "price_min": 125.5, "price_max": 250}, ensure_ascii=False, separators=(",", ":")
        ).encode()


class _Bench:
    def __init__(self, settings: Settings, postgres: str, file: Path, count: int) -> None:
        self.settings, self.postgres, self.file, self.count = settings, postgres, file, count
        self.folder = settings.home.parent
        self.peak = 0.0
        self.databases = 0

    def loads(self) -> list[Metric]:
        """COPY into an identical empty table, first load, load of the same, load of all changed."""
        done = [self.step("loads", self.database(), str(self.file))["done"] for _ in range(TIMES)]
        best = {name: self.count / min(each[name] for each in done) for name in done[0]}
        return [
            Metric("load_vs_copy", best["first"], "rows/s", best["copy"]),
            Metric("merge_vs_copy", best["changed"], "rows/s", best["copy"]),
            Metric("merge_unchanged_vs_copy", best["same"], "rows/s", best["copy"]),
        ]

    def directus(self) -> list[Metric]:
        """At the pace of a real Directus, and from pages that come at once."""
        targets = [f"/items/events?limit={PAGE}&offset={start}" for start in range(0, self.count, PAGE)]
        with self.pages(PACE) as url:
            paced_bare = self.rate("bare", url, *targets)
            paced, written = self.extract(url)
        with self.pages(0) as url:
            bare = max(self.rate("bare", url, *targets) for _ in range(TIMES))
            at_once = max(self.extract(url)[0] for _ in range(TIMES))
            dlt = self.rate("dlt_pages", url, self.database(), str(self.folder / "dlt"), *targets)
        return [
            Metric("directus_vs_bare_http", paced, "rows/s", paced_bare),
            Metric("directus_vs_bare_http_at_once", at_once, "rows/s", bare),
            Metric("directus_vs_dlt", at_once, "rows/s", dlt),
            Metric("unchanged_rows_written", written, "rows"),
        ]

    def mongo(self) -> list[Metric]:
        """Read a collection of a MongoDB-wire server into `raw_mongo.engagement`."""
        with self.documents() as (url, name):
            variables = {"MONGO_URL": url, "MONGO_DATABASE": name}
            self.step("extract", self.database(), "mongo.engagement", **variables)  # its first answer is slow
            ours = max(self.taken("mongo.engagement", **variables) for _ in range(TIMES))
            dlt = self.rate("dlt_mongo", url, name, self.database(), str(self.folder / "dlt"))
        return [Metric("mongo_vs_dlt", ours, "documents/s", dlt)]

    def memory(self) -> list[Metric]:
        """Return the peak of every extract above, and of one over four times as many records."""
        peak = self.peak
        four = self.file.with_name("four.ndjson")
        four.write_bytes(b"\n".join(records(4 * self.count)))
        self.file, self.peak = four, 0.0
        with self.pages(0) as url:
            self.extract(url)
        return [Metric("peak_mb", peak, "MB"), Metric("peak_mb_of_four_times_as_much", self.peak, "MB")]

    def extract(self, url: str) -> tuple[float, int]:
        """Return rows a second of a first read, and the rows that a second one writes."""
        database = self.database()
        variables = {"DIRECTUS_URL": f"http://{url}", "DIRECTUS_TOKEN": "none"}
        first = self.taken("directus.events", database, **variables)
        with psycopg.connect(database) as connection:
            mark = report.mark(connection)
        self.step("extract", database, "directus.events", **variables)
        with psycopg.connect(database) as connection:
            return first, report.rows_written(connection, mark)

    def taken(self, relation: str, database: str = "", **variables: str) -> float:
        """Return rows a second from the source into an empty table."""
        done = self.step("extract", database or self.database(), relation, **variables)
        if done["done"] < self.count:
            raise RuntimeError(f"{relation}: {done['done']} of {self.count} records came")
        self.peak = max(self.peak, done["peak_mb"])
        return self.count / done["seconds"]

    def rate(self, name: str, *arguments: str) -> float:
        """Return rows a second of a step that reads all of them."""
        return self.count / float(self.step(name, *arguments)["seconds"])

    def step(self, name: str, *arguments: str, **variables: str) -> dict[str, Any]:
        """Run a step in a process of its own; return what it printed."""
        command = [sys.executable, "-m", "benchmarks.source_steps", name, *arguments]
        here = {"SONIK_HOME": str(self.settings.home), "SONIK_LAKE_URI": tempfile.mkdtemp(dir=self.folder)}
        environment = {"PATH": os.environ["PATH"], **here, **variables}
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} failed: {done.stderr[-2000:]}")
        return dict(json.loads(done.stdout.splitlines()[-1]))

    def database(self) -> str:
        """Return the URL of a database that is empty."""
        self.databases += 1
        name = f"bench_{self.databases}"
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(f"create database {name}".encode())
        return with_database(self.postgres, name)

    @contextmanager
    def pages(self, pace: int) -> Iterator[str]:
        """Serve the file's pages from another process; yield host and port."""
        command = [sys.executable, "-m", "benchmarks.page_server", str(self.file), str(pace)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
            assert server.stdout
            url = f"127.0.0.1:{server.stdout.readline().strip()}"
            targets = [f"/items/events?limit={PAGE}&offset={start}" for start in range(0, self.count, PAGE)]
            self.step("bare", url, *targets)  # the pages are made now
            yield url
            server.kill()

    @contextmanager
    def documents(self) -> Iterator[tuple[str, str]]:
        """Serve a MongoDB from another process; yield its URL and its database."""
        command = [sys.executable, "-m", "tests.support.mongo_server", "0", str(self.count)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:
            assert server.stdin
            assert server.stdout
            url, name = server.stdout.readline().split()
            yield url, name
            server.stdin.close()
