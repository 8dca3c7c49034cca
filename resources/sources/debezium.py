"""Reads Debezium change envelopes (with or without schema) into batches.

`c`, `u` and `r` carry the record as it is after the change, `d` deletes it. A column that the envelope does
not carry is left as it was (`partial`).
"""

import polars as pl

from resources.sources import batches
from resources.sources.catalogue import SourceTable


def annotate(lines: pl.DataFrame, table: SourceTable) -> pl.DataFrame:
    """Return the batch of envelopes `lines` (columns `payload`, `origin`), in source order."""
    envelope = lines.select(
        op=_at("op"),
        at=pl.coalesce(_at("source.ts_ms"), _at("ts_ms")).cast(pl.Int64, strict=False),
        before=_at("before"),
        after=_at("after"),
        line=pl.col("payload"),
        origin=pl.col("origin"),
    ).filter(pl.col("line").str.strip_chars() != "null")  # a tombstone follows its `d`: it says nothing more
    deleted = pl.col("op") == "d"
    records = envelope.with_columns(payload=pl.when(deleted).then("before").otherwise("after"))
    judged = batches.annotate(records.select(pl.coalesce("payload", "line").alias("payload"), "origin"), table)
    time = pl.from_epoch("at", time_unit="ms").dt.cast_time_unit("us").dt.replace_time_zone("UTC")
    clock = records.select(time=time, op=deleted, bad=_fault())
    return (
        judged.with_columns(
            # The source's own clock where the record has one: REST and the log then agree on the order.
            source_updated_at=pl.when(clock["op"]).then(clock["time"]).otherwise(
                pl.coalesce(pl.col("source_updated_at"), clock["time"])
            ),
            deleted_at=pl.when(clock["op"]).then(clock["time"]),
            partial=pl.lit(value=True),
            reason=pl.coalesce(clock["bad"], pl.col("reason")),
        )
        .sort("source_updated_at", maintain_order=True, nulls_last=True)
        .select(batches.COLUMNS)
    )  # fmt: skip


def _at(name: str) -> pl.Expr:
    return batches.first([f"$.payload.{name}", f"$.{name}"])


def _fault() -> pl.Expr:
    """Return why an envelope cannot be read, or null."""
    return (
        pl.when(pl.col("op").is_null() | ~pl.col("op").is_in(["c", "u", "r", "d"]))
        .then(pl.lit("not a Debezium envelope: no op of c, u, r, d"))
        .when(pl.col("at").is_null())
        .then(pl.lit("not a Debezium envelope: no ts_ms"))
        .when(pl.col("payload").is_null())
        .then(pl.lit("Debezium envelope without the record: keep `before` on deletes and `after` on changes"))
    )
