"""`places.ndjson`: the answers a Google Places text search would give for the true venues.

Here: one line a venue, none for one in seven, two for a few (a duplicate the search cannot tell apart).
"""

from .seeds import rng
from .venues import Venue, place_id
from .words import COUNTRY_NAMES
from .world import World
from .writers import Exports

MISSING, DOUBLED = 0.15, 0.03


def write_gazetteer(world: World, exports: Exports) -> None:
    """Write the gazetteer."""
    for venue in world.venues:
        chance = rng("gazetteer", venue.number).random()
        if chance < MISSING:
            continue
        exports.write("places", _answer(venue, venue.place_id))
        if chance > 1 - DOUBLED:
            exports.write("places", _answer(venue, place_id("double", venue.number)))


def _answer(venue: Venue, identity: str) -> dict[str, object]:
    city = venue.city
    return {
        "query": {"name": venue.name, "city": city.name, "country": city.country},
        "place_id": identity,
        "name": venue.name,
        "formatted_address": f"{venue.address}, {city.name}, {COUNTRY_NAMES[city.country]}",
        "location": {"lat": venue.lat, "lng": venue.lng},
        "types": [venue.category, "point_of_interest", "establishment"],
    }
