"""Vectors: embedding, hybrid search and how good it is, changed documents, hits of the cache.

100,000 documents at scale 1, a million at 10, of which some 20,000 are really embedded; questions always are.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import fmean

import psycopg

from benchmarks import cache_hits, embedding, search_quality, vector_world
from benchmarks.metrics import Metric
from benchmarks.search_quality import Ranking
from benchmarks.search_questions import Labelled, questions
from resources import embedded
from resources.settings import Settings
from resources.stores import lancedb
from sonik_assets.vectors.sync import sync

DOCUMENTS = 100_000
CHANGED = 10_000
_TOUCH = """
update unified.entities set updated_at = now()
where id in (select id from unified.entities where entity_type <> 'event' order by id limit %s)
"""


def run(scale: int) -> list[Metric]:
    """Measure in a home of its own, whose servers are gone afterwards."""
    found = list(embedding.measures(1))
    with tempfile.TemporaryDirectory(prefix="sonik-bench-") as folder:
        Path(folder).chmod(0o755)  # the account that PostgreSQL runs as under root passes through
        settings = Settings.from_env({"SONIK_HOME": f"{folder}/home"})
        try:
            postgres = embedded.up(settings).postgres
            settings = vector_world.world(settings, postgres)
            with psycopg.connect(str(settings.postgres_url)) as pg:
                asked = questions(pg)
            found += search_quality.measures(settings, asked)
            vector_world.fill_up(settings, DOCUMENTS * scale)
            with_index, latency = _asked(settings, asked)
            found += latency
            found += _changes(settings)
            found += cache_hits.measures(settings)
            found += _against_exact(settings, asked, with_index)
        finally:
            embedded.delete(settings)
    return found


def _asked(settings: Settings, asked: Sequence[Labelled]) -> tuple[list[Ranking], list[Metric]]:
    """Ask all questions one after another, as staff and without the cache; return what was found, and how fast.

    Each is asked once before it counts: a process that answers has its indexes in memory.
    """
    os.sync()  # or what was written before is on its way to the disk meanwhile
    way = search_quality.hybrid(settings)
    found = [way(each) for each in asked]
    took = []
    for each in asked:
        started = time.perf_counter()
        way(each)
        took.append(1000 * (time.perf_counter() - started))
    took.sort()
    p99 = Metric("hybrid_p99_ms", took[int(len(took) * 0.99)], "ms")
    return found, [p99, Metric("hybrid_p50_ms", took[len(took) // 2], "ms")]


def _against_exact(settings: Settings, asked: Sequence[Labelled], found: Sequence[Ranking]) -> Iterator[Metric]:
    """Ask the same without vector indexes, which is exact."""
    database = lancedb.connect(settings.lancedb_uri)
    for name in lancedb.table_names(database):
        table = database.open_table(name)
        for index in table.list_indices():
            if index.columns == ["vector"]:
                table.drop_index(index.name)
    way = search_quality.hybrid(settings)
    shares = [search_quality.overlap(each, way(question)) for question, each in zip(asked, found, strict=True)]
    yield Metric("hybrid_recall_at_10", fmean(shares), "share")


def _changes(settings: Settings) -> Iterator[Metric]:
    """Change rows whose texts are embedded already, and bring the table up to date."""
    postgres = str(settings.postgres_url)
    sync(settings, postgres, "entities")
    with psycopg.connect(postgres) as pg:
        changed = pg.execute(_TOUCH, [CHANGED]).rowcount
    started = time.perf_counter()
    said = sync(settings, postgres, "entities")
    if said.how != "followed" or said.done.written != changed:
        raise RuntimeError(f"not what was to be measured: {said}")
    yield Metric("docs_10k_seconds", time.perf_counter() - started, "s")
