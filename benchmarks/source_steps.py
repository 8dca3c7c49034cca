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
from typing import Any

from resources.settings import Settings

Step = Callable[[], Any]


def extract(database: str, relation: str) -> Step:
    """Source -> lake -> `raw_*`."""
    import psycopg

    from resources.sources import directus, exports, kafka  # noqa: F401 - not timed
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


def bare_bytes(url: str, *targets: str) -> Step:
    """Only receive the bytes."""
    import urllib3

    def read() -> int:
        with urllib3.HTTPConnectionPool(*url.split(":"), maxsize=1) as pool:  # type: ignore[arg-type]
            return sum(len(pool.request("GET", target).data) for target in targets)

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


STEPS = {step.__name__: step for step in (extract, bare, bare_bytes, dlt_pages, dlt_mongo)}


def main() -> None:
    """Run the step that the arguments name."""
    step = STEPS[sys.argv[1]](*sys.argv[2:])
    started = time.perf_counter()
    done = step()
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"seconds": seconds, "peak_mb": peak, "done": done}))


if __name__ == "__main__":
    main()
