"""The true venues: one for each real place, with the simulated identity the data set does not give.

Here: which places are venues, their handles, Places ids and coordinates (all three simulated).
Not here: how a source writes them; see directus.py and scrapers.py.
"""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import noise, words
from .places import City, Pair, Place, cities, pairs
from .seeds import new_uuid, rng

SHARED_HOSTS = (
    "facebook.",
    "instagram.",
    "wixsite.",
    "linktr.ee",
    "booking.",
    "twitter.",
    "foursquare.",
    "goo.gl",
)
PLACE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"
NIGHTLIFE = ("bar", "club", "theat", "music", "concert", "cultur", "circus", "lounge", "pub", "beer")
HOSPITALITY = (
    "restaurant",
    "hotel",
    "cafe",
    "café",
    "lodging",
    "dining",
    "accommodation",
    "breakfast",
    "garden",
)

# Practices, parishes and offices are venues of the data set too, but nobody sells tickets for them;
# nor for the branches of a chain.
NEVER = (
    "doctor",
    "dent",
    "health",
    "medic",
    "hospital",
    "physician",
    "psycholog",
    "clinic",
    "veterin",
    "pharmacy",
    "emergency",
    "lawyer",
    "notary",
    "church",
    "religio",
    "spiritual",
    "school",
    "college",
    "government",
    "town_hall",
    "residential",
    "apartment",
    "property",
    "police",
)


@dataclass(frozen=True, slots=True)
class Venue:
    """A true venue; `base` is the published record Directus took, `other` the one a scraper found."""

    key: str
    number: int
    name: str
    city: City
    address: str
    lat: float
    lng: float
    category: str
    capacity: int
    pull: float
    handle: str
    old_handle: str | None
    parent_handle: str | None
    place_id: str
    domain: str
    phone: str
    directus_id: str | None
    base: Place | None
    other: Place | None


def true_venues(branches: int) -> list[Venue]:
    """Return the venues; every branch beyond the first repeats the places in another neighbourhood."""
    taken: set[str] = set()
    venues: list[Venue] = []
    for branch in range(branches):
        for pair in pairs():
            for base, other in _sides(pair):
                venues.append(_venue(len(venues), branch, base, other, taken))
    return venues


def slug(name: str) -> str:
    """Return the name as it would stand in a handle or a domain."""
    return re.sub(r"[^a-z0-9]", "", noise.fold(name))[:22] or "lugar"


def place_id(*parts: object) -> str:
    """Return a simulated Google Places id: 27 characters, `ChIJ` first."""
    return "ChIJ" + "".join(rng("place", *parts).choices(PLACE_ALPHABET, k=23))


def mobile(country: str, *parts: object) -> str:
    """Return a simulated mobile number in E.164."""
    heads = {
        "MX": "55",
        "BR": "119",
        "CO": "30",
        "AR": "911",
        "CL": "9",
        "BO": "7",
        "HN": "9",
        "PA": "6",
        "PR": "787",
    }
    lengths = {"MX": 10, "BR": 11, "CO": 10, "AR": 11, "CL": 9, "BO": 8, "HN": 8, "PA": 8, "PR": 10}
    head, dice = heads.get(country, "8"), rng("phone", *parts)
    rest = lengths.get(country, 7) - len(head)
    first = dice.choice("23456789")
    return words.CALLING_CODES[country] + head + first + "".join(dice.choices("0123456789", k=rest - 1))


def _sides(pair: Pair) -> list[tuple[Place | None, Place | None]]:
    if pair.same:
        return [(pair.base, pair.other)]
    return [(pair.base, None), (None, pair.other)]


def _venue(number: int, branch: int, base: Place | None, other: Place | None, taken: set[str]) -> Venue:
    place = base or other
    assert place is not None  # noqa: S101 - every side of a pair has a record
    dice = rng("venue", branch, place.id, number)
    city = cities()[(place.country, place.city)]
    name = place.name if branch == 0 else f"{place.name} {words.NEIGHBOURHOODS[branch % 10]} {branch}"
    handle = _handle(name, city, taken)
    lat, lng = noise.shifted(city.lat, city.lng, dice.uniform(80, 2600), dice)
    chain = next((c for c in words.CHAINS if noise.fold(name).startswith(c)), None)
    grouped = dice.random() < 0.09
    category = _category(place.category)
    return Venue(
        key=f"venue-{number:05d}",
        number=number,
        name=name,
        city=city,
        address=_address(place, branch, dice.randint(10, 990)),
        lat=lat,
        lng=lng,
        category=category,
        capacity=dice.choice((60, 80, 120, 180, 250, 300, 450, 600, 900, 1500)),
        pull=0.0 if chain else city.pull * _charm(f"{place.category} {category}".lower()),
        handle=handle,
        old_handle=f"{handle[:24]}_old" if dice.random() < 0.2 else None,
        parent_handle=slug(chain) if chain else dice.choice(words.PARENTS) if grouped else None,
        place_id=place_id("venue", number),
        domain=_domain(place, handle) if branch == 0 else f"{handle.replace('.', '-').replace('_', '-')}.example",
        phone=mobile(city.country, "venue", number) if branch or not place.phone else place.phone,
        directus_id=new_uuid("directus/venues", number) if base else None,
        base=base,
        other=other,
    )


def _handle(name: str, city: City, taken: set[str]) -> str:
    handle = slug(name)
    for tail in (f".{slug(city.name)[:6]}", f"_{len(taken)}"):
        if handle in taken:
            handle = f"{slug(name)}{tail}"
    taken.add(handle)
    return handle


def _address(place: Place, branch: int, number: int) -> str:
    if place.address and branch == 0:
        return place.address
    street = {"BR": "Rua das Palmeiras", "CO": "Carrera 43A"}.get(place.country, "Calle Hidalgo")
    return f"{street} {number + branch}"


def _domain(place: Place, handle: str) -> str:
    host = (urlsplit(place.website or "").hostname or "").removeprefix("www.")
    if host and not any(shared in host for shared in SHARED_HOSTS):
        return host
    return f"{handle.replace('.', '-').replace('_', '-')}.example"


def _category(raw: str | None) -> str:
    return (raw or "venue").split(" > ")[-1].lower().replace(" ", "_")


def _charm(category: str) -> float:
    if any(word in category for word in NEVER):
        return 0.0
    if any(word in category for word in NIGHTLIFE):
        return 6.0
    return 3.0 if any(word in category for word in HOSPITALITY) else 0.5
