"""What may happen to a small world: steps for hypothesis; few records and few values, so that things collide.

What identity makes of it is told by `states.py`; what must hold is in `test_histories.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from hypothesis import strategies as st

from resources.errors import TerminalError
from sonik_assets.identity import decisions
from sonik_assets.identity.judgements import Decision
from sonik_assets.identity.matchers import in_use
from sonik_assets.identity.resolve import Options, Report, resolve
from tests.identity.conftest import World

START = datetime(2026, 3, 1, tzinfo=UTC)
BY = "ana"

_PLACES = [("Lima", "PE"), ("Cusco", "PE"), ("Bogotá", "CO")]
_POINTS = [(-12.05, -77.04), (-12.0501, -77.04), (-12.30, -77.04), (None, None)]
_HANDLES = [None, "@nebula", "instagram.com/Roma/", "@kiosk"]
_SITES = [None, "https://nebula.pe", "roma.com.pe/x", "linktr.ee/nebula"]
_LISTING = ("scraper/event_listings/ra:1", "scraper/event_listings/so:1")
_EVENTS = ("directus/events/1", "directus/events/2", *_LISTING)
_VENUES = ("directus/venues/1", "directus/venues/2", "scraper/venue_info/ra:1", "scraper/venue_info/so:1")
_NAMED = tuple(ref.replace("/event_listings/", "/event_listings.venue/") for ref in _LISTING)

_CITY = {"place": _PLACES}
"""City and country go together."""
_SAID: Mapping[str, Mapping[str, list[Any]]] = {
    "venue": {
        **_CITY, "point": _POINTS, "instagram": _HANDLES, "google_place_id": [None, "P1", "P2"],
        "name": ["Bar Nébula", "Nebula Bar", "Teatro Roma", "El Kiosko", "Sala X"],
        "address": [None, "Av. Sol 12"],
    },
    "organization": {
        **_CITY, "instagram": _HANDLES, "website": _SITES, "google_place_id": [None, "P1", "P2"],
        "name": ["Nébula SA", "Nebula", "Roma Producciones", "Kiosk Inc."],
    },
    "artist": {"name": ["Juanes", "DJ Roma", "Rosalía", "Rosalia"], "instagram": _HANDLES, "website": _SITES},
    "brand": {"name": ["Kiosk", "Roma", "Nebula"], "instagram": _HANDLES, "website": _SITES},
    "person": {
        "name": ["Ana Paz", "Ana Paz Ruiz", "Bo Li"], "email": [None, "ana@mail.com", "Bo@acme.pe"],
        "instagram": _HANDLES, "phone": [None, "+51 999 111 222"],
    },
    "event": {
        "name": ["Juanes en vivo", "JUANES", "Juanes - Early Show", "Fiesta Roma", "Rosalía"],
        "venue": [None, *_VENUES[:3], *_NAMED],
        "starts_at_text": ["2026-03-06T21:00:00", "2026-03-07T01:30:00", "2026-03-07T21:00:00", "2026-03-06"],
        "url": [None, "https://ra.co/events/1", "https://ra.co/events/2"],
        "ticket_url": [None, "https://tix.pe/e/1", "https://tix.pe/e/2"],
    },
}  # fmt: skip
_KINDS = {
    **dict.fromkeys((*_VENUES, *_NAMED), "venue"),
    **dict.fromkeys(("twenty/companies/1", "twenty/companies/2"), "organization"),
    **dict.fromkeys(("directus/events.organizer/1", "directus/events.organizer/2"), "organization"),
    **dict.fromkeys(("scraper/event_listings.organizer/ra:1", "scraper/event_listings.organizer/so:1"), "organization"),
    **dict.fromkeys(("directus/artists/1", "directus/artists/2", "scraper/artist_profiles/ra:1"), "artist"),
    **dict.fromkeys(("scraper/event_listings.artists/ra:1#1", "scraper/event_listings.artists/so:1#1"), "artist"),
    **dict.fromkeys(("directus/brands/1", "directus/brands/2"), "brand"),
    **dict.fromkeys(("mongo/users/u1", "mongo/users/u2", "twenty/people/1", "twenty/people/2"), "person"),
    **dict.fromkeys(_EVENTS, "event"),
}
_ALIASED = {
    "google_places_id": ("P1", "P2"),
    "instagram_url": ("nebula", "roma", "kiosk"),
    "domain": ("nebula.pe", "roma.com.pe"),
    "email": ("ana@mail.com", "bo@acme.pe"),
}


@dataclass(frozen=True)
class Put:
    """A record comes, comes back or changes: it says these values, and what else it said before."""

    ref: str
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Delete:
    """A record and all that is named inside it are gone."""

    ref: str


@dataclass(frozen=True)
class Judge:
    """A person judges two records."""

    left: str
    right: str
    judgement: str


@dataclass(frozen=True)
class Merge:
    """A person makes the entities of two records one."""

    left: str
    right: str


@dataclass(frozen=True)
class Split:
    """A person takes a record out of its entity."""

    ref: str


@dataclass(frozen=True)
class Alias:
    """A person says that one value stands for another, or (`undone`) takes that back."""

    scheme: str
    value: str
    of: str
    undone: bool


@dataclass(frozen=True)
class Run:
    """An incremental run."""


type Step = Put | Delete | Judge | Merge | Split | Alias | Run


_TOGETHER = [
    ("venue", "event"),
    ("venue", "organization"),
    ("organization", "artist", "brand"),
    ("person", "artist"),
    tuple(_SAID),
]
"""Types that one history is of: the fewer, the more their records collide."""


def histories() -> st.SearchStrategy[list[Step]]:
    """Return histories: a world of some records, and then what happens to it.

    Each is drawn anew: hypothesis would vary one history for long, and its kind of shrinking takes hours of runs.
    """
    return st.randoms(use_true_random=True).map(_history)


def _history(random: Random) -> list[Step]:
    kinds = random.choice(_TOGETHER)
    refs = [ref for ref in _KINDS if _KINDS[ref] in kinds]
    first = [_put(random, refs) for _ in range(random.randint(len(refs) // 2, 2 * len(refs)))]
    return [*first, Run(), *(_step(random, refs) for _ in range(random.randint(3, 14)))]


def _step(random: Random, refs: Sequence[str]) -> Step:
    pairs = [(a, b) for a in refs for b in refs if a < b and _KINDS[a] == _KINDS[b]]
    scheme = random.choice([*_ALIASED])
    steps: dict[Callable[[], Step], int] = {
        lambda: _put(random, refs): 8,
        Run: 4,
        lambda: Delete(random.choice(refs)): 2,
        lambda: Judge(*random.choice(pairs), random.choice(["same", "different", "unsure"])): 3,
        lambda: Merge(*random.choice(pairs)): 2,
        lambda: Split(random.choice(refs)): 2,
        lambda: Alias(scheme, *random.sample(_ALIASED[scheme], 2), random.random() < 0.3): 1,
    }
    (made,) = random.choices([*steps], [*steps.values()])
    return made()


def _put(random: Random, refs: Sequence[str]) -> Put:
    ref = random.choice(refs)
    said = {name: random.choice(values) for name, values in _SAID[_KINDS[ref]].items() if random.random() < 0.55}
    return Put(ref, said)


def shortened(history: Sequence[Step], fails: Callable[[Sequence[Step]], bool], tries: int = 60) -> list[Step]:
    """Return a part of a history that fails still, found in so many tries."""
    found, size = list(history), max(1, len(history) // 2)
    start = 0
    while tries and size:
        part = found[:start] + found[start + size :]
        tries -= 1
        if fails(part):
            found = part
        else:
            start += size
        if start >= len(found):
            start, size = 0, size // 2
    return found


@dataclass
class Story:
    """A world and what its records said; each step is a minute of the sources' clock."""

    world: World
    said: dict[str, dict[str, Any]] = field(default_factory=dict)
    live: set[str] = field(default_factory=set)
    minutes: int = 0
    has_run: bool = False
    is_settled: bool = False
    """Nothing has changed since the last run."""

    @property
    def is_at_gone_venue(self) -> bool:
        """An event is at a venue that no source has today: it keeps the key it had while there was one."""
        return any(self.said[ref].get("venue") in self.said.keys() - self.live for ref in self.live)

    def take(self, step: Step) -> None:
        """Let a step happen; a person may ask for what is refused."""
        self.minutes += 1
        if isinstance(step, Put):
            self._put(step)
        elif isinstance(step, Delete):
            self._delete(step.ref)
        elif not isinstance(step, Run):
            self._decide(step)
        elif any(_KINDS[ref] != "event" for ref in self.live):  # Empty sources are refused: another test's.
            self.resolve()

    def resolve(self, *, full: bool = False) -> Report:
        """Run resolution."""
        self.has_run = self.is_settled = True
        # None are made on the way: those in use are there from the beginning.
        used = in_use(self.world.connection, tuple(_SAID))
        return resolve(self.world.connection, options=Options(full=full, matchers=used))

    def _put(self, step: Put) -> None:
        kind = _KINDS[step.ref]
        said = self.said.setdefault(step.ref, {"name": _SAID[kind]["name"][0], **_beginning(step.ref, kind)})
        for name, value in step.values.items():
            parts = {"place": ("city", "country"), "point": ("latitude", "longitude")}.get(name)
            said.update(zip(parts, value, strict=True) if parts else [(name, value)])
        self.live.add(step.ref)
        self.is_settled = False
        at = {"updated_at": START + timedelta(minutes=self.minutes)}
        if kind == "event":
            self.world.event(step.ref, **{**said, "venue": said.get("venue") or "//"}, **at)
        else:
            self.world.mention(step.ref, kind, embedded="." in step.ref.split("/")[1], **said, **at)

    def _delete(self, ref: str) -> None:
        origin, table, record = ref.split("/")
        self.is_settled = self.is_settled and ref not in self.live
        for other in sorted(self.live):
            source, inside, number = other.split("/")
            named = (source, inside.partition(".")[0], number.partition("#")[0])
            if other == ref or (named == (origin, table, record) and inside != table):
                self.world.delete(other)
                self.live.discard(other)

    def _decide(self, step: Judge | Merge | Split | Alias) -> None:
        connection = self.world.connection
        if not self.has_run:
            return
        try:
            if isinstance(step, Judge):
                decisions.judge(connection, Decision(step.left, step.right, step.judgement), BY)
            elif isinstance(step, Merge):
                decisions.merge(connection, str(self._entity(step.left)), str(self._entity(step.right)), BY)
            elif isinstance(step, Split):
                decisions.split(connection, str(self._entity(step.ref)), [step.ref], BY)
            elif step.undone:
                decisions.unalias(connection, step.scheme, step.value, step.of, BY)
            else:
                decisions.alias(connection, step.scheme, step.value, step.of, BY)
        except TerminalError:
            return

    def _entity(self, ref: str) -> str:
        found = self.world.id(ref)
        if found is None:
            raise TerminalError(f"{ref} is nothing")
        return found


def _beginning(ref: str, kind: str) -> dict[str, Any]:
    if kind == "event":
        listed = ref.replace("/event_listings/", "/event_listings.venue/")
        return {"starts_at_text": "2026-03-06T21:00:00", "country": "PE", "venue": listed if listed in _NAMED else None}
    if kind == "person":
        record = ref.rpartition("/")[2]
        return {"user_id": record if ref.startswith("mongo/") else None}
    return {} if kind == "brand" else {"city": "Lima", "country": "PE"}
