"""The lake: every extract verbatim, as immutable Parquet under `<source>/<table>/day=<date>/`.

A file is named by its content, so reading the same day again writes nothing, and no file is ever changed.
"""

import hashlib
import io
from contextlib import suppress
from pathlib import Path

import polars as pl

from resources.errors import TransientError
from resources.sources.catalogue import SourceTable

UNDATED = "undated"
"""The day of lines that name no time, broken ones among them."""


def write(uri: str, table: SourceTable, batch: pl.DataFrame) -> int:
    """Store the batch, one file a day (UTC, by source_updated_at); return the number of new files."""
    day = pl.col("source_updated_at").dt.date().cast(pl.String).fill_null(UNDATED)
    days = batch.with_columns(day=day).partition_by("day", as_dict=True, include_key=False)
    return sum(_store(f"{uri}/{table.source}/{table.name}/day={key[0]}", part) for key, part in days.items())


def _store(folder: str, part: pl.DataFrame) -> bool:
    buffer = io.BytesIO()
    part.write_parquet(buffer, compression="zstd", statistics=False)
    content = buffer.getvalue()
    name = f"{folder}/{hashlib.sha256(content).hexdigest()[:32]}.parquet"
    if "://" in name:
        part.write_parquet(name)
        return True
    return _store_local(Path(name), content)


def _store_local(path: Path, content: bytes) -> bool:
    if path.exists():
        return False
    part = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)  # a reader sees the whole file or none
    except OSError as error:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise TransientError(f"cannot write the lake at {path}: {error}; make room and run again") from error
    return True
