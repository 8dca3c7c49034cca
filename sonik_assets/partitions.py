"""The partitions of the platform: days, in UTC, by the time a source last touched a record."""

from datetime import UTC, date, datetime, timedelta

import dagster as dg

FIRST_DAY = "2026-01-01"
DAILY = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, end_offset=1)
"""Today is a partition too. The first one also holds everything older, so that nothing is left out."""


def window(first: str, last: str) -> tuple[datetime | None, datetime]:
    """Return the time from the first day's start to the last day's end; open before `FIRST_DAY`."""
    start, end = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (first, last))
    return (None if first == FIRST_DAY else start), end + timedelta(days=1)


def today() -> str:
    """Return the last partition there is now."""
    return DAILY.get_last_partition_key() or FIRST_DAY


def clamp(day: date) -> str:
    """Return the partition that a record of this UTC day belongs to: the first has all that is older."""
    return min(max(day.isoformat(), FIRST_DAY), today())
