"""How common words and block keys are in the data a matcher was trained on: frozen with it.

A word's weight is its inverse document frequency, scaled to 0..1. Not here: how words are cut (`features.py`).
"""

from dataclasses import dataclass
from math import log

import polars as pl

BACKGROUND = 20_000
"""Records that stand for the world where fewer were seen: a word seen twice in ten records is not common."""

KEY_CAP = 60
"""Most records that may share a block key: at most 60 * 59 / 2 pairs a key, so cost grows with records."""


@dataclass(frozen=True)
class Frequencies:
    """`words`: t, n (records with the word, those with two or more); `common`: block keys over the cap."""

    records: int
    words: pl.DataFrame
    common: pl.Series

    def weight(self, words: pl.Series) -> pl.Series:
        """Return the weight of each word: 1 for one never seen twice, 0 for one that all records hold."""
        total = max(self.records, BACKGROUND)
        table = self.words.select(t="t", w=1 - pl.col("n").log() / log(total))
        found = words.alias("t").to_frame().join(table, on="t", how="left", maintain_order="left")
        return found["w"].fill_null(1.0).clip(0.02, 1.0)


def count_values(records: pl.DataFrame, columns: tuple[str, ...]) -> pl.DataFrame:
    """Return `t`, `n` of the values of the list columns, those that two records or more hold, in order."""
    values = pl.concat(records[column].explode(empty_as_null=False).drop_nulls().alias("t") for column in columns)
    return values.to_frame().group_by("t").len("n").filter(pl.col("n") > 1).sort("t")


def common_keys(keys: pl.Series, cap: float) -> pl.Series:
    """Return the block keys that more than `cap` records share, in order."""
    flat = keys.explode(empty_as_null=False).drop_nulls().alias("key")
    counts = flat.to_frame().group_by("key").len("n")
    return counts.filter(pl.col("n") > cap)["key"].sort()


EMPTY = Frequencies(0, pl.DataFrame(schema={"t": pl.String, "n": pl.UInt32}), pl.Series("key", [], pl.String))
"""Before anything was counted: all words weigh the same."""
