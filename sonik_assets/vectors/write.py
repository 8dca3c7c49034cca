"""Writes documents into a LanceDB table: the whole table anew, or what differs of some of them.

Which documents, and when, is `sync.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import polars as pl

from resources.stores import lancedb
from sonik_assets.vectors.embedding import Counts, vectors_of

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_postgresql.dbapi import Connection
    from lancedb.db import DBConnection
    from lancedb.table import Table

    from resources.encoders import Encoder

_PRESENT = ("id", "row_hash")


@dataclass
class Written:
    """Rows `written` and `deleted`, texts `embedded` and `truncated`."""

    written: int = 0
    deleted: int = 0
    texts: Counts = field(default_factory=Counts)


def present(table: "Table", filters: Iterable[str]) -> pl.DataFrame:
    """Return (id, row_hash) of the rows of all filters together."""
    found = [table.search().where(each).select([*_PRESENT]).limit(None).to_arrow() for each in filters]
    return pl.concat([pl.DataFrame(schema=dict.fromkeys(_PRESENT, pl.String)), *map(pl.DataFrame, found)])


def write_difference(
    table: "Table", adbc: "Connection", documents: pl.DataFrame, there: pl.DataFrame, model: "Encoder", done: Written
) -> None:
    """Make the rows `there` (id, row_hash) the documents; raises before any write on a bad vector."""
    twice = there.filter(pl.col("id").is_duplicated())
    changed = documents.join(there.join(twice, on="id", how="anti"), on=_PRESENT, how="anti")
    gone = there.join(documents, on="id", how="anti")["id"].unique()
    if changed.height:
        rows = _rows(changed, adbc, model, done.texts)
        for condition in lancedb.among("id", twice["id"].unique()):
            table.delete(condition)  # a merge would write such a row once for each
        # An index would lose the declared key's protection.
        merge = table.merge_insert("id").use_index(False)  # noqa: FBT003 - their signature
        merge.when_matched_update_all().when_not_matched_insert_all().execute(rows)
    for condition in lancedb.among("id", gone):
        table.delete(condition)
    done.written += changed.height
    done.deleted += len(gone)


def write_anew(
    database: "DBConnection",
    name: str,
    adbc: "Connection",
    pages: Iterable[pl.DataFrame],
    model: "Encoder",
    facts: dict[str, str],
    done: Written,
) -> "Table":
    """Write the whole table in one version, page by page; a failure leaves the table as it was."""

    def stream() -> "Iterator[pa.RecordBatch]":
        for documents in pages:
            done.written += documents.height
            yield from _rows(documents, adbc, model, done.texts).to_batches()

    return lancedb.overwrite(database, name, stream(), facts)


def _rows(documents: pl.DataFrame, adbc: "Connection", model: "Encoder", counts: Counts) -> "pa.Table":
    vectors = vectors_of(adbc, documents, model, counts)
    rows = documents.join(vectors, on="text_hash", how="left").select(lancedb.SCHEMA.names)
    return rows.to_arrow().cast(lancedb.SCHEMA)
