"""Makes a LanceDB table equal to its documents: only changed rows are written, only new texts embedded.

Desired against actual, both as sets, so that a run that was killed is completed by the next one and a run
without changes leaves the table's version as it was. One writer a table at a time (pool `lancedb`).
"""

from dataclasses import dataclass
from itertools import batched
from typing import TYPE_CHECKING

import polars as pl

from resources.embedder import Encoder, encoder
from resources.errors import TerminalError
from resources.stores import lancedb
from sonik_assets.vectors.documents import TABLES, desired

if TYPE_CHECKING:
    from lancedb.table import Table

    from resources.embedder import Vectors
    from resources.settings import Settings

DELETE_IDS = 1000
"""Ids a delete: a filter is parsed as text, and a huge one is slow."""


@dataclass(frozen=True)
class Synced:
    """What one run did: `rows` now, `written` and `deleted` rows, texts `embedded` and `truncated`."""

    rows: int
    written: int
    deleted: int
    embedded: int
    truncated: int
    lance_versions: int


def sync(settings: "Settings", postgres_url: str, name: str) -> Synced:
    """Bring table `name` up to date with PostgreSQL."""
    model = encoder(settings)
    documents = desired(postgres_url, TABLES[name], model.model_id)
    return apply(lancedb.ensure_table(lancedb.connect(settings.lancedb_uri), name), documents, model)


def apply(table: "Table", documents: pl.DataFrame, model: Encoder) -> Synced:
    """Write the difference between the documents and the table; raises before any write on a bad vector."""
    before = table.version
    actual = pl.DataFrame(pl.from_arrow(table.search().select(["id", "text_hash", "row_hash"]).to_arrow()))
    changed = documents.join(actual, on=["id", "row_hash"], how="anti")
    gone = actual.join(documents, on="id", how="anti")["id"].to_list()
    vectors, embedded, truncated = _vectors(table, changed, actual, model)
    if changed.height:
        rows = changed.join(vectors, on="text_hash", how="left").select(lancedb.SCHEMA.names)
        # An index would lose the declared key's protection.
        merge = table.merge_insert("id").use_index(False)  # noqa: FBT003 - their signature
        merge.when_matched_update_all().when_not_matched_insert_all().execute(rows.to_arrow().cast(lancedb.SCHEMA))
    for ids in batched(gone, DELETE_IDS):
        table.delete(f"id in ({', '.join(map(lancedb.quoted, ids))})")
    lancedb.ensure_text_index(table)
    return Synced(documents.height, changed.height, len(gone), embedded, truncated, table.version - before)


def _vectors(
    table: "Table", changed: pl.DataFrame, actual: pl.DataFrame, model: Encoder
) -> tuple[pl.DataFrame, int, int]:
    """Return (text_hash, vector) of every changed row, how many were embedded, how many cut.

    A text that the table holds already, under this id or another, is not embedded again.
    """
    wanted = changed.select("text_hash", "text").unique("text_hash", maintain_order=True)
    known = _stored(table, wanted.join(actual, on="text_hash", how="semi")["text_hash"])
    new = wanted.join(known, on="text_hash", how="anti")
    if not new.height:
        return known, 0, 0
    done = model.embed(new["text"].to_list())
    vectors = _checked(done.vectors, new.height)
    fresh = pl.DataFrame({"text_hash": new["text_hash"], "vector": vectors}, schema=known.schema)
    return pl.concat([known, fresh]), new.height, done.truncated


def _stored(table: "Table", hashes: pl.Series) -> pl.DataFrame:
    """Return (text_hash, vector) of these hashes from the table, in batches so that memory stays flat."""
    frame = pl.DataFrame(schema={"text_hash": pl.String, "vector": pl.Array(pl.Float32, lancedb.DIMENSION)})
    if hashes.is_empty():
        return frame
    wanted = hashes.implode()
    batches = table.search().select(["text_hash", "vector"]).to_batches()
    found = (pl.DataFrame(pl.from_arrow(batch)).filter(pl.col("text_hash").is_in(wanted)) for batch in batches)
    return pl.concat([frame, *found]).unique("text_hash")


def _checked(vectors: "Vectors", count: int) -> "Vectors":
    """Return the vectors; raises TerminalError unless their count and length are right and all are finite."""
    import numpy as np

    if vectors.shape != (count, lancedb.DIMENSION):
        raise TerminalError(
            f"the encoder returned vectors of shape {vectors.shape}, not {(count, lancedb.DIMENSION)}: "
            "nothing was written; use an encoder of 384 dimensions"
        )
    if not np.isfinite(vectors).all():
        bad = int((~np.isfinite(vectors).all(axis=1)).sum())
        raise TerminalError(f"the encoder returned {bad} vectors that are not finite: nothing was written")
    return vectors
