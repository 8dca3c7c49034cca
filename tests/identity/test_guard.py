"""A run that would change too much is held: nothing of it is written until a person lets exactly one through."""

import json
from typing import Any

import pytest

from sonik_assets.identity import guard
from sonik_assets.identity.checks import INVARIANTS
from sonik_assets.identity.guard import FEW, SAMPLE, SHARE
from sonik_assets.identity.resolve import Options, Report, resolve
from sonik_assets.identity.schemes import MOST_RECORDS
from tests.identity.conftest import World

KEPT = ("aliases", "entities", "entity_map", "identifiers", "judgements", "mentions", "moves", "redirects", "seen")
MANY = 2 * FEW + 10


def run(world: World, **options: Any) -> Report:
    return resolve(world.connection, options=Options(matchers={}, **options))


def artists(world: World, count: int, handle: str = "null") -> None:
    """Put artists 1 to `count`; `handle`: SQL of the number `n`."""
    world.connection.execute(
        "insert into staging.mentions (source, table_name, record_id, entity_type, name, instagram)"
        f" select 'directus', 'artists', n, 'artist', 'DJ ' || md5((n / 2)::text), {handle}"
        f" from generate_series(1, {count}) as n"
        " on conflict (source, table_name, record_id)"
        " do update set instagram = excluded.instagram, changed_at = excluded.changed_at"
    )


def drop(world: World, count: int) -> None:
    numbers = f"select n::text from generate_series(1, {count}) as n"
    world.connection.execute(f"delete from staging.mentions where record_id in ({numbers})")
    world.connection.execute(
        f"insert into raw_directus.artists (record_id) {numbers}"
        " on conflict (record_id) do update set changed_at = now()"
    )


def people(world: World, first: int, last: int, email: str) -> None:
    world.connection.execute(
        "insert into staging.mentions (source, table_name, record_id, entity_type, name, email)"
        f" select 'twenty', 'people', n, 'person', 'Ana Paz', '{email}' from generate_series({first}, {last}) as n"
    )


def written(world: World) -> dict[str, list[Any]]:
    names = [*(f"identity.{name}" for name in KEPT), "unified.changes"]
    return {name: world.rows(f"select t::text, t.xmin::text from {name} as t order by 1") for name in names}


def held(world: World) -> list[Any]:
    return world.rows("select reasons, worst, acknowledged_by from identity.held where closed_at is null")


def check(world: World, name: str = "no_unacknowledged_upheaval") -> list[Any]:
    return world.rows(INVARIANTS[name][0])


def dropped(world: World) -> int:
    return len(world.rows("select 1 from unified.changes where kind = 'tombstoned'"))


@pytest.fixture
def many(world: World) -> World:
    artists(world, MANY)
    assert run(world).held == ()  # A first run changes nothing that was.
    return world


def test_a_run_that_would_drop_too_much_writes_nothing(many: World) -> None:
    assert guard.acknowledge(many.connection, "ana") == []  # Nothing is held that this would let through.
    before = written(many)
    drop(many, FEW + 1)
    report = run(many)
    assert report.held == [f"{FEW + 1} of {MANY} artist entities would be tombstoned"]
    assert sum(counts.total for counts in report.written.values()) == 0
    assert written(many) == before
    ((reasons, worst, by),) = held(many)
    assert reasons == list(report.held)
    assert by is None
    assert len(worst) == SAMPLE
    assert {(case["type"], case["change"], case["count"]) for case in worst} == {("artist", "tombstoned", 1)}
    assert {case["entity"] for case in worst} <= {
        row[0] for row in many.rows("select entity_id::text from identity.entities")
    }
    assert report.held[0] in check(many)[0][0]


def test_the_next_run_is_held_too_and_the_newest_reasons_stand(many: World) -> None:
    drop(many, FEW + 1)
    run(many)
    drop_more = FEW + 2
    drop(many, drop_more)
    for full in (False, True):
        assert run(many, full=full).held == [f"{drop_more} of {MANY} artist entities would be tombstoned"]
        assert len(held(many)) == 1
    assert dropped(many) == 0


def test_acknowledging_lets_exactly_the_next_run_through(many: World) -> None:
    drop(many, FEW + 1)
    reasons = run(many).held
    assert guard.acknowledge(many.connection, "ana") == list(reasons)
    assert held(many)[0][2] == "ana"
    assert run(many).held == ()
    assert dropped(many) == FEW + 1
    assert held(many) == check(many) == []
    artists(many, MANY)
    run(many)
    drop(many, FEW + 1)
    assert run(many).held == list(reasons)
    assert dropped(many) == FEW + 1


def test_acknowledging_lets_no_more_through_than_what_was_held(many: World) -> None:
    drop(many, FEW + 1)
    run(many)
    guard.acknowledge(many.connection, "ana")
    drop(many, 2 * FEW)
    before = written(many)
    again = [f"{2 * FEW} of {MANY} artist entities would be tombstoned"]
    assert run(many).held == again
    assert written(many) == before
    ((reasons, _, by),) = held(many)
    assert (reasons, by) == (again, None)
    assert run(many).held == again
    guard.acknowledge(many.connection, "ana")
    assert run(many).held == ()
    assert dropped(many) == 2 * FEW


@pytest.mark.parametrize("more", [-1, 0, 2, 3])
def test_ten_percent_more_than_what_was_held_goes_through(many: World, more: int) -> None:
    drop(many, FEW + 2)
    run(many)
    guard.acknowledge(many.connection, "ana")
    artists(many, MANY)
    drop(many, FEW + 2 + more)
    assert bool(run(many).held) == (FEW + 2 + more > (FEW + 2) * guard.MARGIN) == (more == 3)


def test_another_change_than_the_held_one_is_held(world: World) -> None:
    artists(world, MANY, "'@dj' || n")
    run(world)
    drop(world, FEW + 1)
    run(world)
    guard.acknowledge(world.connection, "ana")
    artists(world, MANY, "'@pair' || n / 2")
    world.connection.execute("delete from identity.aliases")
    before = written(world)
    assert run(world).held == [f"{MANY // 2 - 1} of {MANY} artist entities would be merged"]
    assert written(world) == before


def test_what_was_let_through_is_listed_again_with_what_was_not(world: World) -> None:
    """Else each acknowledgement would forget the one before."""
    artists(world, MANY)
    people(world, 1, 1, "ana@mail.com")
    run(world)
    drop(world, FEW + 2)
    world.connection.execute("delete from staging.mentions where entity_type = 'person'")
    people(world, 1, 1, "ana@mail.com")
    first = run(world).held
    guard.acknowledge(world.connection, "ana")
    people(world, 2, MOST_RECORDS + 1, "ana@mail.com")
    assert run(world).held == [*first, f"1 entities would have more than {MOST_RECORDS} records"]
    guard.acknowledge(world.connection, "ana")
    assert run(world).held == ()


@pytest.mark.parametrize("before", [0, 1])
def test_over_the_cap_only_the_one_that_was_held_goes_through_at_its_size(world: World, before: int) -> None:
    """Of one that there was before and of a new one, which has another id each run."""
    reason = f"1 entities would have more than {MOST_RECORDS} records"
    people(world, 1, 1, "eva@mail.com")
    people(world, 1001, 1000 + before, "ana@mail.com")
    run(world)
    people(world, 1002, 1002 + MOST_RECORDS, "ana@mail.com")
    for first, email, too_many in ((2000, "ana@mail.com", reason), (2, "eva@mail.com", reason.replace("1", "2", 1))):
        assert run(world).held == [reason]
        guard.acknowledge(world.connection, "ana")
        people(world, first, first + MOST_RECORDS, email)
        assert run(world).held == [too_many]
        numbers = f"select n::text from generate_series({first}, {first + MOST_RECORDS}) as n"
        world.connection.execute(f"delete from staging.mentions where record_id in ({numbers})")
    assert run(world).held == [reason]
    guard.acknowledge(world.connection, "ana")
    people(world, 100, 103, "ana@mail.com")  # Of which one sorts before all that were held.
    assert run(world).held == ()
    assert check(world, "no_entity_over_the_cap") == []


def test_a_run_with_less_to_change_goes_through_and_closes_what_was_held(many: World) -> None:
    drop(many, FEW + 1)
    assert run(many).held
    artists(many, MANY)
    assert run(many).held == ()
    assert held(many) == check(many) == []
    assert dropped(many) == 0


def test_few_are_never_too_many(many: World) -> None:
    drop(many, FEW)
    assert run(many).held == ()
    assert dropped(many) == FEW


def test_of_many_a_share_is_allowed(world: World) -> None:
    count = 30 * FEW
    artists(world, count)
    run(world)
    allowed = int(SHARE * count)
    drop(world, allowed + 1)
    assert run(world).held == [f"{allowed + 1} of {count} artist entities would be tombstoned"]
    artists(world, 1)
    assert run(world).held == ()
    assert dropped(world) == allowed


def test_merges_and_splits_are_counted_each(world: World) -> None:
    count = 2 * FEW + 3
    artists(world, count, "'@dj' || n")
    run(world)
    before = written(world)
    artists(world, count, "'@pair' || n / 2")
    world.connection.execute("delete from identity.aliases")
    assert run(world).held == [f"{FEW + 1} of {count} artist entities would be merged"]
    assert written(world) == before
    ((_, worst, _),) = held(world)
    assert {(case["change"], case["count"]) for case in worst} == {("merged", 1)}
    assert run(world, acknowledged="run configuration").held == ()
    assert held(world) == check(world) == []
    artists(world, count, "'@alone' || n")
    assert run(world).held == [f"{FEW + 1} of {FEW + 2} artist entities would be split"]


def test_a_merge_into_one_is_the_worst_case(world: World) -> None:
    people(world, 1, 1, "ana@mail.com")
    world.connection.execute(
        "insert into staging.mentions (source, table_name, record_id, entity_type, name, email)"
        f" select 'twenty', 'people', 'x' || n, 'person', 'Ana Paz', 'ana' || n || '@mail.com'"
        f" from generate_series(1, {FEW + 1}) as n"
    )
    run(world)
    home = world.id("twenty/people/1")
    world.connection.execute("update staging.mentions set email = 'ana@mail.com', changed_at = now()")
    assert run(world).held
    ((_, worst, _),) = held(world)
    ids = [row[0] for row in world.rows("select entity_id::text from identity.entities order by 1")]
    assert home in ids
    assert worst == [{"type": "person", "change": "merged", "entity": ids[0], "count": FEW + 1}]


def test_a_cluster_that_grows_over_the_cap_is_held(world: World) -> None:
    people(world, 1, MOST_RECORDS, "ana@mail.com")
    run(world)
    before = written(world)
    people(world, MOST_RECORDS + 1, MOST_RECORDS + 1, "ana@mail.com")
    assert run(world).held == [f"1 entities would have more than {MOST_RECORDS} records"]
    assert written(world) == before
    ((_, worst, _),) = held(world)
    grown = {"type": "person", "change": "grown", "entity": world.id("twenty/people/1"), "count": MOST_RECORDS + 1}
    assert worst == [grown]
    assert json.dumps(worst)
    guard.acknowledge(world.connection, "ana")
    assert run(world).held == ()
    assert check(world, "no_entity_over_the_cap") == []
    people(world, MOST_RECORDS + 2, MOST_RECORDS + 2, "ana@mail.com")
    assert run(world).held == ()
    assert check(world, "no_entity_over_the_cap") == []


def test_a_new_cluster_over_the_cap_may_be_acknowledged(world: World) -> None:
    people(world, 1, 1, "bo@mail.com")
    run(world)
    people(world, 2, MOST_RECORDS + 2, "ana@mail.com")
    assert run(world).held == [f"1 entities would have more than {MOST_RECORDS} records"]
    guard.acknowledge(world.connection, "ana")
    assert run(world).held == ()
    assert check(world, "no_entity_over_the_cap") == []


@pytest.mark.parametrize("options", [{}, {"acknowledged": "run configuration"}])
def test_a_cluster_over_the_cap_that_was_let_through_does_not_block_for_ever(
    world: World, options: dict[str, str]
) -> None:
    """Of the first run, or one let through beforehand: what the check reports a person can acknowledge."""
    if options:
        people(world, 1, 1, "ana@mail.com")
        run(world)
    people(world, 2, MOST_RECORDS + 2, "ana@mail.com")
    run(world, **options)
    if check(world, "no_entity_over_the_cap"):
        run(world)
        assert guard.acknowledge(world.connection, "ana")
        run(world)
    assert check(world, "no_entity_over_the_cap") == []


def test_a_trial_is_not_held_and_writes_nothing(many: World) -> None:
    before = written(many)
    drop(many, FEW + 1)
    report = run(many, trial=True)
    assert report.held == ()
    assert report.changes == {"tombstoned": FEW + 1}
    assert written(many) == before
    assert held(many) == []
