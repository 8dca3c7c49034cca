"""Finds places by name and address: an offline gazetteer (`places.ndjson`) or Google Places, one interface.

Answers all candidates, decides nothing and remembers nothing: the cache and the choice are the stage's.
"""

import gzip
import json
import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from math import cos, hypot, radians
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from resources.errors import TerminalError, TransientError

if TYPE_CHECKING:
    import googlemaps

NEAR_METRES = 300.0
"""A place of the same name this near is the same place, whatever its city is called."""
FAR_METRES = 5_000.0
"""A place of the same name and city this far away is another one."""
BUDGET = 1_000
"""Requests to Google in one run."""


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
    """A candidate."""

    place_id: str
    name: str
    address: str | None = None
    latitude: float | None = None
    longitude: float | None = None


class Places(Protocol):
    """Something that knows places."""

    origin: str
    """Who answers, and from what data: answers of another origin are no answers of this one."""
    keeps: timedelta | None
    """How long an answer may be kept; None: as long as the origin is the same."""

    def find(self, queries: Sequence[Query]) -> list[list[Place] | None]:
        """Return the candidates of each query; None where it was not asked (budget spent)."""
        ...


def open_places(
    exports: Path, fold: Callable[[str], str], environment: Mapping[str, str] = os.environ
) -> Places | None:
    """Return Google Places where GOOGLE_MAPS_API_KEY is set, else the exports' gazetteer, else None."""
    key = environment.get("GOOGLE_MAPS_API_KEY")
    if key:
        import googlemaps

        return GooglePlaces(googlemaps.Client(key=key, timeout=10, queries_per_second=10))
    paths = (exports / "places.ndjson", exports / "places.ndjson.gz")
    found = next((path for path in paths if path.is_file()), None)
    return Gazetteer(found, fold) if found else None


class Gazetteer:
    """A file of known places, one JSON object a line; `fold` makes names and cities comparable."""

    keeps: timedelta | None = None

    def __init__(self, path: Path, fold: Callable[[str], str]) -> None:
        """Read the file. Raises TerminalError where it cannot be read."""
        self._fold = fold
        self._by_name: dict[str, list[tuple[frozenset[str], Place]]] = defaultdict(list)
        data = _contents(path)
        self.origin = f"gazetteer:{sha256(data).hexdigest()[:16]}"
        for number, line in enumerate(data.splitlines(), 1):
            if line.strip():
                self._add(line, f"{path}:{number}")

    def find(self, queries: Sequence[Query]) -> list[list[Place] | None]:
        """Return the places of that name in that city, else those of that name within 300 m."""
        return [self._find(query) for query in queries]

    def _find(self, query: Query) -> list[Place]:
        named = self._by_name.get(self._fold(query.name), [])
        city = self._fold(query.city or "")
        apart = [(cities, place, _metres(query, place)) for cities, place in named]
        there = [place for cities, place, m in apart if city in cities and (m is None or m <= FAR_METRES)]
        near = [place for _, place, m in apart if m is not None and m <= NEAR_METRES]
        return _distinct(there if city and there else near)

    def _add(self, line: bytes, where: str) -> None:
        try:
            row = json.loads(line)
            asked, location = row.get("query") or {}, row.get("location") or {}
            place = Place(
                row["place_id"],
                row["name"],
                row.get("formatted_address"),
                location.get("lat"),
                location.get("lng"),
            )
            cities = frozenset(filter(None, [self._fold(asked.get("city") or "")]))
            for name in {self._fold(place.name), self._fold(asked.get("name") or place.name)}:
                self._by_name[name].append((cities, place))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise TerminalError(f"{where} is not a place ({error!r}): repair or remove the line") from error


class GooglePlaces:
    """Google's Find Place; at most `budget` requests in this object's life."""

    origin = "google"
    keeps: timedelta | None = timedelta(days=365)  # Google's terms: ids are refreshed after twelve months

    def __init__(self, client: "googlemaps.Client", budget: int = BUDGET) -> None:
        self._client = client
        self._left = budget

    def find(self, queries: Sequence[Query]) -> list[list[Place] | None]:
        """Return Google's candidates. Raises TransientError where it fails, TerminalError where it refuses."""
        return [self._find(query) for query in queries]

    def _find(self, query: Query) -> list[Place] | None:
        if self._left <= 0:
            return None
        self._left -= 1
        text = ", ".join(filter(None, [query.name, query.address, query.city, query.country]))
        fields = ["place_id", "name", "formatted_address", "geometry/location"]
        bias = None
        if query.latitude is not None and query.longitude is not None:
            bias = f"circle:{FAR_METRES:.0f}@{query.latitude},{query.longitude}"
        return _distinct(map(_from_google, self._ask(text, fields, bias)))

    def _ask(self, text: str, fields: list[str], bias: str | None) -> list[dict[str, Any]]:
        from googlemaps import exceptions

        try:
            answer = self._client.find_place(text, "textquery", fields=fields, location_bias=bias)
        except exceptions.ApiError as error:
            # OVER_QUERY_LIMIT and UNKNOWN_ERROR pass with time; a denied or invalid request does not.
            kind = TransientError if error.status in {"OVER_QUERY_LIMIT", "UNKNOWN_ERROR"} else TerminalError
            raise kind(f"Google Places refused {text!r} ({error}): check GOOGLE_MAPS_API_KEY") from error
        except (exceptions.TransportError, exceptions.Timeout, exceptions.HTTPError) as error:
            # Neither the message nor the cause: both hold the request's address, and that the key.
            name = type(error).__name__
            raise TransientError(f"Google Places did not answer {text!r} ({name}): run again later") from None
        return list(answer.get("candidates", []))


def _from_google(row: Mapping[str, Any]) -> Place:
    location = row.get("geometry", {}).get("location", {})
    return Place(
        row["place_id"],
        row.get("name", ""),
        row.get("formatted_address"),
        location.get("lat"),
        location.get("lng"),
    )


def _distinct(places: Iterable[Place]) -> list[Place]:
    return sorted({place.place_id: place for place in places}.values(), key=lambda place: place.place_id)


def _metres(query: Query, place: Place) -> float | None:
    if query.latitude is None or query.longitude is None or place.latitude is None or place.longitude is None:
        return None
    # On a few kilometres the Earth is flat.
    east = (query.longitude - place.longitude) * cos(radians(query.latitude))
    return hypot(query.latitude - place.latitude, east) * 111_195.0


def _contents(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError) as error:
        raise TerminalError(f"cannot read {path}: {error}; export it again or move it away") from error
