"""Mentions -> normalised identifiers (long form) and comparable names. Pure polars.

A mention is one place in a source that speaks of a thing; `row` numbers it within its frame.
"""

import polars as pl

from sonik_assets.identity.normalize.columns import normalize_column
from sonik_assets.identity.normalize.countries import normalize_country
from sonik_assets.identity.normalize.domains import normalize_domain
from sonik_assets.identity.normalize.emails import are_roles, normalize_email, plain_emails
from sonik_assets.identity.normalize.instagram import LINK, normalize_instagram, plain_instagram
from sonik_assets.identity.normalize.phones import normalize_phone
from sonik_assets.identity.normalize.text import fold, name_key

REF = ("source", "table_name", "record_id")
MENTIONS = {
    **dict.fromkeys((*REF, "entity_type"), pl.String),
    "embedded": pl.Boolean,
    **dict.fromkeys(("name", "address", "city", "country"), pl.String),
    **dict.fromkeys(("latitude", "longitude"), pl.Float64),
    **dict.fromkeys(("website", "instagram", "phone", "email", "google_place_id", "user_id"), pl.String),
    **dict.fromkeys(("updated_at", "first_seen_at"), pl.Datetime("us", "UTC")),
}
"""The columns of staging.mentions and their types."""


def prepare(mentions: pl.DataFrame) -> pl.DataFrame:
    """Add `row`, `name_key`, `city_key` and `country_code`, in an order that the input's does not decide."""
    rows = mentions.sort(REF).with_row_index("row")
    keys = (
        ("name_key", "name", name_key),
        ("city_key", "city", fold),
        ("country_code", "country", normalize_country),
    )
    return rows.with_columns(
        normalize_column(rows[column], normalizer)["value"].replace("", None).alias(name)
        for name, column, normalizer in keys
    )


def identifiers(mentions: pl.DataFrame) -> tuple[pl.DataFrame, dict[str, int]]:
    """Return `row`, `scheme`, `value` of prepared mentions, and how many values were refused by reason.

    An address that an office reads is of the scheme `role_email`: compared, but nobody's own.
    """
    found, refused = [], []
    for scheme, column, normalizer, plain in (
        ("google_places_id", "google_place_id", _as_is, _stripped),
        ("instagram_url", "instagram", normalize_instagram, plain_instagram),
        ("domain", "website", normalize_domain, None),
        ("email", "email", normalize_email, plain_emails),
        ("source_id", "user_id", _as_is, _stripped),
    ):
        values = normalize_column(mentions[column], normalizer, plain)
        found.append(_long(mentions, scheme, values))
        refused.append(values["reason"])
    phones = _phones(mentions)
    found.append(_long(mentions, "phone", phones))
    refused.append(phones["reason"])
    # What is given as the website but is a profile or an address says so in its own scheme.
    for scheme, mark, normalizer in (
        ("instagram_url", LINK, normalize_instagram),
        ("email", "@", normalize_email),
    ):
        website = mentions["website"]
        found.append(
            _long(mentions, scheme, normalize_column(website.set(~website.str.contains(mark), None), normalizer))
        )
    counts = pl.concat(refused).drop_nulls().value_counts(sort=True)
    return _with_roles(pl.concat(found).unique(maintain_order=True)), dict(counts.iter_rows())


def _long(mentions: pl.DataFrame, scheme: str, values: pl.DataFrame) -> pl.DataFrame:
    rows = mentions.select("row", value=values["value"]).filter(pl.col("value").is_not_null())
    return rows.select("row", pl.lit(scheme).alias("scheme"), "value")


def _with_roles(found: pl.DataFrame) -> pl.DataFrame:
    addressed = (found["scheme"] == "email") & are_roles(found["value"])
    return found.with_columns(scheme=pl.when(addressed).then(pl.lit("role_email")).otherwise("scheme"))


def _phones(mentions: pl.DataFrame) -> pl.DataFrame:
    """Normalise by distinct (country, phone): the same digits are other numbers elsewhere."""
    pairs = mentions.select(
        pl.when(pl.col("phone").str.strip_chars() != "").then(
            pl.concat_str(pl.col("country_code").fill_null(""), "phone", separator="|")
        )
    ).to_series()
    return normalize_column(pairs, _phone)


def _phone(pair: str) -> str:
    country, _, text = pair.partition("|")
    return normalize_phone(text, country or None)


def _as_is(text: str) -> str:
    return text.strip()


def _stripped(texts: pl.Series) -> pl.Series:
    values = texts.str.strip_chars()
    return values.set(values == "", None)
