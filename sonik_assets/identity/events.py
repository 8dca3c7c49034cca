"""Event mentions -> when and which event: key = venue | local date | session marker | name hash.

Pure. An event whose venue is unknown has no key: only its own record stands for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl

from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.columns import normalize_column
from sonik_assets.identity.normalize.countries import normalize_country
from sonik_assets.identity.normalize.event_names import name_hash, session_marker
from sonik_assets.identity.normalize.event_times import Zone, choose_zone, parse_end, parse_start, zone_at

EVENT_MENTIONS = {
    **dict.fromkeys((*REF, "name", "venue_source", "venue_table", "venue_record_id"), pl.String),
    **dict.fromkeys(("starts_at_text", "ends_at_text", "timezone", "city", "country", "venue_name"), pl.String),
    **dict.fromkeys(("updated_at", "first_seen_at"), pl.Datetime("us", "UTC")),
}
"""The columns of staging.event_mentions and their types."""

TIMES: dict[str, Any] = {
    **dict.fromkeys(REF, pl.String),
    **dict.fromkeys(("starts_at", "ends_at"), pl.Datetime("us", "UTC")),
    "local_date": pl.Date,
    "has_time": pl.Boolean,
    **dict.fromkeys(("zone", "event_key", "venue_id", "warning"), pl.String),
}


@dataclass(frozen=True)
class Venue:
    """What of a venue an event needs: all its names, its country, and the zone of its coordinates."""

    names: Sequence[str]
    country: str | None
    zone: str | None


def venues(mentions: pl.DataFrame, entity_of: pl.DataFrame) -> dict[str, Venue]:
    """Return the venues by entity id; `entity_of` holds `row` and `entity_id` of prepared mentions."""
    found = (
        mentions.filter(pl.col("entity_type") == "venue")
        .join(entity_of, on="row")
        .sort("embedded", "row")
        .group_by("entity_id")
        .agg(
            pl.col("name").drop_nulls().unique().sort(),
            pl.col("country_code").drop_nulls().first(),
            pl.struct("latitude", "longitude").filter(pl.col("latitude").is_not_null()).first().alias("point"),
        )
    )
    return {
        row["entity_id"]: Venue(row["name"], row["country_code"], zone_at(**row["point"]) if row["point"] else None)
        for row in found.iter_rows(named=True)
    }


def event_times(mentions: pl.DataFrame, known: Mapping[str, Venue]) -> pl.DataFrame:
    """Return TIMES, one row a mention; `mentions` has EVENT_MENTIONS and `venue_id` (null: unknown venue)."""
    codes = normalize_column(mentions["country"], normalize_country)["value"]
    rows = [_times(row, known) for row in mentions.with_columns(country=codes).iter_rows(named=True)]
    return pl.DataFrame(rows, schema=TIMES, orient="row")


def _times(row: Mapping[str, str | None], known: Mapping[str, Venue]) -> tuple[object, ...]:
    venue_id = row["venue_id"]
    venue = known.get(venue_id or "", Venue((), None, None))
    zone = choose_zone(venue.zone, row["timezone"], venue.country or row["country"])
    at, local_date, has_time, ends_at, warning = _when(row, zone)
    key = _key(row, venue_id, venue, local_date) if venue_id and local_date else None
    return (*(row[c] for c in REF), at, ends_at, local_date, has_time, zone.name, key, venue_id, warning)


def _when(
    row: Mapping[str, str | None], zone: Zone
) -> tuple[datetime | None, date | None, bool | None, datetime | None, str | None]:
    try:
        start = parse_start(row["starts_at_text"] or "", zone.name)
    except Refused as refused:
        return None, None, None, None, str(refused)
    try:
        ends_at = parse_end(row["ends_at_text"], zone.name) if row["ends_at_text"] else None
    except Refused:
        return start.at, start.local_date, start.has_time, None, "time: the end is not a time"
    if ends_at and ends_at < start.at:
        return start.at, start.local_date, start.has_time, None, "time: ends before it starts"
    return start.at, start.local_date, start.has_time, ends_at, zone.warning


def _key(row: Mapping[str, str | None], venue_id: str, venue: Venue, local_date: date) -> str:
    name = row["name"] or ""
    places = [*venue.names, *(place for place in (row["venue_name"], row["city"]) if place)]
    return f"{venue_id}|{local_date}|{session_marker(name)}|{name_hash(name, places)}"
