"""Random histories: a run over what changed decides as one over everything, and as one that never saw the past.

Histories are of records that come, change, go and come back, of what people decide in between, and of runs. Of the past
only this may matter: what people decided, the lives of identifiers (a renamed one is an alias, a reused one waits for a
person), and the venue of an event that is gone. The ordinary run takes a few; `SONIK_HISTORIES=500` takes more.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings

from resources.errors import TerminalError
from sonik_assets.identity.checks import INVARIANTS
from sonik_assets.identity.matching.kinds import KINDS
from tests.identity.conftest import World
from tests.identity.histories import Alias, Delete, Judge, Put, Run, Step, Story, histories, shortened
from tests.identity.states import adopt_released, begin_again, forget, state

type Told = Mapping[str, Mapping[Any, Any]]
HISTORIES = int(os.environ.get("SONIK_HISTORIES", "3"))
TABLES = (
    "aliases", "candidates", "entities", "entity_map", "event_times", "identifiers", "judgements", "mentions",
    "moves", "profiles", "redirects", "repeats", "visitors",
)  # fmt: skip


def many(share: float) -> hypothesis_settings:
    """Return the share of the histories, at least two: the first one is always the same."""
    return hypothesis_settings(
        max_examples=max(2, int(HISTORIES * share)),
        deadline=None,
        phases=[Phase.reuse, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def quick(world: World) -> World:
    world.connection.execute("set synchronous_commit = off")
    return world


ORGANIZER, OTHER_ORGANIZER = "directus/events.organizer/1", "scraper/event_listings.organizer/ra:1"
ONE, TWO = "twenty/companies/1", "twenty/companies/2"
LISTED = "scraper/event_listings/ra:1"
ARTISTS = ("directus/artists/1", "directus/artists/2", "scraper/artist_profiles/ra:1")
NAMESAKES = [Put(ONE, {}), Put(TWO, {}), Put(ORGANIZER, {}), Run()]
KIOSK = {"name": "Kiosk Inc."}
ONCE_WRONG = {
    "one that stays keeps its id where another leaves": [
        Put("directus/venues/1", {}), Put("directus/events/1", {"url": "https://ra.co/events/2"}),
        Put(LISTED, {"ticket_url": "https://tix.pe/e/2"}),
        Put("scraper/event_listings/so:1", {"ticket_url": "https://tix.pe/e/2"}), Run(),
        Put(LISTED, {"ticket_url": "https://tix.pe/e/1", "url": "https://ra.co/events/2"}),
    ],
    "a decision leaves identifiers alone": [
        Put(ARTISTS[0], {"instagram": "@kiosk"}), Run(), Alias("instagram_url", "roma", "kiosk", undone=False),
    ],
    "a namesake comes to what stands by its handle": [
        Put(ONE, {"google_place_id": "P2", "instagram": "@roma"}), Put(ORGANIZER, {"instagram": "@roma"}), Run(),
        Put(TWO, {"place": ("Bogotá", "CO"), "instagram": "@nebula"}),
    ],
    "two of one e-mail and two handles": [
        Put("twenty/people/1", {"email": "bo@acme.pe", "instagram": "@kiosk"}),
        Put("mongo/users/u1", {"email": "bo@acme.pe", "instagram": "@nebula"}),
    ],
    "a namesake goes": [*NAMESAKES, Delete(TWO)],
    "a namesake is renamed": [*NAMESAKES, Put(TWO, KIOSK)],
    "different, after both were the same as a third": [
        *(Put(ref, {"name": name}) for ref, name in zip(ARTISTS, ("Juanes", "DJ Roma", "Rosalía"), strict=True)), Run(),
        Judge(*ARTISTS[:2], "same"), Judge(*ARTISTS[1:], "same"), Judge(ARTISTS[0], ARTISTS[2], "different"),
    ],
    "the same, then of two places": [
        Put("directus/venues/1", {}), Put("directus/venues/2", {"name": "Sala X"}), Run(),
        Judge("directus/venues/1", "directus/venues/2", "same"),
        Put("directus/venues/1", {"google_place_id": "P1"}), Put("directus/venues/2", {"google_place_id": "P2"}),
    ],
    "a judged mention says something else and comes back": [
        Put(ONE, {}), Put(ORGANIZER, KIOSK), Put(OTHER_ORGANIZER, KIOSK), Run(), Judge(ORGANIZER, ONE, "same"),
        Put(ORGANIZER, {"name": "Roma Producciones"}), Run(), Put(ORGANIZER, KIOSK),
    ],
    "two that were judged against each other come to say the same": [
        Put(ONE, {}), Put(ORGANIZER, KIOSK), Put(OTHER_ORGANIZER, {"name": "Roma Producciones"}), Run(),
        Judge(ORGANIZER, ONE, "same"), Judge(OTHER_ORGANIZER, ONE, "different"), Put(OTHER_ORGANIZER, KIOSK),
    ],
    "a dropped record comes back as another thing's": [
        Put(ORGANIZER, {"google_place_id": "P2"}), Put(OTHER_ORGANIZER, {"website": "https://nebula.pe"}), Run(),
        Delete(OTHER_ORGANIZER), Run(), Put(OTHER_ORGANIZER, {"google_place_id": "P2"}),
    ],
    "another holds the value that one gave up": [
        Put("directus/venues/2", {"google_place_id": "P2", "name": "El Kiosko", "address": "Av. Sol 12"}),
        Put("scraper/venue_info/ra:1", {"google_place_id": "P2", "name": "Nebula Bar"}),
        Put("directus/venues/1", {"google_place_id": "P1", "name": "El Kiosko"}), Run(),
        Put("directus/venues/2", {"google_place_id": "P1"}),
    ],
}  # fmt: skip


def test_what_once_was_wrong_stays_right(quick: World) -> None:
    failures = {
        name: failure
        for name, history in ONCE_WRONG.items()
        if (failure := failing(quick, history, likeness=False)) is not None
    }
    assert failures == {}


@many(1)
@given(histories())
def test_changed_records_are_resolved_as_all_of_them_would_be(quick: World, history: list[Step]) -> None:
    tell_shortly(quick, history, likeness=False)


@many(0.3)
@given(histories())
def test_by_likeness_too(quick: World, history: list[Step]) -> None:
    tell_shortly(quick, history, likeness=True)


def tell_shortly(world: World, history: list[Step], *, likeness: bool) -> None:
    """Check a history; of one that fails tell a short part that fails in the same way."""
    failure = failing(world, history, likeness=likeness)
    if failure:

        def alike(part: Sequence[Step]) -> bool:
            return type(failing(world, part, likeness=likeness)) is type(failure)

        told = "\n".join(map(repr, shortened(history, alike)))
        pytest.fail(f"{told}\n{failure!r}")


def failing(world: World, history: Sequence[Step], *, likeness: bool) -> Exception | None:
    try:
        check_history(world, history, likeness=likeness)
    except (AssertionError, psycopg.Error, pl.exceptions.PolarsError, TerminalError) as error:
        return error
    return None


def check_history(world: World, history: Sequence[Step], *, likeness: bool) -> None:
    forget(world.connection)
    adopt_released(world.connection, KINDS if likeness else ())
    story = Story(world)
    before: dict[str, str] = {}
    for step in [*history, Run()]:
        story.take(step)
        if story.has_run:
            before = lives_on(world, before)
        if story.is_settled:
            changed = {name: found for name, (query, _) in INVARIANTS.items() if (found := world.rows(query))}
            assert changed == {}
    if not story.is_settled:
        return
    incremental, written = state(world), rows(world)
    report = story.resolve(full=True)
    changed = difference(incremental, state(world))
    assert changed == {}
    changed = {name: counts for name, counts in report.written.items() if counts.total}
    assert changed == {}
    changed = difference(written, rows(world))
    assert changed == {}
    if story.is_at_gone_venue:
        return
    begin_again(world.connection)
    story.resolve(full=True)
    changed = difference(incremental, state(world))
    assert changed == {}


def difference(one: Told, other: Told) -> dict[str, dict[Any, Any]]:
    """Return what differs, part by part: what one says and what the other."""
    found = {
        part: {key: (one[part].get(key), other[part].get(key)) for key in one[part].keys() | other[part].keys()}
        for part in one
    }
    return {
        part: differ for part, pairs in found.items() if (differ := {k: v for k, v in pairs.items() if v[0] != v[1]})
    }


def rows(world: World) -> Told:
    """Return all rows, each by when it was written: a rewritten one is another."""
    names = [*(f"identity.{table}" for table in TABLES), "unified.changes"]
    return {name: dict(world.rows(f"select t::text, t.xmin::text from {name} as t")) for name in names}


def lives_on(world: World, before: dict[str, str]) -> dict[str, str]:
    """Check that a record that lives left its entity only by a merge or a split; return its entity today."""
    now = dict(
        world.rows(
            "select m.ref, e.entity_id::text from identity.mentions as m"
            " inner join identity.entity_map as e using (source, table_name, record_id) where not e.attached"
        )
    )
    redirects = dict(world.rows("select old_id::text, new_id::text from identity.redirects"))
    live = {row[0] for row in world.rows("select entity_id::text from identity.entities")}
    assert set(now.values()) == live
    moved = {ref: (old, now[ref]) for ref, old in before.items() if ref in now and now[ref] != old}
    changed = {ref: ids for ref, ids in moved.items() if redirects.get(ids[0]) != ids[1] and ids[0] not in live}
    assert changed == {}
    return now
