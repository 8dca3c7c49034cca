"""Applies a normaliser to a column by its distinct values: a hundred thousand records hold few of them."""

from collections.abc import Callable

import polars as pl

from sonik_assets.identity.normalize import Refused


def normalize_column(values: pl.Series, normalizer: Callable[[str], str]) -> pl.DataFrame:
    """Return `value` and `reason`, row by row: one of them is set, none where the input is null or blank."""
    distinct = values.unique().drop_nulls().to_list()
    rows = [(raw, *_try(normalizer, raw)) for raw in distinct]
    table = pl.DataFrame(rows, {"raw": pl.String, "value": pl.String, "reason": pl.String}, orient="row")
    return values.alias("raw").to_frame().join(table, on="raw", how="left", maintain_order="left").drop("raw")


def _try(normalizer: Callable[[str], str], raw: str) -> tuple[str | None, str | None]:
    if not raw.strip():
        return None, None
    try:
        return normalizer(raw), None
    except Refused as refused:
        return None, str(refused)
