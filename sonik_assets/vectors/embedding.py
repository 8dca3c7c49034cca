"""Vectors of texts: from `ops.embeddings` where they were made before, else from the encoder and kept there.

A run that is killed has lost one chunk at most; a text that comes back, anywhere, is not embedded again.
"""

import logging
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from resources.encoders import checked
from resources.stores.lancedb import DIMENSION

if TYPE_CHECKING:
    from adbc_driver_postgresql.dbapi import Connection

    from resources.encoders import Encoder

logger = logging.getLogger(__name__)

CHUNK = 1_024
"""Texts that are embedded and kept at once."""
TELL_SECONDS = 15
VECTORS: dict[str, Any] = {"text_hash": pl.String, "vector": pl.Array(pl.Float32, DIMENSION)}

_KNOWN = "select text_hash, vector from ops.embeddings inner join wanted_texts using (text_hash)"
_KEEP = "insert into ops.embeddings (text_hash, model, vector) select text_hash, $1, vector from made_vectors"


@dataclass
class Counts:
    """Texts that were `embedded` now, and how many of them were `truncated`."""

    embedded: int = 0
    truncated: int = 0


def vectors_of(adbc: "Connection", documents: pl.DataFrame, model: "Encoder", counts: Counts) -> pl.DataFrame:
    """Return (text_hash, vector) of all documents (text_hash, text); the transaction of `adbc` is committed.

    Raises TerminalError before anything is kept of a chunk in which a vector is not of this length, or not finite.
    """
    wanted = documents.select("text_hash", "text").unique("text_hash", maintain_order=True)
    known = _known(adbc, wanted)
    new = wanted.join(known, on="text_hash", how="anti")
    return pl.concat([known, *_made(adbc, new, model, counts)])


def _known(adbc: "Connection", wanted: pl.DataFrame) -> pl.DataFrame:
    if wanted.is_empty():
        return pl.DataFrame(schema=VECTORS)
    with adbc.cursor() as cursor:
        cursor.adbc_ingest("wanted_texts", wanted.select("text_hash").to_arrow(), mode="replace", temporary=True)
        cursor.execute(_KNOWN)
        found = pl.DataFrame(pl.from_arrow(cursor.fetch_arrow_table()))
    adbc.commit()
    return found.with_columns(pl.col("vector").cast(VECTORS["vector"]))


def _made(adbc: "Connection", new: pl.DataFrame, model: "Encoder", counts: Counts) -> Iterator[pl.DataFrame]:
    told = time.monotonic()
    # Texts of like length together: a batch is padded to its longest.
    for chunk in new.sort(pl.col("text").str.len_chars(), descending=True).iter_slices(CHUNK):
        done = model.embed(chunk["text"].to_list())
        vectors = checked(done.vectors, chunk.height)
        made = pl.DataFrame({"text_hash": chunk["text_hash"], "vector": vectors}, schema=VECTORS)
        _keep(adbc, made, model.model_id)
        counts.embedded += chunk.height
        counts.truncated += done.truncated
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            logger.info("%d texts embedded", counts.embedded)
        yield made


def _keep(adbc: "Connection", made: pl.DataFrame, model: str) -> None:
    with adbc.cursor() as cursor:
        rows = made.with_columns(pl.col("vector").cast(pl.List(pl.Float32)))
        cursor.adbc_ingest("made_vectors", rows.to_arrow(), mode="replace", temporary=True)
        cursor.execute(f"{_KEEP} on conflict do nothing", parameters=[model])
    adbc.commit()
