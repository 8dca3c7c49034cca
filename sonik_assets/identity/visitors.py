"""Anonymous visitors become known users when they sign in. Pure: evidence -> spans.

Spans of one visitor never overlap: a user has a visitor from the first evidence (and 30 days before the
visitor's very first) until another user's; two users at one instant are contested, and link nothing.
"""

import polars as pl

EVIDENCE = {
    "anonymous_id": pl.String,
    "user_record": pl.String,
    "method": pl.String,
    "evidence_at": pl.Datetime("us", "UTC"),
}
"""The columns of staging.visitor_evidence and their types."""

LOOK_BACK = pl.duration(days=30)


def spans(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return EVIDENCE with `valid_from`, `valid_to` (null: still) and `status` (`linked` or `contested`)."""
    visitor, user = pl.col("anonymous_id"), pl.col("user_record")
    instant = ["anonymous_id", "evidence_at"]
    starts = (
        evidence.drop_nulls()
        .sort("anonymous_id", "evidence_at", "user_record", "method")
        .unique(["anonymous_id", "evidence_at", "user_record"], keep="first", maintain_order=True)
        .with_columns(contested=user.n_unique().over(instant) > 1)
        # After a contested instant anyone's next evidence begins a span.
        .with_columns(settled=pl.when(~pl.col("contested")).then(user))
        .filter((user != pl.col("settled").shift().over(visitor)).fill_null(value=True))
    )
    at = starts.select(instant).unique(maintain_order=True)
    ends = at.with_columns(valid_to=pl.col("evidence_at").shift(-1).over("anonymous_id"))
    first = pl.col("evidence_at") == pl.col("evidence_at").min().over("anonymous_id")
    return (
        starts.join(ends, on=instant, how="left", maintain_order="left")
        .with_columns(
            valid_from=pl.when(first).then(pl.col("evidence_at") - LOOK_BACK).otherwise("evidence_at"),
            status=pl.when("contested").then(pl.lit("contested")).otherwise(pl.lit("linked")),
        )
        .drop("contested", "settled")
    )
