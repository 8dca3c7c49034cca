"""When an event is: text and zone -> instant and local date. A night belongs to the evening it began.

Local date = date of (start in the venue's zone - 6 h); a date without a time is that date (requirement I2).
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.countries import zones

if TYPE_CHECKING:
    from timezonefinder import TimezoneFinder

NIGHT = timedelta(hours=6)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}|\d{8}")
_WEEK = re.compile(r"\d{4}-?W\d", re.IGNORECASE)
_MIDNIGHT = re.compile(
    r"(?P<date>\d{4}-?\d{2}-?\d{2}[T ])24(?P<rest>:?00(?::?00(?:[.,]0+)?)?)(?P<offset>Z|[+-][\d:]+)?"
)
"""ISO 8601's other name for the next day's 00:00."""


@dataclass(frozen=True)
class Zone:
    """A zone's name, and a warning where it is a guess."""

    name: str
    warning: str | None = None


@dataclass(frozen=True)
class Start:
    """An instant in UTC, the event's local date, and whether the source gave a time of day."""

    at: datetime
    local_date: date
    has_time: bool


def zone_at(latitude: float | None, longitude: float | None) -> str | None:
    """Return the zone of a point on land; None without coordinates or where they are no point on Earth."""
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        return None
    if latitude == 0 and longitude == 0:  # what sources write for "unknown"
        return None
    found = _finder().timezone_at(lat=latitude, lng=longitude)
    return None if found is None or found.startswith("Etc/") else found


@cache
def choose_zone(from_venue: str | None, from_market: str | None, country: str | None) -> Zone:
    """Return the zone by the venue's coordinates, else the market's, else the country's."""
    if from_venue:
        return Zone(from_venue)
    if from_market and _known(from_market):
        return Zone(from_market)
    found = zones(country) if country else ()
    if not found:
        return Zone("UTC", "no place: zone taken as UTC")
    offsets = {ZoneInfo(name).utcoffset(datetime(2026, month, 1)) for name in found for month in (1, 7)}  # noqa: DTZ001
    main = {ZoneInfo(found[0]).utcoffset(datetime(2026, month, 1)) for month in (1, 7)}  # noqa: DTZ001
    return Zone(found[0], None if offsets == main else f"{country} has several zones")


def parse_start(text: str, zone: str) -> Start:
    """Return the start; a time without offset is in `zone`. Raises Refused where the text is no time.

    Refused too: a week date (`2026-W10-7`), as no source of events writes one on purpose.
    """
    text, place = text.strip(), _place(zone)
    if _WEEK.match(text):
        raise Refused("time: a week date")
    if _DATE.fullmatch(text):
        day = _date(text)
        return Start(datetime.combine(day, time(), place).astimezone(UTC), day, has_time=False)
    try:
        moment = _moment(text)
        local = moment.replace(tzinfo=place) if moment.tzinfo is None else moment.astimezone(place)
        at = local.astimezone(UTC)
        # Wall-clock arithmetic: the rule speaks of what the clock on the wall shows.
        local_date = (local.replace(tzinfo=None) - NIGHT).date()
    except (ValueError, OverflowError) as error:
        raise Refused("time: not a time") from error
    return Start(at, local_date, has_time=True)


def parse_end(text: str, zone: str) -> datetime | None:
    """Return the end in UTC; a date alone says no end. Raises Refused where the text is no time."""
    start = parse_start(text, zone)
    return start.at if start.has_time else None


def _moment(text: str) -> datetime:
    midnight = _MIDNIGHT.fullmatch(text)
    if midnight is None:
        return datetime.fromisoformat(text)
    parts = midnight.groupdict(default="")
    return datetime.fromisoformat(f"{parts['date']}00{parts['rest']}{parts['offset']}") + timedelta(days=1)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise Refused("time: not a date") from error


# ZoneInfo itself keeps but the last eight.
_place = cache(ZoneInfo)


@cache
def _known(zone: str) -> bool:
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        return False
    return True


@cache
def _finder() -> "TimezoneFinder":
    from timezonefinder import TimezoneFinder

    return TimezoneFinder(in_memory=True)
