"""The real places under the world, and the cities they stand in.

Here: reading `places.ndjson.gz` (pairs of published records) and `cities.csv` (centres and zones).
Not here: what is simulated around a place; see venues.py.
"""

import csv
import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
PULL = {
    "Medellín": 13.0,
    "Bogotá": 45.0,
    "Ciudad de México": 3.0,
    "São Paulo": 2.5,
    "Santiago": 14.0,
    "Guadalajara": 2.0,
    "Buenos Aires": 8.0,
    "Rio de Janeiro": 2.5,
    "Belo Horizonte": 1.5,
    "Puebla": 1.2,
}


@dataclass(frozen=True, slots=True)
class City:
    """A city: real centre, real zone; `pull` is how much of the nightlife it attracts per venue."""

    name: str
    country: str
    lat: float
    lng: float
    timezone: str

    @property
    def pull(self) -> float:
        """Weight of the city's venues when an event looks for one."""
        return PULL.get(self.name, 0.6)


@dataclass(frozen=True, slots=True)
class Place:
    """One published record of a place, as its source wrote it."""

    id: str
    name: str
    category: str | None
    address: str | None
    locality: str | None
    region: str | None
    postcode: str | None
    country: str
    website: str | None
    phone: str | None
    city: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Two published records and the published judgement whether they are one place."""

    number: int
    same: bool
    base: Place
    other: Place


@cache
def cities() -> dict[tuple[str, str], City]:
    """Return the cities by country and name."""
    with (HERE / "cities.csv").open(encoding="utf-8") as file:
        rows = [
            City(row["name"], row["country"], float(row["lat"]), float(row["lng"]), row["timezone"])
            for row in csv.DictReader(file)
        ]
    return {(city.country, city.name): city for city in rows}


@cache
def pairs() -> tuple[Pair, ...]:
    """Return all pairs in the order of the data set."""
    with gzip.open(HERE / "places.ndjson.gz", "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    return tuple(Pair(row["pair"], row["same"], Place(**row["base"]), Place(**row["other"])) for row in rows)
