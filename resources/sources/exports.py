"""Reads an exports folder: NDJSON (plain or gzip), BSON dumps and Debezium envelopes.

Yields batches in bounded memory. Knows files and formats; nothing of Dagster, windows or the database.
"""

import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import batched, islice
from pathlib import Path

import polars as pl

from resources.errors import TerminalError
from resources.sources import batches, debezium
from resources.sources.catalogue import TABLES, SourceTable

BATCH_ROWS = 50_000


def read(folder: Path, table: SourceTable) -> Iterator[pl.DataFrame]:
    """Yield the table's batches: its own files first, then the change envelopes of its topic.

    Raises TerminalError where the folder is missing or a file cannot be read; a table without files is empty.
    """
    check_folder(folder)
    for path in files(folder, table.files):
        for lines in _lines(path, folder):
            yield batches.annotate(lines, table)
    for path in files(folder, _topic(table)):
        for lines in _lines(path, folder):
            yield debezium.annotate(lines, table)


def check_folder(folder: Path) -> None:
    """Raise TerminalError where there is no such folder."""
    if not folder.is_dir():
        raise TerminalError(f"exports folder {folder} does not exist: pass --exports DIR or set SONIK_EXPORTS")


def files(folder: Path, patterns: tuple[str, ...]) -> list[Path]:
    """Return the files that match, gzipped or not, in a fixed order."""
    return sorted(p for pattern in patterns for suffix in ("", ".gz") for p in folder.glob(pattern + suffix))


def _lines(path: Path, folder: Path) -> Iterator[pl.DataFrame]:
    name = str(path.relative_to(folder))
    try:
        yield from _bson(path, name) if ".bson" in path.suffixes else _text(path, name)
    except (OSError, pl.exceptions.ComputeError, EOFError) as error:
        raise TerminalError(f"cannot read {path}: {error}; export it again or move it away") from error


def _text(path: Path, name: str) -> Iterator[pl.DataFrame]:
    if path.stat().st_size == 0:
        return
    read = 0
    lines = pl.scan_lines(path, name="payload", row_index_name="row")
    try:
        for batch in lines.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True):
            read += batch.height
            yield _located(batch, name)
    except pl.exceptions.ComputeError as error:
        if "utf8" not in str(error):
            raise
        yield from _not_utf8(path, name, read)


def _not_utf8(path: Path, name: str, skip: int) -> Iterator[pl.DataFrame]:
    r"""Read on after `skip` lines. A wrong byte becomes `\xNN`, which is no JSON: that line is a dead letter."""
    with path.open("rb") as plain:
        file = gzip.GzipFile(fileobj=plain) if path.suffix == ".gz" else plain
        rows = ((n, line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")) for n, line in enumerate(file))
        for chunk in batched(islice(rows, skip, None), BATCH_ROWS):
            yield _located(pl.DataFrame(chunk, {"row": pl.UInt32, "payload": pl.String}, orient="row"), name)


def _located(batch: pl.DataFrame, name: str) -> pl.DataFrame:
    filled = batch.filter(pl.col("payload").str.strip_chars() != "")
    return filled.select("payload", origin=pl.format("{}:{}", pl.lit(name), pl.col("row") + 1))


def _bson(path: Path, name: str) -> Iterator[pl.DataFrame]:
    import bson
    from bson.json_util import RELAXED_JSON_OPTIONS, dumps

    with path.open("rb") as plain:
        file = gzip.GzipFile(fileobj=plain) if path.suffix == ".gz" else plain
        documents = (dumps(d, json_options=RELAXED_JSON_OPTIONS) for d in bson.decode_file_iter(file))  # type: ignore[arg-type]
        for chunk in batched(documents, BATCH_ROWS):
            yield pl.DataFrame({"payload": chunk}, {"payload": pl.String}).with_columns(origin=pl.lit(name))


def span(folder: Path) -> tuple[str, str]:
    """Return the first and last UTC day, up to today, that any record or change of the folder belongs to."""
    today = datetime.now(UTC).date()
    days: set[date] = set()
    for table in TABLES:
        for path in files(folder, table.files):
            for lines in _lines(path, folder):
                days.update(_days(lines.select(batches.instant(batches.first(table.updated)))))
        for path in files(folder, _topic(table)):
            for lines in _lines(path, folder):
                days.update(_days(debezium.annotate(lines, table).select("source_updated_at")))
    inside = [day for day in days if day <= today] or [today]
    return str(min(inside)), str(max(inside))


def _days(clock: pl.DataFrame) -> list[date]:
    return clock.to_series().dt.date().unique().drop_nulls().to_list()


def _topic(table: SourceTable) -> tuple[str, ...]:
    return (f"debezium/{table.topic}.ndjson",) if table.topic else ()
