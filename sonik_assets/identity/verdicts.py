"""What linking and attaching decided -> rows of the table of judgements, each with what was compared. Pure.

The likeness of a pair is told by the matcher that scored it, level by level.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

import polars as pl

from sonik_assets.identity.judgements import JUDGEMENTS
from sonik_assets.identity.profiles import unpack

if TYPE_CHECKING:
    from sonik_assets.identity.matching.model import Matcher

LIKENESS = {**dict.fromkeys(("left_ref", "right_ref", "judgement", "reason"), pl.String), "score": pl.Float64}


def by_identifier(mentions: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    """Return JUDGEMENTS of pairs that share an identifier (`judged` of `linking.py`); `mentions`: row, ref."""
    found = _with_refs(mentions, judged.filter(pl.col("method") != "likeness"))
    shared = pl.struct(pl.col("method").alias("scheme"), pl.col("shared").alias("value"))
    told = (
        pl.when(pl.col("reason").is_null())
        .then(pl.struct(shared=shared).struct.json_encode())
        .otherwise(pl.struct("reason", shared=shared).struct.json_encode())
    )
    return found.with_columns(explanation=told).select(list(JUDGEMENTS)).cast(JUDGEMENTS)  # type: ignore[arg-type]


def likely(mentions: pl.DataFrame, judged: pl.DataFrame, attached: pl.DataFrame, doubts: pl.DataFrame) -> pl.DataFrame:
    """Return the pairs that a matcher speaks for: LIKENESS, entity_type, left_key, right_key.

    Of what other records name the first mention of a profile stands for all. `attached` and `doubts`: key, ref, score.
    """
    own = _with_refs(mentions, judged.filter(pl.col("method") == "likeness"))
    first = mentions.select("key", "entity_type", named="ref").unique("key", keep="first", maintain_order=True)
    sure = attached.filter(pl.col("linked_by") == "likeness").with_columns(
        judgement=pl.lit("same"), reason=pl.lit(None, pl.String)
    )
    columns = ["key", "ref", "score", "judgement", "reason"]
    named = pl.concat([sure.select(columns), doubts.with_columns(judgement=pl.lit("unsure")).select(columns)])
    named = named.join(first, on="key").select(
        "entity_type", "judgement", "reason", "score",
        left_ref=pl.min_horizontal("ref", "named"), right_ref=pl.max_horizontal("ref", "named"),
    )  # fmt: skip
    both = pl.concat([own.select(named.columns), named])
    keys = mentions.select("ref", "key")
    return (
        both.join(keys.rename({"ref": "left_ref", "key": "left_key"}), on="left_ref", how="left")
        .join(keys.rename({"ref": "right_ref", "key": "right_key"}), on="right_ref", how="left")
        .with_columns(
            pl.col("left_key").fill_null(pl.col("left_ref")), pl.col("right_key").fill_null(pl.col("right_ref"))
        )
    )


def explained(pairs: pl.DataFrame, profiles: pl.DataFrame, matchers: Mapping[str, "Matcher"]) -> pl.DataFrame:
    """Return JUDGEMENTS of likely pairs; `profiles`: PROFILES of all their keys."""
    parts = [pl.DataFrame(schema=JUDGEMENTS)]
    for (kind,), part in pairs.group_by("entity_type", maintain_order=True):
        matcher = matchers[str(kind)]
        told = _explanations(part, profiles.filter(pl.col("entity_type") == kind), matcher)
        reasons = [json.dumps({"reason": reason})[1:-1] + ", " if reason else "" for reason in part["reason"]]
        whole = pl.Series(
            [f"{{{reason}{text[1:]}" for reason, text in zip(reasons, told, strict=True)], dtype=pl.String
        )
        rows = part.with_columns(explanation=whole, method=pl.lit(matcher.version))
        parts.append(rows.select(list(JUDGEMENTS)).cast(JUDGEMENTS))  # type: ignore[arg-type]
    return pl.concat(parts)


def _explanations(pairs: pl.DataFrame, profiles: pl.DataFrame, matcher: "Matcher") -> list[str]:
    records = unpack(profiles)
    rows = records.select("key", "row")
    asked = pairs.select(left_row=_rows_of(pairs["left_key"], rows), right_row=_rows_of(pairs["right_key"], rows))
    return matcher.explain(records, records, asked).to_list()


def _rows_of(keys: pl.Series, rows: pl.DataFrame) -> pl.Series:
    return keys.alias("key").to_frame().join(rows, on="key", how="left", maintain_order="left")["row"]


def _with_refs(mentions: pl.DataFrame, judged: pl.DataFrame) -> pl.DataFrame:
    rows = mentions.select("row", "ref", "entity_type")
    return judged.join(rows.select(left_row="row", left_ref="ref", entity_type="entity_type"), on="left_row").join(
        rows.select(right_row="row", right_ref="ref"), on="right_row"
    )
