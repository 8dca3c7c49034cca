"""The graphs: the first load, changes from the log, and the catalogued queries.

100,000 nodes and 500,000 edges at scale 1, a million and five million at 10. Two homes, one after the other: what loads
is made of tables, what is asked has a popularity that no table of ours needs to follow.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from benchmarks.graph_changes import change_metrics
from benchmarks.graph_load import NODES, load_metrics, make
from benchmarks.graph_queries import query_metrics
from benchmarks.metrics import Metric
from resources import embedded
from resources.settings import Settings
from resources.stores.falkordb import connect


def run(scale: int) -> list[Metric]:
    """Measure in homes of its own, whose servers are gone afterwards."""
    found: list[Metric] = []
    with _servers() as (servers, folder):
        postgres, client = make(servers.postgres, NODES * scale), connect(servers.falkordb)
        found += load_metrics(postgres, servers.falkordb, folder)
        found += change_metrics(postgres, client)
    with _servers() as (servers, _), psycopg.connect(servers.postgres, autocommit=True) as pg:
        found += query_metrics(connect(servers.falkordb), pg, scale)
    return found


@contextmanager
def _servers() -> Iterator[tuple[embedded.Endpoints, Path]]:
    with tempfile.TemporaryDirectory(prefix="sonik-bench-") as folder:
        Path(folder).chmod(0o755)  # the account that PostgreSQL runs as under root passes through
        settings = Settings.from_env({"SONIK_HOME": f"{folder}/home"})
        try:
            yield embedded.up(settings), Path(folder)
        finally:
            embedded.delete(settings)
