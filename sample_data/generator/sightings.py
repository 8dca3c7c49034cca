"""How often a venue is written wrongly: one noisy sighting of a true venue.

Here: the rates of absent and wrong values, the same for Directus and for scrapers, because the exam must
not be easier than life. Not here: the field names of a source.
"""

import random
from dataclasses import dataclass

from . import noise
from .places import Place
from .venues import Venue

# A little above the least the issue asks for, so that the sample meets each of them.
ABSENT = {"place_id": 0.64, "instagram": 0.45, "website": 0.64, "phone": 0.55}
OTHER_NAME, OTHER_ADDRESS, FAR = 0.48, 0.16, 0.075
PARENT, RENAMED = 0.85, 0.35


@dataclass(frozen=True, slots=True)
class Sighting:
    """A venue as one record has it."""

    name: str
    address: str | None
    city: str | None
    lat: float | None
    lng: float | None
    place_id: str | None
    instagram: str | None
    website: str | None
    phone: str | None


def sighting(venue: Venue, place: Place | None, dice: random.Random) -> Sighting:
    """Return a noisy record of the venue; a published record keeps its own name, address and phone."""
    lat, lng = _point(venue, dice)
    return Sighting(
        name=_name(venue, place, dice),
        address=_address(venue, place, dice),
        city=venue.city.name if dice.random() > 0.06 else None,
        lat=lat,
        lng=lng,
        place_id=None if _absent("place_id", dice) else venue.place_id,
        instagram=None if _absent("instagram", dice) else noise.instagram(_handle(venue, dice), dice),
        website=None if _absent("website", dice) else _website(venue, place, dice),
        phone=None if _absent("phone", dice) else noise.phone(venue.phone, dice),
    )


def _absent(what: str, dice: random.Random) -> bool:
    return dice.random() < ABSENT[what]


def _name(venue: Venue, place: Place | None, dice: random.Random) -> str:
    wrong = dice.random() < (0.06 if place else OTHER_NAME)
    if place and not wrong and venue.name.startswith(venue.base.name if venue.base else place.name):
        return place.name + venue.name.removeprefix(venue.base.name if venue.base else place.name)
    return noise.other_name(venue.name, dice) if wrong else noise.other_case(venue.name, dice)


def _address(venue: Venue, place: Place | None, dice: random.Random) -> str | None:
    if dice.random() < 0.06:
        return None
    address = place.address if place and place.address else venue.address
    return noise.other_address(address, dice) if dice.random() < OTHER_ADDRESS else address


def _point(venue: Venue, dice: random.Random) -> tuple[float | None, float | None]:
    if dice.random() < 0.1:
        return None, None
    metres = dice.uniform(230, 1900) if dice.random() < FAR else dice.uniform(0, 55)
    return noise.shifted(venue.lat, venue.lng, metres, dice)


def _handle(venue: Venue, dice: random.Random) -> str:
    if venue.parent_handle and dice.random() < PARENT:
        return venue.parent_handle
    if venue.old_handle and dice.random() < RENAMED:
        return venue.old_handle
    return venue.handle


def _website(venue: Venue, place: Place | None, dice: random.Random) -> str:
    return place.website if place and place.website else noise.website(venue.domain, dice)
