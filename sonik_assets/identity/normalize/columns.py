"""Applies a normaliser to a column by its distinct values: a hundred thousand records hold few of them.

Knows no kind of identifier; what of a kind is plain enough for polars alone is said by its own module.
"""

from collections.abc import Callable

import polars as pl

from sonik_assets.identity.normalize import Refused

type Plain = Callable[[pl.Series], pl.Series]
"""Texts -> their values where the text is written plainly, else null. Agrees with the normaliser."""


def normalize_column(values: pl.Series, normalizer: Callable[[str], str], plain: Plain | None = None) -> pl.DataFrame:
    """Return `value` and `reason`, row by row: one of them is set, none where the input is null or blank."""
    # Sorted: neighbours share folded words and domains, which the normalisers remember.
    distinct = values.unique().drop_nulls().sort().alias("raw")
    easy = plain(distinct).alias("value") if plain else pl.repeat(None, distinct.len(), dtype=pl.String, eager=True)
    done = distinct.to_frame().with_columns(easy.alias("value"))
    hard = done.filter(pl.col("value").is_null())["raw"].to_list()
    read = [_try(normalizer, raw) for raw in hard]
    rest = {
        "raw": pl.Series(hard, dtype=pl.String),
        "value": pl.Series([value for value, _ in read], dtype=pl.String),
        "reason": pl.Series([reason for _, reason in read], dtype=pl.String),
    }
    known = done.filter(pl.col("value").is_not_null()).with_columns(reason=pl.lit(None, pl.String))
    table = pl.concat([known, pl.DataFrame(rest)])
    return values.alias("raw").to_frame().join(table, on="raw", how="left", maintain_order="left").drop("raw")


def _try(normalizer: Callable[[str], str], raw: str) -> tuple[str | None, str | None]:
    if not raw.strip():
        return None, None
    try:
        return normalizer(raw), None
    except Refused as refused:
        return None, str(refused)
