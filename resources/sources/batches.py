"""One batch of a source: verbatim records with what the loader must know of each.

Every reader ends here, so that a record is judged the same whether it came from an API, a log or a file.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from resources.sources import judgement
from resources.sources.catalogue import SourceTable

COLUMNS = ("record_id", "payload", "source_updated_at", "deleted_at", "partial", "reason", "origin")
"""text, text, UTC datetime, UTC datetime, bool, text (null where good), text (file:line or what was asked).

A row without a payload is a tombstone: of a deleted record nothing is known but its id and when it went.
"""
TIME = pl.Datetime("us", "UTC")
_SCHEMA = pl.Schema(
    dict.fromkeys(COLUMNS, pl.String) | {"source_updated_at": TIME, "deleted_at": TIME, "partial": pl.Boolean}
)

State = dict[str, Any]
"""What a reader remembers, as JSON. Only the reader that wrote it knows what it means."""


@dataclass(frozen=True)
class Batch:
    """Rows (`COLUMNS`, polars over Arrow memory), and how to go on after them."""

    rows: pl.DataFrame
    position: State | None = None
    """Where this read goes on if it is killed after this batch; None: at the position before."""
    bookmark: State | None = None
    """What the next read of the table begins from, as a change stream's resume token; None: as it was."""
    any_day: bool = False
    """Rows that come once, whatever their day, as from a log: a window must not hold them back."""
    unknown: frozenset[str] = frozenset()
    """Fields that the contract does not know: kept, and reported as drift."""


def from_lines(lines: pl.DataFrame, table: SourceTable, *, partial: bool = False) -> Batch:
    """Return the batch of `lines` (columns `payload`, `origin`), each judged by the table's contract."""
    verdict, unknown = judgement.judge(lines["payload"].to_list(), table)
    rows = lines.select("payload", "origin", partial=pl.lit(partial)).hstack(verdict).select(COLUMNS)
    return Batch(rows, unknown=unknown)


def from_records(
    records: Sequence[bytes],
    table: SourceTable,
    *,
    origin: str,
    position: State | None = None,
    bookmark: State | None = None,
) -> Batch:
    """Return the batch of records as an API sent them, one JSON text each, in UTF-8."""
    verdict, unknown = judgement.judge(records, table, split=True)
    rows = verdict.with_columns(payload=_text(records), origin=pl.lit(origin), partial=pl.lit(value=False))
    return Batch(rows.select(COLUMNS), position=position, bookmark=bookmark, unknown=unknown)


def tombstones(
    ids: Sequence[str],
    at: Sequence[datetime],
    *,
    origin: str,
    position: State | None = None,
    bookmark: State | None = None,
) -> Batch:
    """Return the batch that says of these records only that they are gone since (UTC)."""
    gone = {"record_id": ids, "source_updated_at": at, "deleted_at": at}
    rows = pl.DataFrame(gone, {name: _SCHEMA[name] for name in gone}).with_columns(
        payload=pl.lit(None, pl.String), partial=pl.lit(value=True), reason=pl.lit(None, pl.String),
        origin=pl.lit(origin),
    )  # fmt: skip
    return Batch(rows.select(COLUMNS), position=position, bookmark=bookmark)


def rejected(payload: str, *, reason: str, origin: str) -> pl.DataFrame:
    """Return the row of something that could not be read at all: a dead letter."""
    row = {"payload": payload, "reason": reason, "origin": origin, "partial": False}
    return pl.DataFrame([row], _SCHEMA)


def empty() -> pl.DataFrame:
    """Return no rows: for a batch that only moves a position or a bookmark."""
    return pl.DataFrame(schema=_SCHEMA)


def _text(records: Iterable[bytes]) -> pl.Series:
    """Return the records as one column, without a Python text for each."""
    records = list(records)
    offsets = np.cumsum([0, *map(len, records)], dtype=np.int64)
    column = pa.LargeStringArray.from_buffers(len(records), pa.py_buffer(offsets), pa.py_buffer(b"".join(records)))
    column.validate(full=True)  # raises on what is not UTF-8
    return pl.Series("payload", column)
