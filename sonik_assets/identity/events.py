"""Event mentions -> when and which event: key = venue | local date | session marker | name hash.

Pure. An event whose venue is unknown has no key: only its own record stands for it. Texts are read once for
each distinct (text, zone) and (name, places), never row by row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

import polars as pl

from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.columns import normalize_column
from sonik_assets.identity.normalize.countries import normalize_country
from sonik_assets.identity.normalize.event_names import EventName, read_name
from sonik_assets.identity.normalize.event_times import choose_zone, parse_end, parse_start, zone_at

EVENT_MENTIONS = {
    **dict.fromkeys((*REF, "name", "venue_source", "venue_table", "venue_record_id"), pl.String),
    **dict.fromkeys(("starts_at_text", "ends_at_text", "timezone", "city", "country", "venue_name"), pl.String),
    **dict.fromkeys(("updated_at", "first_seen_at"), pl.Datetime("us", "UTC")),
}
"""The columns of staging.event_mentions and their types."""

_INSTANT = pl.Datetime("us", "UTC")
TIMES: dict[str, Any] = {
    **dict.fromkeys(REF, pl.String),
    **dict.fromkeys(("starts_at", "ends_at"), _INSTANT),
    "local_date": pl.Date,
    "has_time": pl.Boolean,
    **dict.fromkeys(
        ("zone", "event_key", "venue_id", "venue_ref", "warning", "marker", "name_hash", "series"), pl.String
    ),
}
"""`venue_ref`: the venue's mention; `marker`: empty without one; `series`: the name, as written, of the series that the
event is a day of."""

_START = {"starts_at": _INSTANT, "local_date": pl.Date, "has_time": pl.Boolean, "start_warning": pl.String}
_END = {"ends_at": _INSTANT, "end_warning": pl.String}
_NAME = {"name_hash": pl.String, "marker": pl.String, "series": pl.String}


@dataclass(frozen=True)
class Venue:
    """What of a venue an event needs: all its names, its country, and the zone of its coordinates."""

    names: Sequence[str]
    country: str | None
    zone: str | None


def venues(mentions: pl.DataFrame, entity_of: pl.DataFrame) -> dict[str, Venue]:
    """Return the venues by entity id; `entity_of` holds `row` and `entity_id` of prepared mentions."""
    known = pl.col("latitude").is_not_null() & pl.col("longitude").is_not_null()
    found = (
        mentions.filter(pl.col("entity_type") == "venue")
        .join(entity_of, on="row")
        .sort("embedded", "row")
        .group_by("entity_id")
        .agg(
            pl.col("name").drop_nulls().unique().sort(),
            pl.col("country_code").drop_nulls().first(),
            pl.col("latitude", "longitude").filter(known).first(),
        )
    )
    points = list(found.select("latitude", "longitude").iter_rows())
    rows = found.select("entity_id", "name", "country_code").iter_rows()
    return {
        venue: Venue(names, country, zone_at(*point))
        for (venue, names, country), point in zip(rows, points, strict=True)
    }


def event_times(mentions: pl.DataFrame, known: Mapping[str, Venue]) -> pl.DataFrame:
    """Return TIMES, one row a mention; `mentions` has EVENT_MENTIONS and `venue_id` (null: unknown venue)."""
    rows = mentions.with_columns(country=normalize_column(mentions["country"], normalize_country)["value"])
    rows = _with_zone(rows.join(_places(known), on="venue_id", how="left", maintain_order="left"))
    rows = _by_distinct(rows, ["starts_at_text", "zone"], _start, _START)
    rows = _by_distinct(rows, ["ends_at_text", "zone"], _end, _END)
    rows = _by_distinct(rows, ["name", "venue_id", "venue_name", "city"], partial(_named, known), _NAME)
    backwards = (pl.col("ends_at") < pl.col("starts_at")).fill_null(value=False)
    unknown = pl.col("starts_at").is_null()
    warning = pl.coalesce(
        "start_warning",
        "end_warning",
        pl.when(backwards).then(pl.lit("time: ends before it starts")),
        "zone_warning",
    )
    key = pl.concat_str("venue_id", "local_date", "marker", "name_hash", separator="|")
    venue_ref = pl.concat_str("venue_source", "venue_table", "venue_record_id", separator="/")
    return rows.with_columns(
        ends_at=pl.when(~backwards & ~unknown).then("ends_at"), warning=warning, event_key=key, venue_ref=venue_ref
    ).select(pl.col(name).cast(kind) for name, kind in TIMES.items())


def _places(known: Mapping[str, Venue]) -> pl.DataFrame:
    rows = [(venue_id, venue.country, venue.zone) for venue_id, venue in known.items()]
    return pl.DataFrame(rows, dict.fromkeys(("venue_id", "venue_country", "venue_zone"), pl.String), orient="row")


def _with_zone(rows: pl.DataFrame) -> pl.DataFrame:
    return _by_distinct(
        rows.with_columns(country=pl.coalesce("venue_country", "country")),
        ["venue_zone", "timezone", "country"],
        _zone,
        {"zone": pl.String, "zone_warning": pl.String},
    )


def _by_distinct(rows: pl.DataFrame, inputs: list[str], function: Any, types: Mapping[str, Any]) -> pl.DataFrame:
    """Add the columns `types` by the function of each distinct row of the input columns."""
    distinct = rows.select(inputs).unique()
    found = pl.DataFrame([function(row) for row in distinct.iter_rows()], dict(types), orient="row")
    told = pl.concat([distinct, found], how="horizontal")
    return rows.join(told, on=inputs, how="left", maintain_order="left", nulls_equal=True)


def _zone(place: tuple[str | None, str | None, str | None]) -> tuple[str, str | None]:
    zone = choose_zone(*place)
    return zone.name, zone.warning


def _start(text_zone: tuple[str | None, str]) -> tuple[datetime | None, date | None, bool | None, str | None]:
    try:
        start = parse_start(text_zone[0] or "", text_zone[1])
    except Refused as refused:
        return None, None, None, str(refused)
    return start.at, start.local_date, start.has_time, None


def _end(text_zone: tuple[str | None, str]) -> tuple[datetime | None, str | None]:
    text, zone = text_zone
    try:
        return (parse_end(text, zone) if text else None), None
    except Refused:
        return None, "time: the end is not a time"


def _named(known: Mapping[str, Venue], said: tuple[str | None, str | None, str | None, str | None]) -> EventName:
    name, venue_id, venue_name, city = said
    venue = known.get(venue_id or "")
    places = (*(venue.names if venue else ()), venue_name, city)
    return read_name(name or "", [place for place in places if place])
