"""What a record looks like to a matcher: the columns, and how a frame that lacks some of them is filled up.

Values are already normalised; what is derived from them for comparing is in `features.py`.
"""

import polars as pl
from polars._typing import PolarsDataType

PROFILES: dict[str, PolarsDataType] = {
    "row": pl.UInt32,
    "source": pl.String,
    **dict.fromkeys(("name", "name_key", "address", "city_key", "country_code", "postcode"), pl.String),
    **dict.fromkeys(("latitude", "longitude"), pl.Float64),
    **dict.fromkeys(("phones", "domains", "handles", "emails"), pl.List(pl.String)),
    "category": pl.String,
    **dict.fromkeys(("genres", "lineup"), pl.List(pl.String)),
    **dict.fromkeys(("birth_date", "night"), pl.String),
    "starts_at": pl.Datetime("us", "UTC"),
    **dict.fromkeys(("marker", "url"), pl.String),
}
"""Columns of a frame of records to match and their types; all but `row` (unique) and `source` may be null.

phones E.164, domains registered domains, handles `instagram.com/x`, emails addresses, night `venue id|local date`,
marker the session marker of an event, url the page the record gives.
"""


def conform(records: pl.DataFrame) -> pl.DataFrame:
    """Return exactly the columns of PROFILES: absent ones as null, others left out, blank texts as null."""
    have = set(records.columns)
    columns = [pl.col(name) if name in have else pl.lit(None).alias(name) for name in PROFILES]
    typed = records.select(columns).cast(PROFILES)  # type: ignore[arg-type]
    return typed.with_columns(
        pl.when(pl.col(name).str.strip_chars() != "").then(name).alias(name)
        for name, kind in PROFILES.items()
        if kind == pl.String
    )
