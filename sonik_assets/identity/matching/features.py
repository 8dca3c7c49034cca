"""Records -> what is compared: words of names and addresses with the weight of each, house numbers, paths.

A pure function of one record and the frozen frequencies: nothing here looks at the other records present.
"""

import re
from collections.abc import Callable
from importlib.resources import files

import polars as pl

from sonik_assets.identity.matching.frequencies import Frequencies
from sonik_assets.identity.matching.profiles import conform
from sonik_assets.identity.normalize import addresses
from sonik_assets.identity.normalize.emails import are_roles
from sonik_assets.identity.normalize.text import fold, fold_name
from sonik_assets.identity.normalize.words import word_set

WORD = pl.Struct({"t": pl.String, "w": pl.Float32})
"""A word and its weight: 1 where it is rare, near 0 where nearly every record has it."""

_ARTICLES = word_set("articles")
_MAILBOX = pl.element().str.split("@").list.first().str.replace_all(r"[^a-z0-9]", "")
_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_LEADING = re.compile(
    r"\s*(?!0\d{4}\b|\d{6})(\d{1,6})[a-zA-Z]?,? +(?!(?:de|of|y|piso|norte|sur|oriente|poniente)\b)(?=[a-zA-Z])",
    re.IGNORECASE,
)
"""A house number before its street (`1601 N 32nd St`), which no street of a number begins like (`5 de Mayo 12`)."""
_ORDINAL = re.compile(r"\b(\d+)(?:st|nd|rd|th)\b", re.IGNORECASE)
_LATIN = re.compile("[a-z]", re.IGNORECASE)
_NUMBER = re.compile(r"\d+")
_PATH = re.compile(r"^(?:https?://)?(?:www\.)?[^/?#]+([^?#]*)")
_CONTEXT = 0.35
"""What a word is still worth that only repeats the record's own city or category."""


def _words(name: str) -> frozenset[str]:
    """Return the words of a list beside this module; `#` begins a comment line."""
    lines = (files(__package__) / "words" / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(word for line in lines if not line.startswith("#") for word in line.split())


_PARTS = _words("parts")


def prepare(records: pl.DataFrame, frequencies: Frequencies) -> pl.DataFrame:
    """Return the records with the columns that comparisons and block keys read, one row each."""
    return weigh(derive(records), frequencies)


def derive(records: pl.DataFrame) -> pl.DataFrame:
    """Return the records, in PROFILES, with all columns that the values of one record alone decide."""
    base = conform(records)
    words = pl.List(pl.String)
    derived = base.with_columns(
        _by_value(base["name"], name_words, words).alias("words"),
        _by_value(base["address"], street_words, words).alias("street"),
        _by_value(base["address"], house_number, pl.String).alias("house"),
        _by_value(base["category"], lambda text: fold(text).split(), words).alias("kinds"),
        _by_value(base["url"], url_path, pl.String).alias("path"),
        pl.col("postcode").str.to_uppercase().str.replace_all(r"[^0-9A-Z]", ""),
        pl.col("city_key").str.split(" ").alias("city_words"),
        (pl.col("starts_at").dt.epoch("s") / 60).alias("minute"),
    )
    return derived.with_columns(
        pl.col("words").list.eval(pl.element().filter(pl.element().str.contains(r"\d"))).alias("numbers"),
        pl.col("words").list.set_intersection(sorted(_PARTS)).alias("parts"),
        pl.col("lineup").list.eval(pl.element().str.split(" ").list.sort().list.join(" ")),
        pl.col("emails").list.eval(_MAILBOX.filter(~are_roles(pl.element()))).alias("mailboxes"),
        pl.col("words").list.sort().list.join("").alias("letters"),
    )


def weigh(derived: pl.DataFrame, frequencies: Frequencies) -> pl.DataFrame:
    """Add what the frozen frequencies say of a record's words, phones and domains."""
    return derived.with_columns(
        _weighed(derived, "words", frequencies).alias("tokens"),
        _least_weight(derived["phones"], frequencies).alias("phone_weight"),
        _least_weight(derived["domains"], frequencies).alias("domain_weight"),
    )


def name_words(name: str) -> list[str]:
    """Return the distinct words of a name, without articles and legal form, in order."""
    words = [_ROMAN.get(word, word) for word in fold_name(name).split()]
    return list(dict.fromkeys([word for word in words if word not in _ARTICLES] or words))


def street_words(address: str) -> list[str]:
    """Return the street's own words and numbers, without units, kinds of street and the house number."""
    first = _LEADING.match(address)
    rest = _ORDINAL.sub(r"calle \1", address[first.end() :]) if first else address
    return addresses.street_words(rest).split()


def house_number(address: str) -> str | None:
    """Return the number of the house (`64-5` for a Colombian one); None without one.

    An address that begins with it needs no other rule; of one without Latin letters it is all the numbers.
    """
    first = _LEADING.match(address)
    if first:
        return first.group(1).lstrip("0") or None
    if not _LATIN.search(address):
        return "-".join(_NUMBER.findall(fold(address))) or None
    return addresses.house_number(address)


def url_path(url: str) -> str | None:
    """Return the path of a URL in lower case without slashes around; empty for the front page."""
    found = _PATH.match(url.strip().lower())
    return found.group(1).strip("/") if found else None


def _by_value(values: pl.Series, derive: Callable[[str], object], kind: pl.DataType | type[pl.DataType]) -> pl.Series:
    """Apply by distinct value: a hundred thousand records hold few of them."""
    distinct = values.unique().drop_nulls()
    found = pl.Series("found", [derive(value) for value in distinct], kind)
    table = pl.DataFrame({"value": distinct, "found": found})
    joined = values.alias("value").to_frame().join(table, on="value", how="left", maintain_order="left")
    return joined["found"]


def _weighed(records: pl.DataFrame, column: str, frequencies: Frequencies) -> pl.Series:
    """Return the list of WORD; a word of the record's own city or category says less."""
    words = records.select("row", "city_words", "kinds", t=column).explode("t", empty_as_null=True).drop_nulls("t")
    told = pl.col("city_words").list.contains(pl.col("t")).fill_null(value=False) | pl.col("kinds").list.contains(
        pl.col("t")
    ).fill_null(value=False)
    weighed = words.with_columns(w=frequencies.weight(words["t"]) * pl.when(told).then(_CONTEXT).otherwise(1.0)).select(
        "row", pl.struct("t", pl.col("w").cast(pl.Float32)).alias("token")
    )
    lists = weighed.group_by("row", maintain_order=True).agg(pl.col("token"))
    return records.select("row").join(lists, on="row", how="left", maintain_order="left")["token"]


def _least_weight(values: pl.Series, frequencies: Frequencies) -> pl.Series:
    """Return the weight of the commonest value of each list: a phone of many records is a call centre's."""
    flat = values.alias("value").to_frame().with_row_index("at").explode("value", empty_as_null=True)
    weighed = flat.with_columns(w=frequencies.weight(flat["value"])).drop_nulls("value")
    least = weighed.group_by("at").agg(pl.col("w").min())
    return flat.select("at").unique().sort("at").join(least, on="at", how="left", maintain_order="left")["w"]
