"""Block keys: which records are compared at all. Two records are candidates where they share one key.

A key is a pure function of its record and the frozen frequencies; keys that too many records share are not
emitted, so the work grows with the records and never with their square.
"""

from collections.abc import Callable

import polars as pl

from sonik_assets.identity.matching.frequencies import Frequencies

type Rule = Callable[[pl.DataFrame], pl.DataFrame]
"""Prepared records -> `row`, `key`; a null key is none."""

CELL = 0.002
"""Degrees: about 220 m. Records less than half a cell apart share one of the (up to four) cells they emit."""

RARE, VERY_RARE = 0.5, 0.75
"""Least weight of a name's word that is a key with the city, and with the country alone."""

EDGE = 5
"""Letters at either end of a name: a spelling mistake spoils at most one of the two keys."""

_CITY = pl.col("city_key")
_POSTCODE = pl.col("postcode")
_PLACE = pl.coalesce("city_key", "country_code", pl.lit(""))
_COUNTRY = pl.col("country_code").fill_null("")


def _each(column: str) -> Rule:
    """Return a rule: every value of the list is a key."""

    def keys(records: pl.DataFrame) -> pl.DataFrame:
        values = records.select("row", column).explode(column, empty_as_null=True)
        return values.select("row", key=pl.lit(column + ":") + pl.col(column))

    return keys


def _one(prefix: str, *parts: pl.Expr | str) -> Rule:
    """Return a rule: the parts together are one key."""

    def keys(records: pl.DataFrame) -> pl.DataFrame:
        return records.select("row", key=pl.concat_str(pl.lit(prefix), *parts, separator="|"))

    return keys


def _words(place: pl.Expr, least: float) -> Rule:
    """Return a rule: each word of the name that is rare enough, with the place."""

    def keys(records: pl.DataFrame) -> pl.DataFrame:
        words = records.select("row", "tokens", place=place).explode("tokens", empty_as_null=True).unnest("tokens")
        rare = words.filter(pl.col("w") >= least)
        return rare.select("row", key=pl.concat_str(pl.lit("word"), "t", "place", separator="|"))

    return keys


def _any_word(place: pl.Expr) -> Rule:
    return _words(place, 0.0)


def _edges(place: pl.Expr) -> Rule:
    """Return a rule: the letters at either end of the name, with the place."""

    def keys(records: pl.DataFrame) -> pl.DataFrame:
        letters = pl.col("letters")
        ends = records.filter(letters.str.len_chars() >= EDGE)
        return pl.concat(
            ends.select("row", key=pl.concat_str(pl.lit(name), part, place, separator="|"))
            for name, part in (("head", letters.str.head(EDGE)), ("tail", letters.str.tail(EDGE)))
        )

    return keys


def _street_number(records: pl.DataFrame) -> pl.DataFrame:
    words = records.select("row", "house", "street", "city_key", "country_code").explode("street", empty_as_null=True)
    return words.select("row", key=pl.concat_str(pl.lit("at"), "house", "street", _PLACE, separator="|"))


def _street_of_postcode(records: pl.DataFrame) -> pl.DataFrame:
    words = records.select("row", "street", "postcode").explode("street", empty_as_null=True)
    return words.select("row", key=pl.concat_str(pl.lit("in"), "street", "postcode", separator="|"))


def _cells(records: pl.DataFrame) -> pl.DataFrame:
    return pl.concat(
        records.select(
            "row",
            key=pl.concat_str(
                pl.lit("cell"),
                (pl.col("latitude") / CELL + north).floor().cast(pl.Int64),
                (pl.col("longitude") / CELL + east).floor().cast(pl.Int64),
                separator="|",
            ),
        )
        for north in (-0.25, 0.25)
        for east in (-0.25, 0.25)
    )


NAME_KEYS = (
    _words(_PLACE, RARE),
    _words(_COUNTRY, VERY_RARE),
    _edges(_PLACE),
    _edges(_COUNTRY),
    _one("name", "name_key", _COUNTRY),
)
PERSON_NAME_KEYS = (
    *(rule(place) for place in (_CITY, _POSTCODE) for rule in (_any_word, _edges)),
    _one("name", "name_key", _COUNTRY),
)
CONTACT_KEYS = tuple(map(_each, ("phones", "domains", "handles", "emails")))
PLACE_KEYS = (_street_number, _cells, _one("postcode", "postcode", "house"))
PERSON_KEYS = (
    _one("born", "birth_date"),
    _each("mailboxes"),
    _street_number,
    _one("postcode", "postcode", "house"),
    _street_of_postcode,
)
NIGHT_KEYS = (_one("night", "night"),)


def block_keys(prepared: pl.DataFrame, rules: tuple[Rule, ...], frequencies: Frequencies) -> pl.DataFrame:
    """Return `row`, `keys` of prepared records: distinct keys in order, none of them common."""
    keys = pl.concat(rule(prepared) for rule in rules).drop_nulls("key").unique()
    rare = keys.join(frequencies.common.alias("key").to_frame(), on="key", how="anti").sort("row", "key")
    lists = rare.group_by("row", maintain_order=True).agg(keys="key")
    empty = pl.lit([], pl.List(pl.String))
    return prepared.select("row").join(lists, on="row", how="left").with_columns(pl.col("keys").fill_null(empty))
