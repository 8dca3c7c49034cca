"""One measured step of `bench_sources` in a process of its own: prints seconds, peak memory and what was done, as JSON.

`python -m benchmarks.source_steps STEP ARGUMENTS...`; settings come from the environment. Imports are not timed.
"""

import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from resources.settings import Settings

Step = Callable[[], Any]


def extract(database: str, relation: str) -> Step:
    """Source -> lake -> `raw_*`."""
    import psycopg

    from resources.sources import directus, mongo  # noqa: F401 - not timed
    from resources.sources.catalogue import table
    from sonik_assets.raw import schema
    from sonik_assets.raw.extract import extract

    connection = psycopg.connect(database)
    schema.ensure(connection)
    connection.commit()
    return lambda: extract(Settings.from_env(), connection, table(relation), (None, None), "bench").read


def bare(url: str, *targets: str) -> Step:
    """Read the same pages over one connection, and parse them: the least that a reader must do."""
    import orjson
    import urllib3

    def read() -> int:
        with urllib3.HTTPConnectionPool(*url.split(":"), maxsize=1) as pool:  # type: ignore[arg-type]
            return sum(len(orjson.loads(pool.request("GET", target).data)["data"]) for target in targets)

    return read


def dlt_pages(url: str, database: str, folder: str, *targets: str) -> Step:
    """Read the same pages with dlt into PostgreSQL."""
    from dlt.sources.helpers.rest_client import RESTClient

    client = RESTClient(base_url=f"http://{url}")

    def pages() -> Iterator[Any]:
        for target in targets:
            yield client.get(target).json()["data"]

    return _dlt(database, folder, pages)


def dlt_mongo(url: str, name: str, database: str, folder: str) -> Step:
    """Read a collection with pymongo in dlt's chunks into PostgreSQL."""
    import pymongo
    from bson.json_util import RELAXED_JSON_OPTIONS, default

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list):
            return [plain(each) for each in value]
        if value is None or isinstance(value, str | int | float | bool | datetime):
            return value
        return str(next(iter(default(value, RELAXED_JSON_OPTIONS).values())))

    def documents() -> Iterator[Any]:
        chunk = []
        for document in pymongo.MongoClient(url)[name]["engagement"].find():
            chunk.append(plain(document))
            if len(chunk) == 5_000:
                yield chunk
                chunk = []
        yield chunk

    return _dlt(database, folder, documents)


def _dlt(database: str, folder: str, resource: Callable[[], Iterator[Any]]) -> Step:
    os.environ |= {"DLT_DATA_DIR": folder, "RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR"}
    import dlt

    url = database.replace("postgresql://postgres@/", "postgresql://postgres:none@localhost/")
    stamp = f"{datetime.now(UTC):%H%M%S%f}"
    pipeline = dlt.pipeline(
        f"bench{stamp}",
        destination=dlt.destinations.postgres(credentials=url),
        dataset_name=f"dlt{stamp}",
        pipelines_dir=folder,
    )
    # One column for what is nested, as raw_* has: without it dlt makes a table of each list, and is slower.
    source = dlt.resource(resource, name="records", max_table_nesting=0, primary_key=None)
    return lambda: str(pipeline.run(source))[:20]


def loads(database: str, file: str) -> Step:
    """Load a file's records first, again, and all changed; and COPY the same rows into an identical empty table."""
    import polars as pl
    import psycopg
    from psycopg import sql

    from resources.sources import batches
    from resources.sources.catalogue import table
    from resources.stores.copy import copy_frame
    from sonik_assets.raw import schema
    from sonik_assets.raw.extract import BATCH_ROWS
    from sonik_assets.raw.load import Counts, load

    events = table("directus.events")
    lines = Path(file).read_bytes().splitlines()
    connection = psycopg.connect(database)
    schema.ensure(connection)
    connection.execute("create table copied (like raw_directus.events including all)")
    connection.commit()
    newer = [line.replace(b'"date_updated":"2026-', b'"date_updated":"2027-') for line in lines]

    def framed(records: list[bytes]) -> list[pl.DataFrame]:
        starts = range(0, len(records), BATCH_ROWS)
        return [batches.from_records(records[n : n + BATCH_ROWS], events, origin="bench").rows for n in starts]

    def copy(frames: list[pl.DataFrame]) -> None:
        now = pl.lit("2026-11-21T00:00:00Z")
        others = {
            "first_seen_at": now,
            "changed_at": now,
            "partition_date": pl.lit("2026-11-20"),
            "run_id": pl.lit("r"),
        }
        for frame in frames:
            hashed = frame.select(
                "record_id", "payload", "source_updated_at", payload_hash=pl.lit("\\x" + "00" * 16), **others
            )  # fmt: skip
            with connection.cursor() as cursor:
                copy_frame(cursor, sql.Identifier("copied"), hashed)
            connection.commit()

    def merge(frames: list[pl.DataFrame]) -> None:
        for number, frame in enumerate(frames):
            counts = Counts()
            load(connection, events, frame, "bench", counts)
            if counts.written and not number:
                connection.execute("analyze raw_directus.events")  # as an extract does
            connection.commit()

    first, changed = framed(lines), framed(newer)

    def timed(work: Callable[[list[pl.DataFrame]], None], frames: list[pl.DataFrame]) -> float:
        started = time.perf_counter()
        work(frames)
        return time.perf_counter() - started

    return lambda: {
        "copy": timed(copy, first),
        "first": timed(merge, first),
        "same": timed(merge, first),
        "changed": timed(merge, changed),
    }


def _peak_mb() -> float:
    """Return the most memory this process held. Not of getrusage, which counts what its parent held at the fork."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


STEPS = {step.__name__: step for step in (extract, loads, bare, dlt_pages, dlt_mongo)}


def main() -> None:
    """Run the step that the arguments name."""
    step = STEPS[sys.argv[1]](*sys.argv[2:])
    started = time.perf_counter()
    done = step()
    seconds = time.perf_counter() - started
    peak = _peak_mb()
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "done": done}))


if __name__ == "__main__":
    main()
