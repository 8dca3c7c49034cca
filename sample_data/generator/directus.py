"""Directus collections of what the world is made of: venues, artists, events, brands.

Here: items as /items returns them. The editorial and reference collections are in editorial.py.
"""

import random
from datetime import datetime, timedelta

from . import noise, texts
from .cast import Artist, Brand
from .clock import start_text
from .nights import Night
from .seeds import END, START, iso, moment, new_uuid, rng
from .sightings import sighting
from .truth import Truth
from .venues import Venue
from .world import World
from .writers import Exports

UPDATED = 0.4  # the rest never changed since they were made: date_updated is null


def write_directus(world: World, exports: Exports, truth: Truth) -> None:
    """Write venues, artists, brands and events."""
    for venue in world.known_venues:
        exports.write("directus/venues", venue_item(venue, world))
        truth.record(f"directus/venues/{venue.directus_id}", "venue", venue.key)
    for artist in world.artists:
        if artist.directus_id:
            exports.write("directus/artists", _artist(artist, world))
            truth.record(f"directus/artists/{artist.directus_id}", "artist", artist.key)
    for brand in world.brands:
        exports.write("directus/brands", _brand(brand, world))
        truth.record(f"directus/brands/{brand.directus_id}", "brand", brand.key)
    for night in world.nights():
        if night.directus_id:
            _event(night, exports)
            truth.record(f"directus/events/{night.directus_id}", "event", night.key)
    _broken(exports)


def stamps(dice: random.Random, first: datetime = START, last: datetime = END) -> dict[str, str | None]:
    """Return date_created and date_updated, both within the ninety days."""
    created = moment(dice, first, last - timedelta(days=2))
    updated = moment(dice, created, last) if dice.random() < UPDATED else None
    return {"date_created": iso(created), "date_updated": iso(updated) if updated else None}


def venue_item(venue: Venue, world: World) -> dict[str, object]:
    """Return the item of a venue, noise included."""
    dice = rng("directus", "venue", venue.number)
    seen = sighting(venue, venue.base, dice)
    return {
        "id": venue.directus_id,
        "status": _status(dice),
        "name": seen.name,
        "address": seen.address,
        "city": seen.city,
        "country": venue.city.country,
        "latitude": seen.lat,
        "longitude": seen.lng,
        "website": seen.website,
        "instagram": seen.instagram,
        "phone": seen.phone,
        "google_place_id": seen.place_id,
        "capacity": dice.choice((venue.capacity, venue.capacity, str(venue.capacity), None)),
        "category": venue.category,
        "manager_email": _manager(world, dice, 0.4),
        **stamps(dice, START, START + timedelta(days=60)),
    }


def _artist(artist: Artist, world: World) -> dict[str, object]:
    dice = rng("directus", "artist", artist.number)
    wrong = dice.random() < 0.12
    return {
        "id": artist.directus_id,
        "status": _status(dice),
        "name": noise.other_name(artist.name, dice) if wrong else noise.other_case(artist.name, dice),
        "instagram": None if dice.random() < 0.25 else noise.instagram(artist.handle, dice),
        "website": None if dice.random() < 0.7 else noise.website(artist.domain, dice),
        "genres": list(artist.genres),
        "country": artist.city.country,
        "bio": texts.biography(artist, dice),
        "manager_email": _manager(world, dice, 0.3),
        **stamps(dice),
    }


def _brand(brand: Brand, world: World) -> dict[str, object]:
    dice = rng("directus", "brand", brand.number)
    return {
        "id": brand.directus_id,
        "status": "published",
        "name": brand.name,
        "instagram": None if brand.number % 5 == 4 else noise.instagram(brand.handle, dice),
        "website": None if brand.number % 3 == 2 else noise.website(brand.domain, dice),
        "owner_email": world.person(brand.number * 10 + 9).email if brand.number % 4 else None,
        **stamps(dice),
    }


def _event(night: Night, exports: Exports) -> None:
    dice = rng("directus", "event", night.number)
    item = _event_item(night, dice)
    if night.told_first:
        # The organizer moved it: Directus knows, the scrapers looked before and do not.
        item["date_updated"] = iso(moment(dice, last_look(night), END))
    exports.write("directus/events", item)
    if night.number % 97 == 3:
        # An older version arrives after the newer one; it must not win.
        late = {**item, "name": f"{night.name} (por confirmar)", "date_updated": None}
        exports.write("directus/events", late)


def _event_item(night: Night, dice: random.Random) -> dict[str, object]:
    scraped = dice.random() < 0.3 and bool(night.providers)
    return {
        "id": night.directus_id,
        "status": _status(dice),
        "name": noise.other_case(night.name, dice),
        "description": texts.describe(night, dice) if dice.random() < 0.9 else None,
        "date_start": start_text(night.starts, dice),
        "date_end": night.ends.isoformat(timespec="seconds") if dice.random() < 0.6 else None,
        "venue": night.venue.directus_id,
        "artists": [{"artists_id": artist.directus_id} for artist in night.artists if artist.directus_id],
        "organizer_name": night.organizer.name,
        "organizer_instagram": _maybe(0.6, noise.instagram(night.organizer.handle, dice), dice),
        "organizer_website": _maybe(0.5, noise.website(night.organizer.domain, dice), dice),
        "genres": list(night.genres),
        "ticket_url": f"https://entradas.example/e/{night.number}",
        "price_min": noise.price(night.price, dice),
        "price_max": noise.price(night.price * 2, dice) if dice.random() < 0.5 else None,
        "currency": night.currency,
        "source": night.providers[0] if scraped else "editorial",
        "source_url": listing_url(night, night.providers[0]) if scraped else None,
        "date_created": iso(night.announced),
        "date_updated": iso(moment(dice, night.announced, END)) if dice.random() < UPDATED else None,
    }


def last_look(night: Night) -> datetime:
    """Return the time by which every scraper has seen the event for the last time."""
    return min(END - timedelta(hours=2), night.announced + timedelta(days=20))


def listing_url(night: Night, provider: str) -> str:
    """Return the page on which a provider lists the event."""
    return f"https://{provider.replace('_', '-')}.example/events/{night.number}"


def _maybe(chance: float, value: str, dice: random.Random) -> str | None:
    return value if dice.random() < chance else None


def _status(dice: random.Random) -> str:
    return dice.choices(("published", "draft", "archived"), (90, 5, 5))[0]


def _manager(world: World, dice: random.Random, chance: float) -> str | None:
    if dice.random() >= chance:
        return None
    # Managers are people of the trade: those the CRM holds.
    return world.person(dice.randrange(world.people_count // 10) * 10 + 9).email


def _broken(exports: Exports) -> None:
    dice = rng("directus", "broken")
    when = {"date_created": iso(moment(dice)), "date_updated": None}
    exports.write("directus/venues", {"status": "draft", "name": "Sin identificador", "city": "Medellín", **when})
    exports.write(
        "directus/venues",
        {
            "id": new_uuid("bad", 1),
            "status": "draft",
            "name": "Coordenadas en letras",
            "city": "Lima",
            "country": "PE",
            "latitude": "abc",
            "longitude": "-77,03",
            **when,
        },
    )
    exports.write("directus/events", {"id": None, "name": "Evento sin id", "date_start": "2026-10-01", **when})
    exports.write(
        "directus/events",
        {
            "id": new_uuid("bad", 2),
            "status": "published",
            "name": "Fecha imposible",
            "date_start": "31/02/2026 25:00",
            "venue": None,
            "artists": [],
            "price_min": "consultar",
            **when,
        },
    )
    exports.write("directus/artists", {"id": new_uuid("bad", 3), "name": None, "genres": "salsa", **when})
    exports.raw("directus/events", '{"id":"' + new_uuid("bad", 4) + '","name":"Línea cortada a la mi')
    exports.raw("directus/artists", "<html><body>502 Bad Gateway</body></html>")
