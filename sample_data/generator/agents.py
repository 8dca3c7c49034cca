"""What agents asked and remembered, and who claimed which profile.

Here: agent/sessions and claims. The questions and how often they are asked also warm the cache.
"""

import random
from datetime import datetime, timedelta

from .seeds import END, START, iso, moment, rng
from .words import MEMORIES, QUESTIONS
from .world import World
from .writers import Exports

METHODS = ("email", "phone", "instagram_dm")
SESSIONS = 140


def write_agents(world: World, exports: Exports) -> None:
    """Write the sessions."""
    for number in range(SESSIONS):
        dice = rng("session", number)
        at = moment(dice, START, END - timedelta(hours=2))
        for _ in range(dice.choice((1, 2, 3, 4))):
            at += timedelta(seconds=dice.randint(5, 400))
            _ask(f"session-{number:04d}", at, world, exports, dice)
        if dice.random() < 0.4:
            _say(exports, f"session-{number:04d}", at, "memory", text=dice.choice(MEMORIES))


def write_claims(world: World, exports: Exports) -> None:
    """Write the claims: asked, most of them verified, a few refused again."""
    venues = [f"directus/venues/{venue.directus_id}" for venue in world.known_venues[::4]]
    companies = [f"twenty/companies/{organizer.company_id}" for organizer in world.organizers[::4]]
    brands = [f"directus/brands/{brand.directus_id}" for brand in world.brands[::2]]
    artists = [f"directus/artists/{a.directus_id}" for a in world.artists[::8] if a.directus_id]
    for number, ref in enumerate(venues + companies + brands + artists):
        _claim(number, ref, world, exports)


def _ask(session: str, at: datetime, world: World, exports: Exports, dice: random.Random) -> None:
    # Few questions are asked often and many seldom: the square pulls towards the head of the list.
    text = QUESTIONS[int(len(QUESTIONS) * dice.random() ** 2)]
    _say(exports, session, at, "query", text=text)
    for _ in range(dice.choice((0, 1, 1, 2))):
        label, ref = _reference(world, dice)
        _say(exports, session, at + timedelta(seconds=2), "traversal", graph="operations", label=label, id=ref)


def _reference(world: World, dice: random.Random) -> tuple[str, str]:
    kind = dice.random()
    if kind < 0.5:
        return "Venue", f"directus/venues/{dice.choice(world.known_venues).directus_id}"
    if kind < 0.8:
        known = [artist for artist in world.artists if artist.directus_id]
        return "Artist", f"directus/artists/{dice.choice(known).directus_id}"
    return "Organization", f"twenty/companies/{dice.choice(world.organizers).company_id}"


def _say(exports: Exports, session: str, at: datetime, kind: str, **values: str) -> None:
    row = {"text": None, "graph": None, "label": None, "id": None, **values}
    exports.write("agent/sessions", {"session": session, "at": iso(at), "kind": kind, **row})


def _claim(number: int, ref: str, world: World, exports: Exports) -> None:
    dice = rng("claim", number)
    claimant = world.person(dice.randrange(world.people_count // 10) * 10 + dice.randrange(9))
    asked = moment(dice, max(START, claimant.joined), END - timedelta(days=4))
    claim = {"entity_ref": ref, "user_id": claimant.user_id, "method": dice.choice(METHODS)}
    exports.write("claims", {**claim, "status": "pending", "at": iso(asked)})
    chance = dice.random()
    if chance < 0.85:
        decided = moment(dice, asked, min(END, asked + timedelta(days=4)))
        status = "claimed" if chance < 0.75 else "unclaimed"
        exports.write("claims", {**claim, "status": status, "at": iso(decided)})
