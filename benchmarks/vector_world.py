"""Documents to search: those of a generated world, really embedded, and as many made of two neighbours each.

Texts that were embedded once are kept beside the results by their hash: embedding 20,000 takes minutes.
"""

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
import polars as pl
import psycopg
import pyarrow as pa

from benchmarks.identity_world import make
from resources.settings import ROOT, Settings
from resources.stores import lance_indexes, lancedb
from resources.stores.copy import copy_frame
from sonik_assets.migrations import migrate
from sonik_assets.vectors.documents import TABLES, folded, shown
from sonik_assets.vectors.position import place, remember
from sonik_assets.vectors.sync import sync

WORLD_SCALE = 6.6
"""Of the generator: about 20,000 documents."""
NOISE = 0.35
"""Length of what is added to the middle of two unit vectors."""
CHUNK = 20_000
KEPT = Path(__file__).parent / "results" / "embeddings.parquet"
_KEPT = "select text_hash, model, vector from ops.embeddings"


def world(settings: Settings, postgres: str) -> Settings:
    """Make a world, build `unified` of it and embed its documents; return the settings that lead there."""
    made = make(settings, postgres, "documents", WORLD_SCALE)
    made.resolve()
    _build(settings, made.postgres)
    there = replace(settings, postgres_url=made.postgres)
    with psycopg.connect(made.postgres) as pg:
        migrate(pg)
        _remember(pg)
    for name in TABLES:
        sync(there, made.postgres, name)
    _keep(made.postgres)
    return there


def _build(settings: Settings, postgres: str) -> None:
    from sonik_assets.unified import dbt

    with patch.dict(os.environ):
        dbt.point_at(postgres, settings.home)
        where = ["--project-dir", str(dbt.PROJECT), "--profiles-dir", str(dbt.PROJECT)]
        command = [dbt.EXECUTABLE, "--quiet", "run", *where, "--select", "fqn:sonik.unified"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"dbt run failed: {done.stdout[-3000:]}{done.stderr[-1000:]}")


def _remember(pg: psycopg.Connection[Any]) -> None:
    from psycopg import sql

    if KEPT.is_file():
        numbers = pl.col("vector").list.eval(pl.element().cast(pl.String)).list.join(",")
        kept = pl.read_parquet(KEPT).with_columns(vector=pl.concat_str(pl.lit("{"), numbers, pl.lit("}")))
        with pg.cursor() as cursor:
            copy_frame(cursor, sql.SQL("ops.embeddings"), kept)


def _keep(postgres: str) -> None:
    from adbc_driver_postgresql import dbapi

    KEPT.parent.mkdir(exist_ok=True)
    with dbapi.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute(_KEPT)
        pl.DataFrame(pl.from_arrow(cursor.fetch_arrow_table())).write_parquet(KEPT)


def fill_up(settings: Settings, rows: int) -> None:
    """Add documents that are between two of a city, until there are so many; every table by its share."""
    database = lancedb.connect(settings.lancedb_uri)
    tables = {name: database.open_table(name) for name in TABLES}
    there = {name: table.count_rows() for name, table in tables.items()}
    total = sum(there.values())
    for name, table in tables.items():
        real = pl.DataFrame(pl.from_arrow(table.search().limit(None).to_arrow()))
        more = round((rows - total) * there[name] / total)
        own = place(table)
        for chunk in _between(real, more, seed=len(name)):
            table.add(chunk)
        lance_indexes.bring_up_to_date(table)  # as every night
        if own:
            remember(table, own.lsn)


def _between(real: pl.DataFrame, count: int, seed: int) -> Iterator[pa.Table]:
    """Yield rows between a document and the nearest of ten others of its city, by vector and text."""
    dice = np.random.default_rng(seed)
    vectors = real["vector"].to_numpy()
    places = real.with_row_index("at").group_by("city_key", maintain_order=True).agg("at")["at"].to_list()
    city = np.empty(real.height, np.int64)
    for number, members in enumerate(places):
        city[members] = number
    for first in range(0, count, CHUNK):
        one = dice.integers(0, real.height, min(CHUNK, count - first))
        other = np.array([_neighbour(vectors, places[city[at]], at, dice) for at in one])
        middle = vectors[one] + vectors[other]
        middle /= np.linalg.norm(middle, axis=1, keepdims=True)
        noise = dice.normal(size=middle.shape).astype(np.float32)
        middle += NOISE * noise / np.linalg.norm(noise, axis=1, keepdims=True)
        yield _rows(real, one, other, middle / np.linalg.norm(middle, axis=1, keepdims=True), first)


def _neighbour(vectors: npt.NDArray[np.float32], members: list[int], at: int, dice: np.random.Generator) -> int:
    some = dice.choice(members, min(10, len(members)))
    near = vectors[some] @ vectors[at]
    near[some == at] = -1
    return int(some[near.argmax()])


def _rows(
    real: pl.DataFrame, one: npt.NDArray[Any], other: npt.NDArray[Any], vectors: npt.NDArray[Any], first: int
) -> pa.Table:
    names = pl.concat_str(_half(real["name"][one], first=True), pl.lit(" "), _half(real["name"][other], first=False))
    ids = pl.format("between-{}", pl.int_range(first, first + len(one)))
    text = pl.concat_str(pl.col("name"), pl.lit(". "), pl.lit(real["text"][other]))
    frame = real[one].with_columns(id=ids, document_id=ids, name=names)
    frame = frame.with_columns(text=text, vector=pl.Series(vectors.astype(np.float32), dtype=real.schema["vector"]))
    return (
        frame.with_columns(text_folded=folded(pl.col("text")))
        .with_columns(shown=shown())
        .select(lancedb.SCHEMA.names)
        .to_arrow()
        .cast(lancedb.SCHEMA)
    )


def _half(names: pl.Series, *, first: bool) -> pl.Expr:
    words = pl.lit(names).str.split(" ")
    middle = (words.list.len() + 1) // 2
    return (words.list.head(middle) if first else words.list.slice(middle)).list.join(" ")
