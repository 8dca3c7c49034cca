"""Random histories: a run over what changed decides as one over everything, and as one that never saw the past.

Histories are of records that come, change, go and come back, of what people decide in between, and of runs. The
ordinary run takes a few; `SONIK_HISTORIES=500` takes more.
"""

import os
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings

from sonik_assets.identity.checks import INVARIANTS
from sonik_assets.identity.matching.kinds import KINDS
from tests.identity.conftest import World
from tests.identity.histories import Run, Step, Story, adopt_released, begin_again, forget, state, steps

type Told = Mapping[str, Mapping[Any, Any]]
HISTORIES = int(os.environ.get("SONIK_HISTORIES", "6"))
TABLES = (
    "aliases", "candidates", "entities", "entity_map", "event_times", "identifiers", "judgements", "mentions",
    "moves", "profiles", "redirects", "visitors",
)  # fmt: skip


def many(share: float) -> hypothesis_settings:
    """Return the share of the histories, at least two."""
    return hypothesis_settings(
        max_examples=max(2, int(HISTORIES * share)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )


@pytest.fixture
def quick(world: World) -> World:
    world.connection.execute("set synchronous_commit = off")
    return world


@many(1)
@given(steps())
def test_changed_records_are_resolved_as_all_of_them_would_be(quick: World, history: list[Step]) -> None:
    check_history(quick, history, likeness=False)


@many(0.3)
@given(steps())
def test_by_likeness_too(quick: World, history: list[Step]) -> None:
    check_history(quick, history, likeness=True)


def check_history(world: World, history: list[Step], *, likeness: bool) -> None:
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
