"""A run that is killed (SIGKILL) at any statement leaves what was, or what shall be, and the next one ends the same.

Kills at random statements, before one or between it and what follows: `SONIK_CRASHES=40` takes more than the few of
the ordinary run. Somebody looks on through another connection all the while.
"""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from sonik_assets.identity import decisions
from sonik_assets.identity.checks import INVARIANTS
from sonik_assets.identity.judgements import Decision
from sonik_assets.identity.resolve import Options, resolve
from tests.identity.conftest import World
from tests.identity.states import state

CRASHES = int(os.environ.get("SONIK_CRASHES", "3"))
UNSEEN = {"every_record_in_one_entity"}
"""Not of a run that has yet to see what is new."""

DYING = """
import os, signal, sys
import psycopg
from resources.places import Place
from sonik_assets.identity.resolve import Options, resolve

url, last, when = sys.argv[1], int(sys.argv[2]), sys.argv[3]
count = 0

class Places:
    origin, keeps = "test", None
    def find(self, queries):
        return [[Place("P" + query.name[-1], query.name)] for query in queries]

def counted(name):
    original = getattr(psycopg.Cursor, name)
    def call(*args, **named):
        global count
        count += 1
        if count == last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = original(*args, **named)
        if count == last and when == "after":
            os.kill(os.getpid(), signal.SIGKILL)
        return done
    setattr(psycopg.Cursor, name, call)

counted("execute")
counted("copy")
with psycopg.connect(url, autocommit=True) as connection:
    resolve(connection, Places(), Options(matchers={}))
print(count)
"""


@contextmanager
def clone(endpoints: Endpoints, of: str) -> Iterator[str]:
    """Make a database like another one that nobody is connected to; return its URL."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(endpoints.postgres, autocommit=True) as connection:
        connection.execute(f"create database {name} template {of.partition('?')[0].rpartition('/')[2]}")
        try:
            yield with_database(endpoints.postgres, name)
        finally:
            connection.execute(f"drop database {name} with (force)")


def die(url: str, last: int, when: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", DYING, url, str(last), when], stdout=subprocess.PIPE, text=True)


def ids(url: str) -> dict[str, str]:
    with psycopg.connect(url) as connection:
        return dict(
            connection.execute(
                "select source || '/' || table_name || '/' || record_id, entity_id::text from identity.entity_map"
            )
        )


def look(connection: psycopg.Connection) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the state of identity and what breaks its invariants, both of one instant."""
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        queries = {name: query for name, (query, _) in INVARIANTS.items() if name not in UNSEEN}
        broken = {name: found for name, query in queries.items() if (found := connection.execute(query).fetchall())}
        return state(World(connection)), broken


class Onlooker(Thread):
    """Looks on until told to stop; keeps each state that differs from the one before."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url, self.done = url, Event()
        self.seen: list[dict[str, Any]] = []
        self.broken: list[dict[str, Any]] = []

    def run(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            while not self.done.wait(0.02):
                try:
                    self._look(connection)
                except psycopg.Error as error:
                    self.broken.append({"looking": str(error)})
                    return

    def _look(self, connection: psycopg.Connection) -> None:
        now, broken = look(connection)
        if not self.seen or self.seen[-1] != now:
            self.seen.append(now)
        if broken:
            self.broken.append(broken)


@contextmanager
def looked_on(url: str) -> Iterator[Onlooker]:
    onlooker = Onlooker(url)
    onlooker.start()
    try:
        yield onlooker
    finally:
        onlooker.done.set()
        onlooker.join()


@pytest.fixture
def changed(world: World) -> str:
    """Return the URL of a world that was resolved and then changed in every way; nobody is connected to it."""
    lima = {"city": "Lima", "country": "PE"}
    for ref, handle in (("directus/venues/1", "@a"), ("scraper/venue_info/ra:1", "@a"), ("directus/venues/2", "@b")):
        world.mention(ref, "venue", name="Bar Nébula", instagram=handle, **lima)
    world.mention("directus/venues/3", "venue", name="Teatro 7", **lima)
    world.mention("scraper/event_listings.venue/ra:1", "venue", embedded=True, name="teatro 7", **lima)
    for number in range(1, 5):
        world.mention(
            f"directus/artists/{number}",
            "artist",
            name=f"DJ {number}",
            instagram=f"@dj{number}" if number < 4 else None,
        )
    world.mention("mongo/users/u1", "person", name="Ana", email="ana@mail.com", user_id="u1")
    world.evidence("anon", "u1", "2026-02-10T00:00Z")
    night = {"name": "Juanes", "starts_at_text": "2026-03-06T21:00:00"}
    for number in range(1, 4):
        world.event(f"directus/events/{number}", venue=f"directus/venues/{number}", **night)
    world.event("scraper/event_listings/ra:1", venue="scraper/event_listings.venue/ra:1", **night)
    resolve(world.connection, options=Options(matchers={}))
    decisions.judge(world.connection, Decision("directus/artists/3", "directus/artists/4", "same"), "ana")
    # Merges, a split, a rename, one gone, one new, one that moved, and a place to look up.
    world.mention("directus/venues/1", "venue", name="Bar Nébula", google_place_id="P1", **lima)
    world.mention("directus/venues/2", "venue", name="Bar Nébula", google_place_id="P1", **lima)
    world.mention("scraper/venue_info/ra:1", "venue", name="Bar Nébula", instagram="@c", **lima)
    world.mention("directus/artists/2", "artist", name="DJ 1", instagram="@dj1")
    world.delete("directus/artists/1")
    world.mention("twenty/people/1", "person", name="Ana", email="ana@mail.com")
    world.event("directus/events/3", venue="directus/venues/1", **night)
    url = str(world.connection.info.dsn)
    world.connection.close()
    return url


def test_a_killed_run_leaves_no_trace_that_matters(changed: str, database: str, endpoints: Endpoints) -> None:
    random = Random(0 if os.environ.get("CI") else None)  # noqa: S311 - where to die is no secret
    with clone(endpoints, database) as url:
        before, old = look_once(url), set(ids(url).values())
        whole = die(url, 0, "never")
        total = int(whole.communicate(timeout=60)[0])
        after, known = look_once(url), ids(url)
    assert before != after
    stays = {ref: entity for ref, entity in known.items() if entity in old}
    assert stays != known  # What splits off has a new id, which is another each time.
    for number in range(CRASHES):
        last = random.randint(1 + total * number // CRASHES, max(1, total * (number + 1) // CRASHES))
        when = random.choice(["before", "after"])
        where = f"killed {when} statement {last} of {total}"
        with clone(endpoints, database) as url:
            with looked_on(url) as onlooker:
                assert die(url, last, when).wait(60) == -9, where
            assert onlooker.broken == [], where
            assert all(found in (before, after) for found in onlooker.seen), where
            assert look_once(url) in (before, after), where
            assert int(die(url, 0, "never").communicate(timeout=60)[0]), where
            assert look_once(url) == after, where
            assert {ref: entity for ref, entity in ids(url).items() if entity in old} == stays, where


def look_once(url: str) -> dict[str, Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        found, broken = look(connection)
    assert broken == {}
    return found
