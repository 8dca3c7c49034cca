"""Artists, organizers and brands of the simulated world.

Here: the true things and their identities, all invented. Not here: how a source writes them.
"""

from dataclasses import dataclass

from . import words
from .places import City
from .seeds import new_uuid, rng
from .venues import Venue, slug

ARTISTS = 212
ORGANIZERS = 86


@dataclass(frozen=True, slots=True)
class Artist:
    """A true artist; `directus_id` is None for the one in fifteen that only scrapers know."""

    key: str
    number: int
    name: str
    handle: str
    domain: str
    genres: tuple[str, ...]
    city: City
    directus_id: str | None


@dataclass(frozen=True, slots=True)
class Organizer:
    """A true organization that puts on nights; some are the club itself, with its handle."""

    key: str
    number: int
    name: str
    handle: str
    domain: str
    city: City
    company_id: str
    venue: Venue | None


@dataclass(frozen=True, slots=True)
class Brand:
    """A true brand that sponsors nights."""

    key: str
    number: int
    name: str
    handle: str
    domain: str
    directus_id: str


def true_artists(branches: int, venues: list[Venue]) -> list[Artist]:
    """Return the artists, each with its own name except for a few who share one."""
    names = _names("artist", words.ARTIST_FORMS, ARTISTS * branches)
    names[7] = names[3]  # two artists of one name in different cities, as in life
    names[58] = names[21]
    return [_artist(number, name, venues) for number, name in enumerate(names)]


def true_organizers(branches: int, venues: list[Venue]) -> list[Organizer]:
    """Return the organizers; one in eight is a venue promoting itself."""
    names = _names("organizer", words.ORGANIZER_FORMS, ORGANIZERS * branches)
    return [_organizer(number, name, venues) for number, name in enumerate(names)]


def true_brands() -> list[Brand]:
    """Return the brands."""
    return [
        Brand(
            f"brand-{i:03d}",
            i,
            name,
            f"{slug(name)}.oficial",
            f"{slug(name)}.example",
            new_uuid("directus/brands", i),
        )
        for i, name in enumerate(words.BRANDS)
    ]


def _names(kind: str, forms: tuple[str, ...], count: int) -> list[str]:
    names: dict[str, None] = {}
    attempt = 0
    while len(names) < count:
        dice = rng("name", kind, attempt)
        head, other = dice.sample(words.ARTIST_HEADS, 2)
        name = dice.choice(forms).format(h=head, t=dice.choice(words.ARTIST_TAILS), h2=other)
        # The lists of words end some day; a number goes on for ever.
        names[name if attempt < count * 4 else f"{name} {attempt}"] = None
        attempt += 1
    return list(names)


def _artist(number: int, name: str, venues: list[Venue]) -> Artist:
    dice = rng("artist", number)
    handle = f"{slug(name)}{dice.choice(('', 'musica', '.oficial', '_live'))}"
    return Artist(
        key=f"artist-{number:05d}",
        number=number,
        name=name,
        handle=handle if number not in (7, 58) else f"{handle}_{number}",
        domain=f"{slug(name)}-{number}.example",
        genres=tuple(dice.sample(words.GENRES, dice.choice((1, 1, 2, 3)))),
        city=dice.choice(venues).city,
        directus_id=new_uuid("directus/artists", number) if number % 15 != 14 else None,
    )


def _organizer(number: int, name: str, venues: list[Venue]) -> Organizer:
    dice = rng("organizer", number)
    venue = dice.choices(venues, [v.pull for v in venues])[0] if number % 8 == 5 else None
    handle = slug(name) + dice.choice(("", "oficial", ".mx", "_co"))
    return Organizer(
        key=f"organization-{number:05d}",
        number=number,
        name=venue.name if venue else name,
        handle=venue.handle if venue and number % 16 == 5 else handle,
        domain=f"{slug(name)}-{number}.example",
        city=venue.city if venue else dice.choices(venues, [v.pull for v in venues])[0].city,
        company_id=new_uuid("twenty/companies", number),
        venue=venue,
    )
