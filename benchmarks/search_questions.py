"""Questions as people ask them, in Spanish, Portuguese and English, each with the documents that answer it.

What is relevant follows from the rows of `unified` (names, line-ups, cities, genres, dates), never from what a search
returned. The same rows give the same questions. How a ranking is scored is in `search_quality.py`.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import polars as pl

from benchmarks import search_words as words
from sonik_assets.serving.question import folded

if TYPE_CHECKING:
    from psycopg import Connection

Row = dict[str, Any]
LANGUAGES = ("es", "pt", "en")
EACH = 8
"""Questions of each kind and language, where the rows give so many."""
LONGEST = 60
"""Things that more documents would answer than this are not asked for: any ten of them would do."""


@dataclass(frozen=True)
class Labelled:
    """A question, its filters as `search` takes them, and the grade (1 to 3) of each document that answers it."""

    text: str
    language: str
    about: str
    relevant: Mapping[str, int]
    filters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Facts:
    """Rows of `unified`: `things` are entities that are no events, `events` carry venue, city, line-up as ids."""

    things: pl.DataFrame
    events: pl.DataFrame
    articles: pl.DataFrame
    concepts: pl.DataFrame
    tongue: Mapping[str, str]
    """The language of each city, by its key."""

    def city_rows(self, frame: pl.DataFrame, language: str) -> pl.DataFrame:
        """Return the rows of cities of that language; English is asked of all of them."""
        keys = [key for key, spoken in self.tongue.items() if language in (spoken, "en")]
        return frame.filter(pl.col("city_key").is_in(keys))


THINGS = """
select e.id::text, e.entity_type as kind, btrim(e.name) as name, e.metadata->>'city' as city,
    e.metadata->>'country' as country, e.metadata->>'category' as category
from unified.entities as e where e.entity_type <> 'event' and e.name is not null
"""
EVENTS = """
select e.id::text, btrim(e.name) as name, coalesce(e.city, v.city) as city, e.local_date, e.genres,
    e.venue_id::text as venue, e.organizer_id::text as organizer,
    array(select x.artist_id::text from unified.event_artists as x where x.event_id = e.id) as artists
from unified.events as e left join unified.venues as v on v.id = e.venue_id where e.name is not null
"""
ARTICLES = "select id::text, title as name, city, body from unified.content where type = 'article'"
CONCEPTS = "select id::text, name from unified.concepts"
SCHEMAS: dict[str, dict[str, Any]] = {
    THINGS: dict.fromkeys(("id", "kind", "name", "city", "country", "category"), pl.String),
    EVENTS: dict.fromkeys(("id", "name", "city"), pl.String)
    | {"local_date": pl.Date, "genres": pl.List(pl.String), "venue": pl.String, "organizer": pl.String}
    | {"artists": pl.List(pl.String)},
    ARTICLES: dict.fromkeys(("id", "name", "city", "body"), pl.String),
    CONCEPTS: dict.fromkeys(("id", "name"), pl.String),
}


def questions(pg: "Connection[Any]") -> list[Labelled]:
    """Return the labelled questions over the rows of this database; no two of them alike."""
    facts = read(pg)
    seen: dict[tuple[str, str], Labelled] = {}
    for about, ask in ASKED.items():
        for language in LANGUAGES:
            found = (each for each in ask(facts, language, about) if each.relevant)
            for each, _ in zip(_new(found, seen), range(EACH), strict=False):
                seen[_alike(each)] = each
    return list(seen.values())


def read(pg: "Connection[Any]") -> Facts:
    """Read the rows that questions are made of."""
    frames = [_keyed(pl.DataFrame(pg.execute(sql).fetchall(), SCHEMAS[sql], orient="row")) for sql in SCHEMAS]
    things = frames[0]
    cities = things.filter(pl.col("kind") == "venue").group_by("city_key").agg(pl.col("country").mode().first())
    tongue = {
        key: "pt" if folded(country or "") in ("br", "brasil", "brazil") else "es"
        for key, country in cities.iter_rows()
        if key
    }
    return Facts(frames[0], frames[1], frames[2], frames[3], tongue)


def _new(found: Iterator[Labelled], seen: Mapping[tuple[str, str], Labelled]) -> Iterator[Labelled]:
    return (each for each in found if _alike(each) not in seen)


def _alike(each: Labelled) -> tuple[str, str]:
    return folded(each.text), repr(sorted(each.filters.items()))


def _keyed(frame: pl.DataFrame) -> pl.DataFrame:
    texts = [name for name in ("name", "city") if name in frame.columns]
    return frame.with_columns(pl.col(name).map_elements(folded, pl.String).alias(f"{name}_key") for name in texts)


def _some(frame: pl.DataFrame, salt: str) -> Iterator[Row]:
    """Yield the rows in an order that has nothing to do with what they say."""
    rows = frame.to_dicts()
    yield from sorted(rows, key=lambda row: hashlib.sha256(f"{salt}{row['id']}".encode()).digest())


def _said(language: str, about: str, number: int, **values: str) -> str:
    """Return the words of a question; each kind has several ways to ask, taken in turn."""
    ways = words.WAYS[about][language]
    return ways[number % len(ways)].format(**values)


def _ids(frame: pl.DataFrame, grade: int) -> dict[str, int]:
    return dict.fromkeys(frame["id"].to_list(), grade)


def _named(facts: Facts, key: str) -> dict[str, int]:
    """Return what has this name (3) and the events that it plays at, hosts or promotes (1)."""
    same = facts.things.filter(pl.col("name_key") == key)
    ids = same["id"].to_list()
    theirs = facts.events.filter(
        pl.col("venue").is_in(ids)
        | pl.col("organizer").is_in(ids)
        | (pl.col("artists").list.set_intersection(ids).list.len() > 0)
    )
    return _ids(theirs, 1) | _ids(facts.events.filter(pl.col("name_key") == key), 3) | _ids(same, 3)


def _plain(frame: pl.DataFrame) -> pl.DataFrame:
    """Return rows whose names have two words or more, letters only: what somebody could remember."""
    return frame.filter(
        pl.col("name_key").str.contains(r"^[a-z]{2,}( [a-z]{2,})+$"), pl.col("name_key").str.len_chars() > 9
    )


def names(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask for whole names, without their accents."""
    kinds = pl.col("kind").is_in(["venue", "artist", "organization", "brand", "person"])
    for number, row in enumerate(_alternating(_plain(facts.things.filter(kinds)), about + language)):
        text = _said(language, about, number, name=row["name_key"])
        yield Labelled(text, language, about, _named(facts, row["name_key"]))


def _alternating(things: pl.DataFrame, salt: str) -> Iterator[Row]:
    """Yield a thing of each kind in turn, or the rarer kinds would never be asked for."""
    kinds = [list(_some(part, salt)) for _, part in sorted(things.group_by("kind"), key=lambda group: str(group[0]))]
    for number in range(max(map(len, kinds), default=0)):
        yield from (rows[number] for rows in kinds if number < len(rows))


def misspelt(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask for names with a letter left out or two changed over."""
    for number, row in enumerate(_alternating(_plain(facts.things), about + language)):
        wrong = typo(row["name_key"], number)
        text = _said(language, about, number, name=wrong)
        if facts.things.filter(pl.col("name_key") == wrong).is_empty():
            yield Labelled(text, language, about, _named(facts, row["name_key"]))


def typo(name: str, number: int) -> str:
    """Return the name with its longest word misspelt: a letter dropped, or two changed over."""
    longest = max(name.split(), key=len)
    at = len(longest) // 2
    wrong = longest[:at] + longest[at + 1 :]
    if number % 2 and longest[at] != longest[at - 1]:
        wrong = longest[: at - 1] + longest[at] + longest[at - 1] + longest[at + 1 :]
    return name.replace(longest, wrong, 1)


def halves(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask for the first words of a long name: everything whose name holds those words is meant."""
    long = pl.col("name_key").str.count_matches(" ") >= 3
    for number, row in enumerate(_alternating(facts.things.filter(long, pl.col("kind") != "person"), about + language)):
        key = " ".join(row["name_key"].split()[:3])
        held = pl.col("name_key").str.contains(rf"\b{re.escape(key)}\b")
        meant = _ids(facts.events.filter(held), 1) | _ids(facts.things.filter(held), 3)
        if len(meant) <= LONGEST and re.fullmatch(r"[a-z ]{9,}", key):
            yield Labelled(_said(language, about, number, name=key), language, about, meant)


def artist_in_city(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask when an artist plays in a city."""
    artists = dict(facts.things.filter(pl.col("kind") == "artist").select("id", "name").iter_rows())
    playing = facts.city_rows(facts.events, language).filter(pl.col("artists").list.len() > 0)
    for number, row in enumerate(_some(playing, about + language)):
        artist = row["artists"][0]
        theirs = facts.events.filter(pl.col("artists").list.contains(artist))
        here = theirs.filter(pl.col("city_key") == row["city_key"])
        text = _said(language, about, number, name=artists.get(artist, ""), city=row["city"])
        if artist in artists and len(artists[artist]) > 7 and here.height <= LONGEST:
            yield Labelled(text, language, about, {artist: 1} | _ids(here, 3))


def genre_in_city(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask where to hear a kind of music in a city: its events, and the articles about just that."""
    for number, row in enumerate(_some(facts.city_rows(facts.events, language), about + language)):
        genre = (row["genres"] or [""])[-1]
        if not genre:
            continue
        here = pl.col("city_key") == row["city_key"]
        events = facts.events.filter(here, pl.col("genres").list.contains(genre))
        told = facts.articles.filter(here, pl.col("name").str.to_lowercase().str.contains(genre, literal=True))
        text = _said(language, about, number, genre=words.genre(genre, language), city=row["city"])
        yield Labelled(text, language, about, _ids(told, 3) | _ids(events, 3))


def night(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask for a kind of music on one night, which is a filter; the city is named, or a filter too."""
    for number, row in enumerate(_some(facts.city_rows(facts.events, language), about + language)):
        genre = (row["genres"] or [""])[0]
        same_night = facts.events.filter(pl.col("local_date") == row["local_date"])
        here = same_night.filter(pl.col("city_key") == row["city_key"])
        wanted = here.filter(pl.col("genres").list.contains(genre))
        filters = {"date_from": row["local_date"], "date_to": row["local_date"]}
        if number % 2:
            filters["city"] = row["city_key"]
        text = _said(language, about, number // 2 * 2, genre=words.genre(genre, language), city=row["city"])
        if genre:
            yield Labelled(text, language, about, _ids(wanted, 3), filters)


def day_in_words(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask what is on in a city on a day that the question names."""
    for number, row in enumerate(_some(facts.city_rows(facts.events, language), about + language)):
        on = facts.events.filter(pl.col("local_date") == row["local_date"], pl.col("city_key") == row["city_key"])
        day = words.day(row["local_date"], language)
        if on.height <= LONGEST:
            yield Labelled(_said(language, about, number, city=row["city"], day=day), language, about, _ids(on, 3))


def venues_of_city(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask for bars, hotels, restaurants of a city."""
    venues = facts.city_rows(facts.things.filter(pl.col("kind") == "venue"), language)
    known = venues.filter(pl.col("category").is_in(list(words.FAMILY_OF)))
    for number, row in enumerate(_some(known, about + language)):
        family = words.FAMILY_OF[row["category"]]
        same = known.filter(
            pl.col("city_key") == row["city_key"], pl.col("category").is_in(words.FAMILIES[family].categories)
        )
        text = _said(language, about, number, what=words.FAMILIES[family].said[language], city=row["city"])
        yield Labelled(text, language, about, _ids(same, 3))


def at_venue(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask what is on at a venue: all events there."""
    venues = _plain(facts.city_rows(facts.things.filter(pl.col("kind") == "venue"), language))
    for number, row in enumerate(_some(venues, about + language)):
        on = facts.events.filter(pl.col("venue") == row["id"])
        text = _said(language, about, number, name=row["name"], city=row["city"])
        if 0 < on.height <= LONGEST:
            yield Labelled(text, language, about, {row["id"]: 2} | _ids(on, 3))


def event_at_venue(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask for an event by its name and its venue; events of that name elsewhere are half an answer."""
    venues = dict(facts.things.filter(pl.col("kind") == "venue").select("id", "name").iter_rows())
    rows = _plain(facts.city_rows(facts.events, language)).filter(pl.col("venue").is_in(list(venues)))
    for number, row in enumerate(_some(rows, about + language)):
        same = facts.events.filter(pl.col("name_key") == row["name_key"])
        here = same.filter(pl.col("venue") == row["venue"])
        text = _said(language, about, number, name=row["name_key"], venue=venues[row["venue"]])
        if same.height <= LONGEST:
            yield Labelled(text, language, about, _ids(same, 1) | _ids(here, 3))


def articles(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask what was written about a kind of music in a city: in its title 3, in its text 2."""
    for number, row in enumerate(_some(facts.city_rows(facts.articles, language), about + language)):
        genre = next((each for each in words.GENRES if each in folded(row["name"])), None)
        if genre is None:
            continue
        here = facts.articles.filter(pl.col("city_key") == row["city_key"])
        titled = here.filter(pl.col("name").str.to_lowercase().str.contains(words.GENRES[genre]["es"], literal=True))
        told = here.filter(pl.col("body").str.to_lowercase().str.contains(words.GENRES[genre]["es"], literal=True))
        text = _said(language, about, number, genre=words.GENRES[genre][language], city=row["city"])
        filters = {"kind": "article"} if number % 2 else {}
        yield Labelled(text, language, about, _ids(told, 2) | _ids(titled, 3), filters)


def organizers(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask what an organizer puts on."""
    for number, row in enumerate(
        _some(_plain(facts.things.filter(pl.col("kind") == "organization")), about + language)
    ):
        same = facts.things.filter(pl.col("name_key") == row["name_key"], pl.col("kind") == "organization")
        theirs = facts.events.filter(pl.col("organizer").is_in(same["id"].to_list()))
        yield Labelled(
            _said(language, about, number, name=row["name"]), language, about, _ids(theirs, 2) | _ids(same, 3)
        )


def concepts(facts: Facts, language: str, about: str) -> Iterator[Labelled]:
    """Ask what a word of the business means."""
    for number, row in enumerate(_some(facts.concepts, about + language)):
        said = words.CONCEPTS.get(row["name"], {}).get(language)
        if said:
            yield Labelled(_said(language, about, number, name=said), language, about, {row["id"]: 3})


ASKED: dict[str, Callable[[Facts, str, str], Iterator[Labelled]]] = {
    "name": names,
    "misspelt name": misspelt,
    "half a name": halves,
    "artist in a city": artist_in_city,
    "genre in a city": genre_in_city,
    "night": night,
    "day in words": day_in_words,
    "venues of a city": venues_of_city,
    "at a venue": at_venue,
    "event at a venue": event_at_venue,
    "articles": articles,
    "organizer": organizers,
    "concept": concepts,
}
