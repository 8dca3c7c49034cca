"""Look-ups over several runs: what waits is asked, what is due is asked again, what is gone is given up."""

from datetime import timedelta

import psycopg
import pytest

from resources.errors import TerminalError
from resources.places import NO_ID, Place
from sonik_assets.identity import guard, place_decisions
from sonik_assets.identity.places.hearing import NEVER_GIVEN
from sonik_assets.identity.resolve import Options, resolve

IDS = Options(matchers={})
FULL = Options(full=True, matchers={})
ONE, TWO, THREE = (f"directus/venues/{number}" for number in (1, 2, 3))
HELD = """
select concat_ws('/', source, table_name, record_id), value from identity.identifiers
where scheme = 'google_places_id' and valid_to is null order by 1
"""
TABLES = ("identifiers", "entity_map", "entities", "seen", "places_cache", "places_asked")


class Register:
    """Answers `budget` questions, by name; `ids`: what an id is today."""

    origin = "google"
    keeps = timedelta(days=30)

    def __init__(self, budget=99, **places):
        self.places, self.budget, self.ids, self.asked = places, budget, {}, []

    def find(self, queries):
        for query in queries:
            self.budget -= 1
            if self.budget >= 0:
                self.asked.append(query.name)
            found = self.places.get(query.name.split()[-1], "")
            yield [Place(one, query.name, "Lima") for one in found.split()] if self.budget >= 0 else None

    def refresh(self, place_ids):
        return {one: self.ids[one] for one in place_ids if one in self.ids}


@pytest.fixture
def three(world):
    for number, name in enumerate(("Uno", "Dos", "Tres"), 1):
        world.mention(f"directus/venues/{number}", "venue", name=f"Sala {name}", city="Lima", country="PE")
    return world


def state(world):
    return {name: world.rows(f"select xmin::text, ctid::text from identity.{name} order by 2") for name in TABLES}


def later(world, interval):
    world.connection.execute(
        "update identity.places_cache set looked_up_at = looked_up_at - %(a)s::interval,"
        " expires_at = expires_at - %(a)s::interval, refresh_at = refresh_at - %(a)s::interval",
        {"a": interval},
    )


def test_what_the_budget_left_is_asked_by_the_next_run_though_nothing_changed(three):
    places = Register(budget=1, Uno="P1", Dos="P2", Tres="P3")
    first = resolve(three.connection, places, IDS)
    assert (first.places["asked"], first.places["waiting"]) == (1, 2)
    assert len(three.rows(HELD)) == 1
    places.budget = 1
    second = resolve(three.connection, places, IDS)
    assert (second.full, second.mentions) == (False, 1)
    assert (second.places["asked"], second.places["waiting"]) == (1, 1)
    assert len(three.rows(HELD)) == 2
    places.budget = 9
    assert resolve(three.connection, places, IDS).places["waiting"] == 0
    assert three.rows(HELD) == [(ONE, "P1"), (TWO, "P2"), (THREE, "P3")]
    assert sorted(places.asked) == ["Sala Dos", "Sala Tres", "Sala Uno"]
    canonical = "select canonical_id from identity.entities order by 1"
    assert three.rows(canonical) == [("P1",), ("P2",), ("P3",)]


def test_nothing_waiting_asks_and_writes_nothing(three):
    places = Register(Uno="P1")
    resolve(three.connection, places, IDS)
    before = state(three)
    again = resolve(three.connection, places, IDS)
    assert (again.mentions, again.places["asked"], again.places["waiting"]) == (0, 0, 0)
    assert state(three) == before
    assert sum(counts.total for counts in again.written.values()) == 0
    resolve(three.connection, places, FULL)
    assert state(three)["places_cache"] == before["places_cache"]
    assert state(three)["places_asked"] == before["places_asked"]


def test_what_waits_is_asked_before_what_is_due_and_both_without_a_change(three):
    places = Register(budget=1, Uno="", Dos="", Tres="")
    resolve(three.connection, places, IDS)
    (asked,) = places.asked
    later(three, "91 days")
    places.budget, places.places = 9, {"Uno": "P1", "Dos": "P2", "Tres": "P3"}
    assert resolve(three.connection, places, IDS).places["asked"] == 3
    assert places.asked[-1] == asked
    assert len(three.rows(HELD)) == 3


def test_what_is_answered_for_the_second_time_leaves_unchanged_records_alone(three):
    places = Register()
    resolve(three.connection, places, IDS)
    later(three, "91 days")
    again = resolve(three.connection, places, IDS)
    assert (again.places["asked"], again.places["unknown"], again.mentions) == (3, 3, 0)


def test_a_question_that_nobody_asks_any_more_is_not_paid_for(three):
    places = Register(budget=0)
    resolve(three.connection, places, IDS)
    three.mention(ONE, "venue", name="Cine Cuatro", city="Lima", country="PE")
    three.mention(TWO, "venue", name="Sala Dos", city="Lima", country="PE", google_place_id="S2")
    three.delete(THREE)
    places.budget = 9
    resolve(three.connection, places, IDS)
    resolve(three.connection, places, IDS)
    assert places.asked == ["Cine Cuatro"]


def test_a_question_of_several_records_gives_all_of_them_its_place(three):
    three.mention("scraper/venue_info/ra:1", "venue", name="Sala Uno", city="Lima", country="PE")
    places = Register(budget=0)
    resolve(three.connection, places, IDS)
    places.budget, places.places = 9, {"Uno": "P1"}
    three.mention(ONE, "venue", name="Sala Uno", city="Lima", country="PE", phone="1")
    resolve(three.connection, places, IDS)
    assert three.rows(HELD) == [(ONE, "P1"), ("scraper/venue_info/ra:1", "P1")]
    assert three.id(ONE) == three.id("scraper/venue_info/ra:1")


def test_a_register_that_comes_later_is_asked(three):
    resolve(three.connection, None, IDS)
    assert resolve(three.connection, Register(Dos="P2"), IDS).places["asked"] == 3
    assert three.rows(HELD) == [(TWO, "P2")]
    other = Register(Tres="P3")
    other.origin = "gazetteer:1"
    assert resolve(three.connection, other, IDS).places["asked"] == 3
    assert three.rows(HELD) == [(THREE, "P3")]


def test_another_register_without_budget_takes_nothing_back(three):
    resolve(three.connection, Register(Uno="P1", Dos="P2"), IDS)
    other = Register(budget=0)
    other.origin = "gazetteer:1"
    for options in (IDS, FULL):
        assert resolve(three.connection, other, options).places["waiting"] == 3
        assert three.rows(HELD) == [(ONE, "P1"), (TWO, "P2")]


def test_answers_of_a_run_that_was_held_reach_their_records_in_the_next(three, monkeypatch):
    places = Register(budget=0, Uno="P1")
    resolve(three.connection, places, IDS)
    places.budget = 9

    def refuse(*_):
        raise guard.HeldError(["too much"], [])

    with monkeypatch.context() as patch:
        patch.setattr(guard, "judge", refuse)
        assert resolve(three.connection, places, FULL).held
    assert three.rows(HELD) == []
    assert resolve(three.connection, places, Options(matchers={}, acknowledged="ana")).places["asked"] == 0
    assert three.rows(HELD) == [(ONE, "P1")]


def test_a_trial_asks_nobody_and_leaves_no_trace(three):
    resolve(three.connection, Register(budget=1, Uno="P1"), IDS)
    before = state(three)
    resolve(three.connection, Register(Uno="P1"), Options(full=True, matchers={}, trial=True))
    assert state(three) == before


@pytest.mark.parametrize("options", [IDS, FULL])
def test_a_looked_up_id_that_is_gone_is_given_up_in_the_same_run(three, options):
    places = Register(Uno="P1")
    resolve(three.connection, places, IDS)
    later(three, "366 days")
    places.ids, places.places = {"P1": None}, {}
    report = resolve(three.connection, places, options)
    assert report.places["gone"] == 1
    assert three.rows(HELD) == []
    assert three.rows("select value from identity.identifiers where valid_to is not null") == [("P1",)]
    assert three.rows("select distinct canonical_scheme from identity.entities") == [("uuid",)]


@pytest.mark.parametrize("options", [IDS, FULL])
def test_the_question_of_a_gone_id_finds_the_new_one_in_the_same_run(three, options):
    places = Register(Uno="P1")
    resolve(three.connection, places, IDS)
    later(three, "366 days")
    places.ids, places.places = {"P1": None}, {"Uno": "P7"}
    resolve(three.connection, places, options)
    assert three.rows(HELD) == [(ONE, "P7")]


@pytest.mark.parametrize("options", [IDS, FULL])
@pytest.mark.parametrize(("answer", "gone", "refused"), [(None, 1, {}), (NO_ID, 0, {NEVER_GIVEN: 2})])
def test_a_stated_id_that_is_none_is_given_up_by_all_and_not_taken_again(three, options, answer, gone, refused):
    for ref in (ONE, "scraper/venue_info/ra:1"):
        three.mention(ref, "venue", name="Sala Uno", city="Lima", country="PE", google_place_id="S1")
    places = Register()
    resolve(three.connection, None, IDS)
    assert len(three.rows(HELD)) == 2
    places.ids = {"S1": answer}
    report = resolve(three.connection, places, options)
    assert report.places["gone"] == gone
    assert report.refused == refused
    assert three.rows(HELD) == []
    assert "Sala Uno" in places.asked
    three.mention(TWO, "venue", name="Sala Dos", city="Lima", country="PE", google_place_id="S1")
    resolve(three.connection, places, IDS)
    resolve(three.connection, places, FULL)
    assert three.rows(HELD) == []


@pytest.mark.parametrize("options", [IDS, FULL])
def test_a_stated_id_that_a_look_up_finds_again_is_one_again(three, options):
    three.mention(ONE, "venue", name="Sala Uno", city="Lima", country="PE", google_place_id="S1")
    places = Register()
    places.ids = {"S1": None}
    resolve(three.connection, None, IDS)
    resolve(three.connection, places, IDS)
    assert three.rows(HELD) == []
    three.mention(TWO, "venue", name="Sala Dos", city="Lima", country="PE", phone="1")
    three.connection.execute("update staging.mentions set name = 'Sala Cinco' where record_id = '2'")
    places.places = {"Cinco": "S1"}
    resolve(three.connection, places, options)
    resolve(three.connection, places, options)
    assert three.rows(HELD) == [(ONE, "S1"), (TWO, "S1")]


@pytest.mark.parametrize("options", [IDS, FULL])
def test_a_looked_up_id_that_moved_is_the_new_one(three, options):
    places = Register(Uno="P1")
    resolve(three.connection, places, IDS)
    later(three, "366 days")
    places.ids = {"P1": "P5"}
    assert resolve(three.connection, places, options).places["moved"] == 1
    assert three.rows(HELD) == [(ONE, "P5")]


def test_a_place_is_chosen_for_a_record_whose_stated_id_is_gone(three):
    three.mention(ONE, "venue", name="Sala Uno", city="Lima", country="PE", google_place_id="S1")
    places = Register(Uno="P1 P2")
    resolve(three.connection, None, IDS)
    places.ids = {"S1": None}
    resolve(three.connection, places, IDS)
    ((asked,),) = three.rows("select query_hash from identity.places_cache where status = 'ambiguous'")
    place_decisions.choose(three.connection, asked, "P2", "ana", "the door is there")
    assert three.rows(HELD) == [(ONE, "P2")]
    told = "select decided_by, decided_reason from identity.places_cache where decided_by is not null"
    assert three.rows(told) == [("ana", "the door is there")]
    for options in (IDS, FULL):
        resolve(three.connection, places, options)
        assert three.rows(HELD) == [(ONE, "P2")]


@pytest.mark.parametrize("nobody", ["", "sonik"])
def test_a_choice_needs_a_person(three, nobody):
    resolve(three.connection, Register(Uno="P1 P2"), IDS)
    ((asked,),) = three.rows("select query_hash from identity.places_cache where status = 'ambiguous'")
    with pytest.raises(TerminalError, match="set SONIK_USER or give --by"):
        place_decisions.choose(three.connection, asked, "P2", nobody)
    assert three.rows("select 1 from identity.places_cache where decided_at is not null") == []


def test_a_cache_of_an_earlier_version_is_taken_on(database):
    from sonik_assets.identity.tables import ensure_tables

    with psycopg.connect(database, autocommit=True) as connection:
        ensure_tables(connection)
        connection.execute(
            "drop table identity.places_asked; comment on schema identity is 'old';"
            "alter table identity.places_cache drop column news, drop column decided_reason, drop column status,"
            " add column status text check (status in ('found', 'ambiguous', 'doubtful', 'none', 'gone'))"
        )
        ensure_tables(connection)
        connection.execute(
            "insert into identity.places_cache (query_hash, query, candidates, status) values ('h', '{}', 0, 'waiting')"
        )
        kept = connection.execute("select status, news, decided_reason is null from identity.places_cache").fetchall()
        assert [status for status, *_ in kept] == ["waiting"], "the new status is allowed, the new columns are there"
        assert connection.execute("select count(*) from identity.places_asked").fetchone() == (0,)
