"""Tells a value of one thing from a value that several share: a chain's handle, an agency's domain.

Rule: on three or more differently named records, or on venues too far apart to be one.
"""

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import asin, cos, radians, sin, sqrt

from sonik_assets.identity.normalize.text import alike

NAMES = 3
FAR_KM = 2.0
FAR_KM_UNLIKE = 1.0
MOST_NAMES = 40
"""More spellings than one thing ever has; also bounds the work of comparing them."""

AUTHORITATIVE = frozenset({"google_places_id", "source_id", "event_key"})
"""Given by one register to one thing: names are not asked."""

type Point = tuple[float, float]


class Likeness:
    """Names (as name keys) and, for venues, coordinates of the records by number."""

    def __init__(self, names: Sequence[str], points: Sequence[Point | None]) -> None:
        self._names = names
        self._points = points

    def is_shared(self, scheme: str, groups: list[list[int]]) -> bool:
        """Tell whether the records, in clusters so far, are several things that share a value of `scheme`."""
        if scheme in AUTHORITATIVE:
            return False
        names = [{self._names[record] for record in group} for group in groups]
        if saturated(name for group in names for name in group) or differently_named(names) >= NAMES:
            return True
        return self._far_apart([record for group in groups for record in group])

    def _far_apart(self, records: list[int]) -> bool:
        placed = {(self._names[r], point) for r in records if (point := self._points[r]) is not None}
        if len(placed) > MOST_NAMES:
            return True
        for (left, here), (right, there) in combinations(sorted(placed), 2):
            distance = kilometres(here, there)
            if distance > FAR_KM or (distance > FAR_KM_UNLIKE and not alike(left, right)):
                return True
        return False


def saturated(names: Iterable[str]) -> bool:
    """Tell whether a value on records of these names (name keys) is common, however the records are clustered.

    Asked of all records of a value this is the same in a full run and in one of changed records only.
    """
    return len({name for name in names if name}) > MOST_NAMES


def kilometres(here: Point, there: Point) -> float:
    """Return the great-circle distance of two (latitude, longitude) points (haversine formula)."""
    (a, b), (c, d) = (map(radians, point) for point in (here, there))
    return 2 * 6371.0 * asin(sqrt(min(1.0, sin((c - a) / 2) ** 2 + cos(a) * cos(c) * sin((d - b) / 2) ** 2)))


def differently_named(groups: list[set[str]]) -> int:
    """Count the names once those that are alike, or of one cluster, count as one."""
    parts = [{name for name in group if name} for group in groups]
    merged: list[set[str]] = []
    for part in filter(None, parts):
        near = [other for other in merged if any(alike(a, b) for a in part for b in other)]
        merged = [other for other in merged if other not in near] + [part.union(*near)]
    return len(merged)
