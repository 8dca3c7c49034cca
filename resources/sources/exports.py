"""Reads an exports folder: NDJSON (plain, gzip or zstd) and BSON dumps, then the landing zone's change logs.

Yields batches in bounded memory. Knows files and formats; nothing of Dagster, windows or the database. An export is
made on purpose: one that cannot be read stops the run. Feeds, which anyone may drop, are read by `landing.py`.
"""

import gzip
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime
from io import BufferedReader
from itertools import batched, islice
from pathlib import Path
from typing import Any

import polars as pl

from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import Request, batches, landing
from resources.sources import lines as text
from resources.sources.batches import Batch
from resources.sources.catalogue import TABLES, SourceTable
from resources.stores.objects import Found

BATCH_ROWS = text.BATCH_ROWS
_PACKED = ("", ".gz", ".zst")


def read(settings: Settings, table: SourceTable, request: Request) -> Iterator[Batch]:
    """Yield the table's batches: its own files first, then the changes of its topics.

    Raises TerminalError where the folder is missing or an export cannot be read; a table without files is empty.
    The position is the file and the line to go on with.
    """
    if landing.feeds(table):
        yield from landing.read(settings, table, request)
    else:
        check_folder(settings.exports)
        yield from _own(settings.exports, table, request.position)
    yield from landing.changes(settings, table)


def ids(settings: Settings, table: SourceTable) -> Iterator[list[str]]:
    """Raise NotImplementedError: an export need not hold every record."""
    raise NotImplementedError(f"{table.relation} is read from files ({settings.exports}), which need not be complete")


def touched(settings: Settings, table: SourceTable, since: datetime) -> list[date]:
    """Raise NotImplementedError: what is new in the landing zone, `landing.listing` tells."""
    raise NotImplementedError(f"{table.relation} is read from files ({settings.exports}), unasked since {since}")


def check_folder(folder: Path) -> None:
    """Raise TerminalError where there is no such folder."""
    if not folder.is_dir():
        raise TerminalError(f"exports folder {folder} does not exist: pass --exports DIR or set SONIK_EXPORTS")


def files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """Return the files that match, packed or not, in a fixed order."""
    return sorted(p for pattern in patterns for suffix in _PACKED for p in folder.glob(pattern + suffix))


def span(folder: Path) -> tuple[str, str]:
    """Return the first and last UTC day, up to today, that any record or change of the folder belongs to."""
    today = datetime.now(UTC).date()
    here = replace(Settings.from_env({}), exports=folder)
    days: set[date] = set()
    for table in TABLES:
        if table.files:
            for batch in read(here, table, Request()):
                days.update(batch.rows["source_updated_at"].dt.date().unique().drop_nulls().to_list())
    inside = [day for day in days if day <= today] or [today]
    return str(min(inside)), str(max(inside))


def _own(folder: Path, table: SourceTable, position: batches.State | None) -> Iterator[Batch]:
    paths = files(folder, table.files)
    found = [Found.of(path, folder) for path in paths]
    first, skip = landing.resume(position, found)
    for index, path in enumerate(paths[first:], first):
        for frame in _lines(path, found[index].path, skip if index == first else 0):
            batch = batches.from_lines(frame.select("payload", "origin"), table)
            yield replace(batch, position=landing.position(found, index, int(frame["row"][-1]) + 1))


def _lines(path: Path, name: str, skip: int) -> Iterator[pl.DataFrame]:
    """Yield row (from 0), payload and origin of the records after the first `skip`."""
    try:
        yield from _bson(path, name, skip) if ".bson" in path.suffixes else _text(path, name, skip)
    except (OSError, pl.exceptions.ComputeError, EOFError, text.UnreadableError) as error:
        raise TerminalError(f"cannot read {path}: {error}; export it again or move it away") from error


def _text(path: Path, name: str, skip: int) -> Iterator[pl.DataFrame]:
    if path.stat().st_size == 0:
        return
    read = 0
    lines = pl.scan_lines(path, name="payload", row_index_name="row")
    try:
        for batch in lines.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
            read += batch.height
            yield from _located(batch, name, skip)
    except pl.exceptions.ComputeError as error:
        if "utf8" not in str(error):
            raise
        with path.open("rb") as file:  # more slowly, and a wrong byte costs its own line only
            for batch in text.frames(file, path.name, skip=read):
                yield from _located(batch, name, skip)


def _located(batch: pl.DataFrame, name: str, skip: int) -> Iterator[pl.DataFrame]:
    bare = pl.col("payload").str.strip_prefix("\ufeff")  # how some programs begin a file
    filled = batch.filter((pl.col("row") >= skip) & (pl.col("payload").str.strip_chars() != ""))
    if filled.height:
        yield filled.select("row", payload=bare, origin=pl.format("{}:{}", pl.lit(name), pl.col("row") + 1))


def _bson(path: Path, name: str, skip: int) -> Iterator[pl.DataFrame]:
    import bson
    from bson.json_util import RELAXED_JSON_OPTIONS, dumps

    with path.open("rb") as plain, closing(_opened(plain, path)) as file:
        documents = islice(bson.decode_file_iter(file), skip, None)
        rows = ((skip + n, dumps(d, json_options=RELAXED_JSON_OPTIONS)) for n, d in enumerate(documents))
        for chunk in batched(rows, BATCH_ROWS):
            frame = pl.DataFrame(chunk, {"row": pl.UInt32, "payload": pl.String}, orient="row")
            yield frame.with_columns(origin=pl.lit(name))


def _opened(plain: BufferedReader, path: Path) -> Any:
    if path.suffix == ".zst":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(plain, read_across_frames=True)
    return gzip.GzipFile(fileobj=plain) if path.suffix == ".gz" else plain
