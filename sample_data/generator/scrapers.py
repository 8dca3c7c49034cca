"""The landing zone: what n8n and Apify drop, a file a provider and month.

Here: venue_info, event_listings and artist_profiles with their noise.
Not here: Twenty's webhooks; see changes.py.
"""

import json
import random
from collections.abc import Mapping
from datetime import datetime

from . import noise, texts
from .cast import Artist
from .clock import start_text
from .directus import last_look, listing_url
from .nights import Night
from .places import Place
from .seeds import iso, moment, rng
from .sightings import sighting
from .truth import Truth
from .venues import Venue
from .words import CALLING_CODES, COUNTRY_NAMES, PROVIDERS
from .world import World
from .writers import Exports


class Landing:
    """Writes scraped rows into the file of their provider and month, and now and then spoils one."""

    def __init__(self, exports: Exports, truth: Truth) -> None:
        self._exports = exports
        self._truth = truth
        self._rows = 0

    def row(self, feed: str, entity_type: str, thing: str, at: datetime, row: Mapping[str, object]) -> None:
        """Write one row of a feed."""
        provider = str(row["provider"])
        path = f"landing/{feed}/{provider}/{at:%Y-%m}"
        full = {**row, "scraped_at": iso(at)}
        self._exports.write(path, full)
        self._truth.record(f"scraper/{feed}/{provider}:{row['external_id']}", entity_type, thing)
        self._rows += 1
        if self._rows % 150 == 0:
            self._exports.write(path, full)  # scrapers repeat themselves
        if self._rows % 400 == 0:
            self._exports.raw(path, json.dumps(full, ensure_ascii=False)[: 60 + self._rows % 50])
        if self._rows % 500 == 0:
            self._exports.write(path, {**full, "external_id": None})


def write_landing(world: World, exports: Exports, truth: Truth) -> None:
    """Write all feeds."""
    landing = Landing(exports, truth)
    for venue in world.venues:
        _venue(venue, landing)
    for artist in world.artists:
        _profiles(artist, landing)
    for night in world.nights():
        for provider in night.providers:
            _listing(night, provider, landing)


def _venue(venue: Venue, landing: Landing) -> None:
    dice = rng("scraped", "venue", venue.number)
    extra = dice.choice((0, 1, 1, 2, 2)) if venue.other else dice.choice((1, 1, 2, 2, 3))
    chosen = dice.sample(PROVIDERS, min(len(PROVIDERS), extra + bool(venue.other)))
    for position, provider in enumerate(chosen):
        published = venue.other if position == 0 else None
        at = moment(rng("scraped", venue.number, provider))
        landing.row("venue_info", "venue", venue.key, at, _venue_row(venue, provider, published))


def _venue_row(venue: Venue, provider: str, published: Place | None) -> dict[str, object]:
    dice = rng("scraped", "venue", venue.number, provider)
    seen = sighting(venue, published, dice)
    return {
        "provider": provider,
        "external_id": f"v{10_000 + venue.number * 7}",
        "name": seen.name,
        "address": seen.address,
        "city": published.locality if published else seen.city,
        "country": _country(venue.city.country, dice),
        "latitude": seen.lat if dice.random() > 0.15 or seen.lat is None else f"{seen.lat}",
        "longitude": seen.lng,
        "website": seen.website,
        "phone": seen.phone,
        "instagram": seen.instagram,
        "google_place_id": seen.place_id,
        "category": (published.category if published else None) or venue.category,
    }


def _profiles(artist: Artist, landing: Landing) -> None:
    dice = rng("scraped", "artist", artist.number)
    count = dice.choice((1, 1, 2, 2, 3)) if artist.number % 6 or not artist.directus_id else 0
    for provider in dice.sample(PROVIDERS, count):
        row = _profile(artist, provider, dice)
        landing.row("artist_profiles", "artist", artist.key, moment(dice), row)


def _profile(artist: Artist, provider: str, dice: random.Random) -> dict[str, object]:
    wrong = dice.random() < 0.25
    known = provider == "instagram" or dice.random() < 0.55
    return {
        "provider": provider,
        "external_id": f"a{20_000 + artist.number * 3}",
        "name": noise.other_name(artist.name, dice) if wrong else noise.other_case(artist.name, dice),
        "instagram": noise.instagram(artist.handle, dice) if known else None,
        "followers": dice.choice((dice.randint(300, 90_000), f"{dice.randint(2, 90)}k", None)),
        "genres": list(artist.genres) if dice.random() < 0.7 else None,
        "city": artist.city.name,
        "country": _country(artist.city.country, dice),
        "website": noise.website(artist.domain, dice) if dice.random() < 0.3 else None,
    }


def _listing(night: Night, provider: str, landing: Landing) -> None:
    dice = rng("scraped", "night", night.number, provider)
    starts = night.told_first or night.starts
    at = moment(dice, night.announced, last_look(night))
    row = _listing_row(night, provider, starts, dice)
    landing.row("event_listings", "event", night.key, at, row)


def _listing_row(night: Night, provider: str, starts: datetime, dice: random.Random) -> dict[str, object]:
    venue, organizer = night.venue, night.organizer
    artists = list(night.artists)
    dice.shuffle(artists)
    return {
        "provider": provider,
        "external_id": f"e{30_000 + night.number}",
        "title": _title(night, dice),
        "description": texts.describe(night, dice) if dice.random() < 0.6 else None,
        "venue_name": noise.other_name(venue.name, dice) if dice.random() < 0.1 else noise.other_case(venue.name, dice),
        "venue_address": venue.address if dice.random() < 0.6 else None,
        "city": venue.city.name,
        "country": _country(venue.city.country, dice),
        "starts_at": start_text(starts, dice),
        "ends_at": (starts + (night.ends - night.starts)).isoformat() if dice.random() < 0.4 else None,
        "timezone": venue.city.timezone if dice.random() < 0.5 else None,
        "artists": [noise.other_case(artist.name, dice) for artist in artists],
        "artist_instagrams": [noise.instagram(a.handle, dice) if dice.random() < 0.6 else None for a in artists],
        "organizer_name": organizer.name if dice.random() < 0.85 else None,
        "organizer_instagram": noise.instagram(organizer.handle, dice) if dice.random() < 0.5 else None,
        "ticket_url": f"https://entradas.example/e/{night.number}?ref={provider}",
        "price": noise.price(night.price, dice) if dice.random() < 0.99 else "consultar",
        "currency": night.currency,
        "genres": list(night.genres) if dice.random() < 0.8 else None,
        "url": listing_url(night, provider),
    }


def _title(night: Night, dice: random.Random) -> str:
    chance = dice.random()
    if chance < 0.08:
        return noise.typo(night.name, dice)
    if chance < 0.14:
        return f"{night.name} @ {night.venue.name}"
    return noise.other_case(night.name, dice)


def _country(code: str, dice: random.Random) -> str:
    assert code in CALLING_CODES  # noqa: S101 - every city lies in a known country
    return code if dice.random() < 0.6 else COUNTRY_NAMES[code]
