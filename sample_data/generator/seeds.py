"""Randomness, ids and times of the simulated world.

Here: everything derived from a name instead of from the order of calls, so that one part of the world
can change without changing the rest. Nothing here knows what a venue or a fan is.
"""

import random
import uuid
from datetime import UTC, date, datetime, timedelta

SEED = "sonik-2026"
FIRST_DAY = date(2026, 8, 23)
LAST_DAY = date(2026, 11, 20)
DAYS = (LAST_DAY - FIRST_DAY).days + 1
START = datetime(2026, 8, 23, tzinfo=UTC)
END = START + timedelta(days=DAYS) - timedelta(milliseconds=1)


def rng(*parts: object) -> random.Random:
    """Return a generator that depends on the seed and the parts only."""
    return random.Random("|".join([SEED, *map(str, parts)]))


def new_uuid(*parts: object) -> str:
    """Return the version 4 uuid that belongs to the parts."""
    return str(uuid.UUID(int=rng("uuid", *parts).getrandbits(128), version=4))


def object_id(at: datetime, number: int) -> str:
    """Return a MongoDB object id: seconds, a fixed machine part, a counter."""
    return f"{int(at.timestamp()):08x}9c4e07b1a2{number % 0xFFFFFF:06x}"


def iso(at: datetime) -> str:
    """Return the time in UTC with milliseconds and Z, as Directus and Twenty print it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def moment(dice: random.Random, first: datetime = START, last: datetime = END) -> datetime:
    """Return a time between two, to the millisecond; the first if they are out of order."""
    span = max(0, int((last - first).total_seconds() * 1000))
    return first + timedelta(milliseconds=dice.randint(0, span))


def waking_moment(dice: random.Random, day: date) -> datetime:
    """Return a time on a UTC day, mostly in the Latin American evening."""
    hour = dice.choice((0, 1, 2, 13, 15, 17, 18, 19, 20, 21, 22, 22, 23, 23))
    if day == LAST_DAY:
        hour = min(hour, 21)  # a visit that begins on the last day also ends on it
    at = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return at + timedelta(milliseconds=dice.randint(0, 3_599_999))
