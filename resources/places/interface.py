"""What a question about a place and its answer are, whoever answers. No network, no files, no choice."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import cos, hypot, radians
from typing import Protocol, runtime_checkable

NEAR_METRES = 300.0
"""A place of the same name this near is the same place, whatever its city is called."""
FAR_METRES = 5_000.0
"""A place of the same name and city this far away is another one."""

NO_ID = ""
"""What a register says of a text that is no id: a typing error, or another register's."""


@dataclass(frozen=True)
class Query:
    """What is known of a place; coordinates in degrees (WGS 84)."""

    name: str
    address: str | None = None
    city: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class Place:
    """A candidate. `city` where the register keeps it apart from the address."""

    place_id: str
    name: str
    address: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    city: str | None = None


class Places(Protocol):
    """Something that knows places."""

    origin: str
    """Who answers, and from what data: answers of another origin are no answers of this one."""
    keeps: timedelta | None
    """How long an answer's content (all but the ids) may be kept; None: as long as the origin is the same."""

    def find(self, queries: Sequence[Query]) -> Iterable[list[Place] | None]:
        """Give the candidates of each query; None where it was not asked, or not answered: ask again later.

        A register that asks as they are taken may raise in the middle: what it gave until then may have been paid for.
        """
        ...


@runtime_checkable
class Refreshing(Protocol):
    """A register whose ids change in time."""

    def refresh(self, place_ids: Sequence[str]) -> dict[str, str | None]:
        """Return the id that each id has now, None where it is gone, NO_ID where the register never gave it.

        Ids that were not answered are left out.
        """
        ...


def distinct(places: Iterable[Place]) -> list[Place]:
    """Return the places in order of their ids, each once."""
    return sorted({place.place_id: place for place in places}.values(), key=lambda place: place.place_id)


def metres(query: Query, place: Place) -> float | None:
    """Return the distance; None where either side has no coordinates. Exact to 1 % within some 100 km."""
    if query.latitude is None or query.longitude is None or place.latitude is None or place.longitude is None:
        return None
    # On a few kilometres the Earth is flat; the shorter way round is taken at the date line.
    east = ((query.longitude - place.longitude + 180) % 360 - 180) * cos(radians(query.latitude))
    return hypot(query.latitude - place.latitude, east) * 111_195.0
