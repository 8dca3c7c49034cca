"""The lake: every extract verbatim, as immutable Parquet under `<source>/<table>/day=<date>/`.

A file's name is when it was read, by which run, and a hash of its content: reading the same again writes nothing, and
files in the order of their names are in the order of reading. It is a local folder or an object store.
"""

import hashlib
import io
from collections.abc import Iterator
from datetime import UTC, date, datetime

import polars as pl

from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable
from resources.stores.objects import Objects

UNDATED = "undated"
"""The day of lines that name no time, broken ones among them."""


def write(lake: Objects, table: SourceTable, rows: pl.DataFrame, run_id: str) -> int:
    """Store the rows, one file a day (UTC, by source_updated_at); return the number of new files."""
    day = pl.col("source_updated_at").dt.date().cast(pl.String).fill_null(UNDATED)
    days = rows.with_columns(day=day).partition_by("day", as_dict=True, include_key=False, maintain_order=True)
    return sum(_store(lake, f"{_folder(table)}/day={key[0]}", part, run_id) for key, part in days.items())


def read(lake: Objects, table: SourceTable, first: date | None, last: date) -> Iterator[Batch]:
    """Yield what was kept of these days (UTC, both included) and of no day, file by file, in the order of reading."""
    names = [found.path for found in lake.list(f"{_folder(table)}/") if found.path.endswith(".parquet")]
    for name in sorted((n for n in names if _inside(_day(n), first, last)), key=_when):
        with lake.open(name) as file:
            yield Batch(pl.read_parquet(io.BytesIO(file.read())))


def _when(name: str) -> tuple[bool, str]:
    """Return the order of reading. The first lakes named files by content alone: those are older than any other."""
    file = name.rsplit("/", 1)[1]
    return "Z-" in file, file


def _folder(table: SourceTable) -> str:
    return f"{table.source}/{table.name}"


def _day(name: str) -> str:
    return name.rsplit("/", 2)[1].removeprefix("day=")


def _inside(day: str, first: date | None, last: date) -> bool:
    return day == UNDATED or ((first is None or day >= first.isoformat()) and day <= last.isoformat())


def _store(lake: Objects, folder: str, part: pl.DataFrame, run_id: str) -> bool:
    buffer = io.BytesIO()
    part.write_parquet(buffer, compression="zstd", compression_level=1, statistics=False)
    content = buffer.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:32]
    kept = sorted((found.path for found in lake.list(f"{folder}/")), key=_when)
    # Without clocks the order counts: what was so, was not, and is so again, is kept again.
    if any(path.endswith(f"{digest}.parquet") for path in (kept[-1:] if folder.endswith(UNDATED) else kept)):
        return False
    return lake.put_new(f"{folder}/{datetime.now(UTC):%Y%m%dT%H%M%S%f}Z-{run_id[:8]}-{digest}.parquet", content)
