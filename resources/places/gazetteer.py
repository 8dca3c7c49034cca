"""A file of known places, one JSON object a line (`{query, place_id, name, formatted_address, location}`)."""

import gzip
import json
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from resources.errors import TerminalError
from resources.places.interface import FAR_METRES, NEAR_METRES, Place, Query, distinct, metres


class Gazetteer:
    """Answers from one file, wholly in memory; `fold` makes names and cities comparable."""

    keeps: timedelta | None = None

    def __init__(self, path: Path, fold: Callable[[str], str]) -> None:
        """Read the file. Raises TerminalError where it cannot be read."""
        self._fold = fold
        self._by_name: dict[str, list[tuple[str, Place]]] = defaultdict(list)
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
        apart = [(where, place, metres(query, place)) for where, place in named]
        there = [place for where, place, m in apart if city and city == where and (m is None or m <= FAR_METRES)]
        near = [place for _, place, m in apart if m is not None and m <= NEAR_METRES]
        return distinct(there or near)

    def _add(self, line: bytes, where: str) -> None:
        try:
            row = json.loads(line)
            asked, location = row.get("query") or {}, row.get("location") or {}
            city = asked.get("city")
            place = Place(
                row["place_id"],
                row["name"],
                row.get("formatted_address"),
                location.get("lat"),
                location.get("lng"),
                city,
            )
            for name in {self._fold(place.name), self._fold(asked.get("name") or place.name)}:
                self._by_name[name].append((self._fold(city or ""), place))
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise TerminalError(f"{where} is not a place ({error!r}): repair or remove the line") from error


def _contents(path: Path) -> bytes:
    try:
        data = path.read_bytes()
        return gzip.decompress(data) if path.suffix == ".gz" else data
    except (OSError, EOFError) as error:
        raise TerminalError(f"cannot read {path}: {error}; export it again or move it away") from error
