"""Scores candidate pairs with frozen weights, in DuckDB: measures -> levels -> the sum of bits -> probability.

Nothing here learns; a pair's score depends on its two records and the matcher alone.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from sonik_assets.identity.matching.comparisons import Comparison
from sonik_assets.identity.matching.em import LEVEL
from sonik_assets.identity.matching.similarity import MACROS, measured

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_SAME_SESSION = "not coalesce(marker_l <> marker_r, false)"
MEMORY = "3GB"
PAIRS = {"left_row": pl.UInt32, "right_row": pl.UInt32}
SCORED = {**PAIRS, "probability": pl.Float64}


@dataclass(frozen=True)
class Weights:
    """Bits of every level by comparison, bits before any evidence, and the most that a pair in doubt may have."""

    bits: Mapping[str, Sequence[float]]
    prior: float
    most_in_doubt: float


@contextmanager
def engine(left: pl.DataFrame, right: pl.DataFrame) -> Iterator["DuckDBPyConnection"]:
    """Yield a DuckDB connection with the prepared records as tables `lefts` and `rights`, and the macros."""
    import duckdb

    with duckdb.connect(config={"memory_limit": MEMORY, "preserve_insertion_order": "false"}) as connection:
        for macro in MACROS:
            connection.execute(macro)
        connection.register("lefts", left.to_arrow())
        connection.register("rights", right.to_arrow())
        yield connection


def candidates(connection: "DuckDBPyConnection", left: pl.DataFrame, right: pl.DataFrame | None) -> None:
    """Make the table `pairs`: each pair of records that share a block key, once. Frames of row, keys."""
    connection.register("left_keys", left.to_arrow())
    connection.register("right_keys", (left if right is None else right).to_arrow())
    once = "where l.row < r.row" if right is None else ""
    connection.execute(
        f"""create or replace table pairs as select distinct l.row as left_row, r.row as right_row
        from (select row, unnest(keys) as key from left_keys) l
        join (select row, unnest(keys) as key from right_keys) r using (key) {once}"""
    )


def levels_sql(comparisons: Sequence[Comparison], rivals: str) -> str:
    """Return the query of `level_<comparison>` (-1: no evidence) of the pairs that are `rivals`.

    Records with different session markers are never one, whatever else agrees.
    """
    columns = ", ".join(f"{_level(c)} as {LEVEL}{c.name}" for c in comparisons)
    pairs = measured("pairs", "lefts", "rights")
    return f"select left_row, right_row, {columns} from ({pairs}) where ({rivals}) and {_SAME_SESSION}"


def scores_sql(comparisons: Sequence[Comparison], rivals: str, weights: Weights) -> str:
    """Return the query of levels, `weight` in bits and `probability`; a pair in doubt stays below the link."""
    terms = [f"{list(weights.bits[c.name])}[{LEVEL}{c.name} + 1]" for c in comparisons]
    total = " + ".join([f"{weights.prior}::double", *(f"coalesce({term}, 0)" for term in terms)])
    held = f"case when doubt then least(bits, {weights.most_in_doubt}) else bits end"
    return f"""
        with levels as ({levels_sql(comparisons, rivals)}),
        summed as (select *, {total} as bits, {_doubt(comparisons)} as doubt from levels),
        weighed as (select *, {held} as weight from summed)
        select *, 1 / (1 + pow(2::double, -weight)) as probability from weighed
    """


def explanation_sql(scored: str, comparisons: Sequence[Comparison], weights: Weights) -> str:
    """Return the query of PAIRS and `explanation`: for people, per comparison both values, the level and its bits."""
    parts = ", ".join(_told(comparison, weights.bits[comparison.name]) for comparison in comparisons)
    told = f"list_filter([{parts}], lambda x: x.bits is not null)"
    head = f"'total': round(weight, 2), 'prior': {round(weights.prior, 2)}, 'doubt': doubt"
    text = f"to_json({{{head}, 'comparisons': {told}}})"
    joins = "join lefts l on l.row = s.left_row join rights r on r.row = s.right_row"
    return f"select left_row, right_row, {text}::varchar as explanation from {scored} s {joins}"


def _level(comparison: Comparison) -> str:
    cases = " ".join(f"when {level.when} then {position}" for position, level in enumerate(comparison.levels))
    return f"(case when not coalesce({comparison.known}, false) then -1 {cases} end)::tinyint"


def _doubt(comparisons: Sequence[Comparison]) -> str:
    at = [
        f"{LEVEL}{comparison.name} = {position}"
        for comparison in comparisons
        for position, level in enumerate(comparison.levels)
        if level.doubt
    ]
    return f"({' or '.join(at) or 'false'})"


def _told(comparison: Comparison, bits: Sequence[float]) -> str:
    labels = _array([level.label for level in comparison.levels])
    at = f"[{LEVEL}{comparison.name} + 1]"
    left, right = (
        "concat_ws(', ', " + ", ".join(f"{side}.{column}::varchar" for column in comparison.shown) + ")"
        for side in "lr"
    )
    return (
        f"{{'name': '{comparison.name}', 'left': {left}, 'right': {right},"
        f" 'level': {labels}{at}, 'bits': round({list(bits)}{at}, 2)}}"
    )


def _array(texts: Sequence[str]) -> str:
    return "[" + ", ".join("'" + text.replace("'", "''") + "'" for text in texts) + "]"
