"""Finds places by name and address: an offline gazetteer (`places.ndjson`) or Google Places, one interface.

Answers all candidates, decides nothing and remembers nothing: the cache, the choice and the spending are the stage's.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from resources.places.gazetteer import Gazetteer
from resources.places.google import GooglePlaces, connect
from resources.places.interface import FAR_METRES, NEAR_METRES, NO_ID, Place, Places, Query, Refreshing, metres
from resources.places.limits import Limits, Meter, RunMeter

__all__ = [
    "FAR_METRES", "NEAR_METRES", "NO_ID", "Gazetteer", "GooglePlaces", "Limits", "Meter", "Place", "Places", "Query",
    "Refreshing", "RunMeter", "metres", "open_places",
]  # fmt: skip


def open_places(
    exports: Path,
    fold: Callable[[str], str],
    environment: Mapping[str, str] = os.environ,
    meter: Callable[[Limits], Meter] = RunMeter,
) -> Places | None:
    """Return Google Places where GOOGLE_MAPS_API_KEY is set, else the exports' gazetteer, else None.

    `meter` makes what counts Google's requests: one that forgets at the end of the run, unless the caller has a better.
    Raises TerminalError where the key, a limit or the gazetteer cannot be used.
    """
    key = environment.get("GOOGLE_MAPS_API_KEY")
    if key:
        limits = Limits.from_env(environment)
        return GooglePlaces(connect(key, per_second=limits.per_second), meter(limits))
    paths = (exports / "places.ndjson", exports / "places.ndjson.gz")
    found = next((path for path in paths if path.is_file()), None)
    return Gazetteer(found, fold) if found else None
