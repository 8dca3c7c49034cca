"""Expectation maximisation by Splink: levels of candidate pairs -> m and u of every level, and the prior.

Splink compares whole records in SQL; here a pair's levels are already known, so each pair is given to Splink as
two records that share the pair's number, the first of which carries the levels. All that uses Splink is here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from sonik_assets.identity.matching.comparisons import Comparison

LEVEL = "level_"
MAX_PAIRS = 60_000
STEADY = 400
"""Pairs that the starting m, u and prior are worth."""

_MAX_STEPS = 100
_CONVERGED = 5e-4


def starting_model(comparisons: Sequence[Comparison], prior: float) -> dict[str, Any]:
    """Return Splink settings with the comparisons' own m and u: what EM starts from."""
    return {
        "sql_dialect": "duckdb",
        "link_type": "link_only",
        "unique_id_column_name": "pair",
        "source_dataset_column_name": "side",
        "probability_two_random_records_match": prior,
        "blocking_rules_to_generate_predictions": ["l.pair = r.pair"],
        "max_iterations": 1,
        "comparisons": [_comparison(comparison) for comparison in comparisons],
    }


def trained_model(levels: pl.DataFrame, start: dict[str, Any]) -> dict[str, Any]:
    """Return the settings after EM on `levels` (a row a pair, columns `level_<name>`: -1 is no evidence).

    m, u and the share of matches are all free, because candidates are no random pairs: records that block keys
    bring together are alike even where they are not the same. After each step every m and u is drawn to its
    start as by STEADY more pairs (the maximum a posteriori under a Dirichlet prior): a level that was never
    seen keeps its start, and one seen a few times does not come to weigh dozens of bits.
    """
    import duckdb
    from splink import DuckDBAPI

    # One thread: sums of floats in another order would be another matcher.
    api = DuckDBAPI(duckdb.connect(config={"threads": 1}))
    sides = [api.register(_side(levels, side).to_arrow(), dataset_display_name=side) for side in ("a", "b")]
    known = {name: int((levels[name] >= 0).sum()) for name in levels.columns}
    model = start
    for _ in range(_MAX_STEPS):
        stepped = _steadied(_step(sides, model), start, known, levels.height)
        moved, model = _largest_move(model, stepped), stepped
        if moved < _CONVERGED:
            break
    return model


def _step(sides: list[Any], model: dict[str, Any]) -> dict[str, Any]:
    from splink import Linker
    from splink.blocking_rule_library import CustomRule

    linker = Linker(sides, model, log_level="ERROR")
    session = linker.training.estimate_parameters_using_expectation_maximisation(
        CustomRule("l.pair = r.pair"), estimate_without_term_frequencies=True, fix_u_probabilities=False
    )
    stepped: dict[str, Any] = linker.misc.save_model_to_json()
    prior = session.core_model_settings.probability_two_random_records_match
    del stepped["linker_uid"]  # drawn at random: the same training must give the same bytes
    return {**stepped, "probability_two_random_records_match": prior}


def _steadied(model: dict[str, Any], start: dict[str, Any], known: Mapping[str, int], height: int) -> dict[str, Any]:
    prior = "probability_two_random_records_match"
    matches = (model[prior] * height + start[prior] * STEADY) / (height + STEADY)
    pairs = {name: (count * matches, count * (1 - matches)) for name, count in known.items()}
    comparisons = []
    for stepped, begun in zip(model["comparisons"], start["comparisons"], strict=True):
        weight = pairs[LEVEL + stepped["output_column_name"]]
        levels = zip(stepped["comparison_levels"][1:], begun["comparison_levels"][1:], strict=True)
        drawn = [{**level, **_drawn(level, first, weight)} for level, first in levels]
        comparisons.append({**stepped, "comparison_levels": [stepped["comparison_levels"][0], *drawn]})
    return {**model, prior: matches, "comparisons": comparisons}


def _drawn(level: dict[str, Any], first: dict[str, Any], pairs: tuple[float, float]) -> dict[str, float]:
    return {
        name: (_number(level.get(name)) * seen + first[name] * STEADY) / (seen + STEADY)
        for name, seen in zip(("m_probability", "u_probability"), pairs, strict=True)
    }


def _largest_move(before: dict[str, Any], after: dict[str, Any]) -> float:
    return max(abs(a - b) for a, b in zip(_parameters(before), _parameters(after), strict=True))


def _parameters(model: dict[str, Any]) -> list[float]:
    found = [model["probability_two_random_records_match"]]
    for comparison in model["comparisons"]:
        for level in comparison["comparison_levels"][1:]:
            found += [level["m_probability"], level["u_probability"]]
    return found


def _number(value: object) -> float:
    return value if isinstance(value, float) else 0.0  # Splink writes a text for a level it did not observe


def _side(levels: pl.DataFrame, side: str) -> pl.DataFrame:
    return levels.with_row_index("pair").with_columns(side=pl.lit(side))


def _comparison(comparison: Comparison) -> dict[str, Any]:
    column = LEVEL + comparison.name
    unknown = {"sql_condition": f"{column}_l < 0", "label_for_charts": "no evidence", "is_null_level": True}
    all_m, all_u = (sum(getattr(level, name) for level in comparison.levels) for name in "mu")
    levels = [
        {
            "sql_condition": f"{column}_l = {position}",
            "label_for_charts": level.label,
            "m_probability": level.m / all_m,
            "u_probability": level.u / all_u,
        }
        for position, level in enumerate(comparison.levels)
    ]
    levels[-1]["sql_condition"] = "ELSE"
    return {"output_column_name": comparison.name, "comparison_levels": [unknown, *levels]}
