"""Mentions -> what is to be looked up, each question once. Pure polars.

A question's hash is of what it says, not of who is asked: a person's answer to it holds for every register.
"""

import json
from collections.abc import Iterator
from hashlib import sha256

import polars as pl

from resources.places import Query

KINDS = ("venue", "organization")
"""Of which places are looked up."""
_ASK = {"name": "name", "address": "address", "city": "city", "country": "country_code"}
_POINT = ("latitude", "longitude")
DECIMALS = 5
"""Of coordinates: a metre. What differs by less is the same question."""


def lacking(mentions: pl.DataFrame) -> pl.DataFrame:
    """Return `row`, the fields of `Query` and `query_hash` of prepared venues and organizations without Places id."""
    wanted = mentions.filter(
        pl.col("entity_type").is_in(KINDS)
        & ~pl.col("embedded")
        & (pl.col("google_place_id").str.strip_chars().replace("", None).is_null())
        & pl.col("name_key").is_not_null()
    ).select(
        "row",
        *(pl.col(column).alias(name) for name, column in _ASK.items()),
        *(pl.col(name).round(DECIMALS) for name in _POINT),
    )
    # Digits as integers: how a float is written is not for a hash to depend on.
    digits = [(pl.col(name) * 10**DECIMALS).round().cast(pl.Int64) for name in _POINT]
    said = pl.concat_str(
        [pl.col(*_ASK).fill_null(""), *(d.cast(pl.String).fill_null("") for d in digits)], separator="\x1f"
    )
    rows = wanted.with_columns(said=said)
    texts = rows["said"].unique(maintain_order=True)
    hashes = [sha256(text.encode()).hexdigest() for text in texts]
    return rows.join(
        pl.DataFrame({"said": texts, "query_hash": hashes}, {"said": pl.String, "query_hash": pl.String}),
        on="said",
        maintain_order="left",
    ).drop("said")


def questions(rows: pl.DataFrame) -> Iterator[Query]:
    """Yield the rows of `lacking` as questions."""
    for row in rows.select(*_ASK, *_POINT).iter_rows(named=True):
        yield Query(**row)


def as_json() -> pl.Expr:
    """Return the question as JSON, for people and for later runs."""
    return pl.struct(*_ASK, *_POINT).struct.json_encode().alias("query")


def from_json(rows: pl.DataFrame) -> Iterator[Query]:
    """Yield the questions that `as_json` wrote."""
    for text in rows["query"]:
        yield Query(**json.loads(text))
