"""Prepared mentions and their identifiers -> what matchers compare. Pure polars.

A record of its own is a profile of its own, its key is its ref. Mentions inside other records that say the same are
one profile: a thousand listings name a club in a dozen ways, and are compared a dozen times.
"""

from hashlib import blake2b

import polars as pl

from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.normalize.text import fold_name
from sonik_assets.identity.schemes import clean_source

LISTS = ("phones", "domains", "handles", "emails", "genres", "lineup")
"""Columns that hold several values: texts here and in PostgreSQL, one value a line."""
_SCHEMES = {
    "phones": ("phone",),
    "domains": ("domain",),
    "handles": ("instagram_url",),
    "emails": ("email", "role_email"),
}
_SAID = (
    *("name", "name_key", "address", "city_key", "country_code", "postcode", "latitude", "longitude", "birth_date"),
    *("category", *LISTS),
)
"""What two mentions inside other records must share to be one profile: all that is compared of them, and `held`."""

MENTIONS = {
    **dict.fromkeys(REF, pl.String),
    "entity_type": pl.String,
    "embedded": pl.Boolean,
    "key": pl.String,
    **dict.fromkeys(("first_seen_at", "updated_at"), pl.Datetime("us", "UTC")),
}
"""Columns of identity.mentions."""
PROFILES = {
    **dict.fromkeys(("key", "entity_type"), pl.String),
    "embedded": pl.Boolean,
    **dict.fromkeys(("source", "name", "name_key", "address", "city_key", "country_code", "postcode"), pl.String),
    **dict.fromkeys(("latitude", "longitude"), pl.Float64),
    **dict.fromkeys((*LISTS[:4], "category", *LISTS[4:], "birth_date", "night", "day"), pl.String),
    "starts_at": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("marker", "url"), pl.String),
}
"""Columns of identity.profiles but `blocks`."""


def profiles(mentions: pl.DataFrame, identifiers: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows of MENTIONS and of PROFILES, the latter one a key.

    `mentions`: row, REF and what a source says, absent columns are null; `identifiers`: row, scheme, value.
    """
    said = _conform(_with_lists(mentions, identifiers))
    folded = [None if name is None else fold_name(name) for name in said["name"]]
    said = said.with_columns(name=pl.when("embedded").then(pl.Series(folded, dtype=pl.String)).otherwise("name"))
    said = said.with_columns(key=_keys(said))
    once = said.unique("key", keep="first", maintain_order=True).with_columns(source="clean")
    return said.select(list(MENTIONS)), once.select(list(PROFILES))


def unpack(found: pl.DataFrame) -> pl.DataFrame:
    """Return profiles as a matcher takes them: `row`, and lists where PROFILES has lines."""
    lists = [pl.col(name).str.split("\n") for name in LISTS]
    return found.with_row_index("row").with_columns(lists)


def _with_lists(mentions: pl.DataFrame, identifiers: pl.DataFrame) -> pl.DataFrame:
    parts = {column: identifiers.filter(pl.col("scheme").is_in(schemes)) for column, schemes in _SCHEMES.items()}
    rest = identifiers.filter(~pl.col("scheme").is_in([scheme for schemes in _SCHEMES.values() for scheme in schemes]))
    parts["held"] = rest.with_columns(value=pl.concat_str("scheme", "value", separator=" "))
    for column, held in parts.items():
        values = held.group_by("row").agg(pl.col("value").unique().sort())
        joined = values.select("row", pl.col("value").list.join("\n").alias(column))
        mentions = mentions.join(joined, on="row", how="left", maintain_order="left")
    return mentions


def _conform(mentions: pl.DataFrame) -> pl.DataFrame:
    wanted = {name: kind for name, kind in {**MENTIONS, **PROFILES}.items() if name != "key"}
    have = set(mentions.columns)
    columns = [pl.col(name) if name in have else pl.lit(None).alias(name) for name in wanted]
    # A profile of many mentions is of no one source.
    clean = (
        pl.when("embedded")
        .then(pl.lit(""))
        .otherwise(clean_source().fill_null(pl.concat_str("source", "table_name", separator="/")))
    )
    return mentions.select(*columns, "held", clean=clean).cast(wanted)  # type: ignore[arg-type]


def _keys(said: pl.DataFrame) -> pl.Series:
    words = pl.concat_str([pl.col(name).cast(pl.String).fill_null("") for name in (*_SAID, "held")], separator="\x1f")
    rows = said.select("embedded", "entity_type", words.alias("words"), pl.concat_str(*REF, separator="/").alias("ref"))
    keys = [
        f"{kind}:{blake2b(words.encode(), digest_size=16).hexdigest()}" if embedded else ref
        for embedded, kind, words, ref in rows.iter_rows()
    ]
    return pl.Series(keys, dtype=pl.String)
