"""The true events: derived from their number and the venues, artists and organizers of the world.

Here: what is on, where, when, with whom, and whether it was moved or played twice in one evening.
Not here: which source tells it how; see directus.py and scrapers.py.
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from . import words
from .cast import Artist, Organizer
from .seeds import END, START, moment, new_uuid, rng
from .venues import Venue

FIRST_NIGHT = date(2026, 8, 25)
LAST_NIGHT = date(2027, 1, 31)
NIGHTS = (LAST_NIGHT - FIRST_NIGHT).days + 1
TWICE = 40  # every fortieth event is played again later the same evening


@dataclass(frozen=True, slots=True)
class Night:
    """A true event, in the venue's zone; `told_first` is the start before it was moved."""

    key: str
    number: int
    name: str
    venue: Venue
    organizer: Organizer
    artists: tuple[Artist, ...]
    genres: tuple[str, ...]
    starts: datetime
    ends: datetime
    evening: date
    told_first: datetime | None
    announced: datetime
    price: float
    currency: str
    directus_id: str | None
    providers: tuple[str, ...]


class Programme:
    """All nights, each made when asked for."""

    def __init__(self, venues: list[Venue], artists: list[Artist], organizers: list[Organizer]) -> None:
        self._venues, self._artists, self._organizers = venues, artists, organizers
        self._pulls = list(accumulate(venue.pull for venue in venues))

    def night(self, number: int) -> Night:
        """Return the night of that number."""
        again = number % TWICE == 1
        dice = rng("night", number - 1 if again else number)
        venue = dice.choices(self._venues, cum_weights=self._pulls)[0]
        artists = tuple(dice.sample(self._artists, dice.choice((1, 1, 2, 3))))
        name = _title(dice.random(), dice.randrange(10_000), artists)
        twice = again or number % TWICE == 0
        evening = _evening(dice.random(), dice.randrange(7))
        hour = _hour(dice.random(), dice.choice((18, 19, 20, 20, 21, 21, 22, 23)), twice=twice, again=again)
        starts = _at(evening, hour, ZoneInfo(venue.city.timezone))
        moved = dice.random() < 0.24 and not twice and venue.directus_id is not None
        currency = words.CURRENCIES[venue.city.country]
        own = rng("telling", number)
        sources = _sources(own.random(), known=venue.directus_id is not None, moved=moved)
        return Night(
            key=f"event-{number:06d}",
            number=number,
            name=f"{name} - {'Late' if again else 'Early'} Show" if twice else name,
            venue=venue,
            organizer=dice.choice(self._organizers),
            artists=artists,
            genres=artists[0].genres[:2],
            starts=starts,
            ends=starts + timedelta(hours=own.choice((2, 3, 4, 5))),
            evening=evening,
            told_first=starts - timedelta(days=own.choice((1, 2, 7, 14))) if moved else None,
            announced=_announced(own.random(), starts),
            price=round(words.PRICE_BASE[currency] * own.choice((0.5, 0.8, 1, 1, 1.5, 2.2)), 2),
            currency=currency,
            directus_id=new_uuid("directus/events", number) if sources[0] else None,
            providers=tuple(own.sample(words.PROVIDERS, sources[1])),
        )


def _title(kind: float, pick: int, artists: tuple[Artist, ...]) -> str:
    head = words.NIGHT_HEADS[pick % len(words.NIGHT_HEADS)]
    tail = words.NIGHT_TAILS[pick // 37 % len(words.NIGHT_TAILS)]
    if kind < 0.35:
        return f"{artists[0].name} en vivo"
    if kind < 0.55:
        return f"{head} {tail}: {artists[0].genres[0]}"
    if kind < 0.75:
        return f"{head} {tail} con {artists[0].name}"
    return f"{head} {tail}"


def _evening(spread: float, weekday: int) -> date:
    day = FIRST_NIGHT + timedelta(days=int(spread * NIGHTS))
    # Most nights are Thursdays to Saturdays: the others move on to the next of them.
    wait = (3 + weekday % 3 - day.weekday()) % 7 if weekday else 0
    return min(day + timedelta(days=wait), LAST_NIGHT)


def _hour(chance: float, usual: float, *, twice: bool, again: bool) -> float:
    if twice:
        return 22.5 if again else 19.0
    return 25.5 if chance < 0.12 else usual


def _at(evening: date, hour: float, zone: ZoneInfo) -> datetime:
    midnight = datetime.combine(evening, time(), zone)
    # Wall-clock arithmetic: 25.5 is half past one on the calendar day after the evening.
    return midnight + timedelta(hours=hour)


def _announced(chance: float, starts: datetime) -> datetime:
    last = min(END, starts - timedelta(hours=20))
    first = max(START, last - timedelta(days=75))
    return moment(rng("announced", chance, starts.isoformat()), first, max(first, last))


def _sources(chance: float, *, known: bool, moved: bool) -> tuple[bool, int]:
    """Return whether Directus has it, and how many scrapers found it: together one to five."""
    if not known:
        return False, 1 if chance < 0.5 else 2
    if moved:
        return True, 1 if chance < 0.7 else 2
    if chance < 0.25:
        return True, 0
    if chance < 0.35:
        return False, 1
    return True, 1 if chance < 0.65 else 2 if chance < 0.88 else 3 if chance < 0.96 else 4
