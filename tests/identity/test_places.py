"""Look-ups on PostgreSQL: asked, doubted, kept, decided, refreshed and spent; over runs: test_places_runs.py."""

import json
from datetime import timedelta
from functools import partial

import polars as pl
import psycopg
import pytest
from psycopg.rows import dict_row

from resources.errors import TerminalError
from resources.places import Limits, Place, Query, open_places
from sonik_assets.identity.identifiers import MENTIONS, prepare
from sonik_assets.identity.normalize.text import name_key
from sonik_assets.identity.places import (
    TABLES,
    PostgresMeter,
    aliases,
    blank,
    decide,
    look_up,
    mark_verified,
    refresh,
)
from sonik_assets.identity.tables import ensure_tables
from sonik_assets.migrations import migrate

HERE = {"latitude": -12.0, "longitude": -77.0}
BAR = {"name": "Bar Nébula", "city": "Lima", "country": "PE", **HERE}
NEAR = Place("P1", "Nebula Bar", "Calle 1, Lima 15001, Perú", -12.001, -77.001)


class Register:
    """Answers from `places` by name, up to `budget` questions; `ids`: what an id is today."""

    def __init__(self, places=None, origin="google", keeps=timedelta(days=30), budget=1_000):
        self.places, self.ids, self.asked = places or {}, {}, []
        self.origin, self.keeps, self.budget = origin, keeps, budget

    def find(self, queries):
        return [self._find(query) for query in queries]

    def _find(self, query):
        if self.budget <= 0:
            return None
        self.budget -= 1
        self.asked.append(query)
        return self.places.get(query.name, [])

    def refresh(self, place_ids):
        return {one: self.ids[one] for one in place_ids if one in self.ids}


@pytest.fixture
def house(world):
    ensure_tables(world.connection)
    world.connection.execute(TABLES)
    return world


def run(house, places):
    with house.connection.cursor(row_factory=dict_row) as cursor:
        mentions = cursor.execute("select * from staging.mentions").fetchall()
    return look_up(house.connection, prepare(pl.DataFrame(mentions, MENTIONS)), places)


def later(house, interval):
    """Let everything in the cache be older."""
    house.connection.execute(
        "update identity.places_cache set looked_up_at = looked_up_at - %(a)s::interval,"
        " expires_at = expires_at - %(a)s::interval, refresh_at = refresh_at - %(a)s::interval",
        {"a": interval},
    )


def test_one_place_that_agrees_is_the_place_and_is_asked_once(house):
    house.mention("directus/venues/1", "venue", **BAR)
    house.mention("directus/venues/2", "venue", **BAR)
    house.mention("directus/venues/3", "venue", **{**BAR, "google_place_id": "P7"})
    house.mention("directus/artists/4", "artist", name="Bar Nébula")
    places = Register({"Bar Nébula": [NEAR]})
    found = run(house, places)
    assert found.ids.rows() == [(1, "google_places_id", "P1"), (2, "google_places_id", "P1")]
    assert places.asked == [Query("Bar Nébula", None, "Lima", "PE", -12.0, -77.0)]
    assert (found.asked, found.waiting, found.doubts.height) == (1, 0, 0)
    state = house.rows("select xmin::text from identity.places_cache")
    again = run(house, places)
    assert again.ids.equals(found.ids)
    assert (again.asked, len(places.asked)) == (0, 1)
    assert house.rows("select xmin::text from identity.places_cache") == state


def test_several_and_doubtful_ones_go_to_review(house):
    house.mention("directus/venues/1", "venue", **BAR)
    house.mention("directus/venues/2", "venue", name="Twin", city="Lima")
    house.mention("directus/venues/3", "venue", name="Unknown", city="Lima")
    twins = [Place("P2", "Twin", "Lima"), Place("P3", "Twin", "Lima")]
    far = Place("P4", "Bar Nébula", "Lima", -12.5, -77.0)
    found = run(house, Register({"Bar Nébula": [far], "Twin": twins}))
    assert found.ids.is_empty()
    assert (found.ambiguous, found.doubtful, found.unknown) == (1, 1, 1)
    doubts = {row["row"]: (row["status"], json.loads(row["candidates"])) for row in found.doubts.rows(named=True)}
    assert doubts[0][0] == "doubtful"
    assert doubts[0][1] == [
        {"place_id": "P4", "name": "Bar Nébula", "address": "Lima", "metres": 55598, "doubt": "far"}
    ]
    assert [one["place_id"] for one in doubts[1][1]] == ["P2", "P3"]


def test_a_persons_choice_wins_over_later_look_ups(house):
    house.mention("directus/venues/1", "venue", name="Twin", city="Lima")
    places = Register({"Twin": [Place("P2", "Twin", "Lima"), Place("P3", "Twin", "Lima")]})
    (query_hash,) = run(house, places).doubts["query_hash"]
    decide(house.connection, query_hash, "P3", "ana")
    later(house, "400 days")
    places.places = {"Twin": [Place("P2", "Twin", "Lima")]}
    other = Register(places.places, origin="gazetteer:1", keeps=None)
    for register in (places, other):
        found = run(house, register)
        assert found.ids["value"].to_list() == ["P3"]
        assert (found.asked, found.doubts.height) == (0, 0)
    decide(house.connection, query_hash, None, "eva")
    assert run(house, places).ids.is_empty()
    assert house.rows("select status, decided_by from identity.places_cache") == [("none", "eva")]
    with pytest.raises(TerminalError, match="there is no look-up zzz"):
        decide(house.connection, "zzz", "P1", "ana")
    with pytest.raises(TerminalError, match="set SONIK_USER or give --by"):
        decide(house.connection, query_hash, "P2", "")


def test_a_budget_that_runs_out_leaves_the_rest_to_the_next_run(house):
    for number in range(250):
        house.mention(f"directus/venues/{number}", "venue", name=f"Bar {number}", city="Lima")
    places = Register(budget=120)
    assert (first := run(house, places)).asked == 120
    assert first.waiting == 130
    places.budget = 1_000
    assert (second := run(house, places)).asked == 130
    assert second.waiting == 0
    assert len({query.name for query in places.asked}) == 250


def test_what_was_paid_for_is_kept_though_the_register_then_refuses(house):
    for number in range(150):
        house.mention(f"directus/venues/{number:03}", "venue", name=f"Bar {number}", city="Lima")

    class Refusing(Register):
        def find(self, queries):
            if self.asked:
                raise TerminalError("refused")
            return super().find(queries)

    with pytest.raises(TerminalError):
        run(house, Refusing())
    assert house.rows("select count(*) from identity.places_cache") == [(100,)]


def test_what_was_paid_for_is_kept_though_the_register_refuses_in_the_middle_of_a_batch(house):
    for number in range(150):
        house.mention(f"directus/venues/{number:03}", "venue", name=f"Bar {number}", city="Lima")

    class Refusing(Register):
        def find(self, queries):
            for query in queries:
                if len(self.asked) == 130:
                    raise TerminalError("refused")
                yield self._find(query)

    with pytest.raises(TerminalError, match="refused"):
        run(house, Refusing())
    assert house.rows("select count(*) from identity.places_cache") == [(130,)]


def test_content_is_forgotten_after_30_days_and_ids_are_not(house):
    house.mention("directus/venues/1", "venue", **BAR)
    house.mention("directus/venues/2", "venue", name="Twin", city="Lima")
    places = Register({"Bar Nébula": [NEAR], "Twin": [Place("P2", "Twin", "Lima"), Place("P3", "Twin", "Lima")]})
    run(house, places)
    later(house, "29 days")
    assert blank(house.connection) == 0
    later(house, "2 days")
    found = run(house, places)
    assert (found.blanked, found.asked) == (2, 0)
    assert found.ids["value"].to_list() == ["P1"]
    assert json.loads(found.doubts["candidates"][0]) == [{"place_id": "P2"}, {"place_id": "P3"}]
    assert house.rows("select answer::text from identity.places_cache where place_id = 'P1'") == [
        ('[{"place_id": "P1"}]',)
    ]


def test_a_gazetteers_answers_stay_until_it_changes(house):
    house.mention("directus/venues/1", "venue", **BAR)
    old = Register({"Bar Nébula": [NEAR]}, origin="gazetteer:1", keeps=None)
    run(house, old)
    later(house, "9 years")
    assert (run(house, old).asked, run(house, old).blanked) == (0, 0)
    new = Register(origin="gazetteer:2", keeps=None)
    assert run(house, new).asked == 1
    assert run(house, new).ids.is_empty()


def test_an_unanswered_question_is_asked_again_after_90_days(house):
    house.mention("directus/venues/1", "venue", **BAR)
    places = Register()
    run(house, places)
    later(house, "91 days")
    places.places = {"Bar Nébula": [NEAR]}
    assert run(house, places).ids["value"].to_list() == ["P1"]


def test_an_id_is_checked_after_twelve_months_and_an_alias_followed(house):
    house.mention("directus/venues/1", "venue", **BAR)
    places = Register({"Bar Nébula": [NEAR]})
    run(house, places)
    places.ids = {"P1": "P1"}
    assert refresh(house.connection, places).same == 0  # not due
    later(house, "366 days")
    assert refresh(house.connection, places).same == 1
    assert refresh(house.connection, places).same == 0
    for old, new in (("P1", "P5"), ("P5", "P6")):
        later(house, "366 days")
        places.ids = {old: new}
        assert refresh(house.connection, places).moved == 1
    assert run(house, places).ids["value"].to_list() == ["P6"]
    assert aliases(house.connection).rows() == [("google_places_id", "P1", "P6"), ("google_places_id", "P5", "P6")]
    later(house, "366 days")
    places.ids = {"P6": "P1"}  # and back
    refresh(house.connection, places)
    assert aliases(house.connection).rows() == [("google_places_id", "P5", "P1"), ("google_places_id", "P6", "P1")]
    later(house, "366 days")
    places.ids = {}
    assert refresh(house.connection, places).waiting == 1


def test_a_gone_id_is_retired_and_its_question_asked_again(house):
    house.mention("directus/venues/1", "venue", **BAR)
    places = Register({"Bar Nébula": [NEAR]})
    run(house, places)
    (query_hash,) = house.rows("select query_hash from identity.places_cache")[0]
    decide(house.connection, query_hash, "P1", "ana")
    later(house, "366 days")
    places.ids = {"P1": None}
    assert refresh(house.connection, places).gone == 1
    gone = "select distinct place_id, status from identity.places_cache order by place_id"
    assert house.rows(gone) == [("P1", "gone")]
    places.budget = 0
    assert run(house, places).ids.is_empty()
    places.budget, places.places = 9, {"Bar Nébula": [Place("P8", "Bar Nébula", "Lima", -12.0, -77.0)]}
    assert run(house, places).ids["value"].to_list() == ["P8"]
    assert set(house.rows(gone)) == {("P1", "gone"), ("P8", "found")}


def test_ids_that_sources_state_are_checked_only_where_asked_for(house):
    house.connection.execute(
        "insert into identity.identifiers (source, table_name, record_id, entity_type, scheme, value, weak)"
        " select 'directus', 'venues', n::text, 'venue', 'google_places_id', 'S' || n, false"
        " from generate_series(1, 3) as n"
    )
    places = Register()
    places.ids = {"S1": "S9", "S2": "S2", "S3": None}
    assert refresh(house.connection, places).moved == 0
    done = refresh(house.connection, places, stated=9)
    assert (done.same, done.moved, done.gone) == (1, 1, 1)
    assert aliases(house.connection).rows() == [("google_places_id", "S1", "S9")]
    mark_verified(house.connection)
    query = "select value from identity.identifiers where verified_at is not null order by 1"
    assert house.rows(query) == [("S1",), ("S2",)]
    again = refresh(house.connection, places, stated=9)
    assert (again.same, again.moved, again.gone) == (0, 0, 0)


def test_a_gazetteer_is_not_asked_for_ids(house):
    class Fixed:
        origin, keeps = "gazetteer:1", None

        def find(self, queries):
            return [[] for _ in queries]

    assert refresh(house.connection, Fixed()).waiting == 0


def test_nobody_to_ask(house):
    found = run(house, None)
    assert found.ids.is_empty()
    assert found.doubts.is_empty()


@pytest.fixture
def own(house, database):
    with psycopg.connect(database) as connection:
        migrate(connection)
    with psycopg.connect(database, autocommit=True) as connection:
        yield connection


def test_the_days_spending_outlives_the_process(own):
    meters = [PostgresMeter(own, Limits(run=2, day=3)) for _ in range(2)]
    assert [meter.spend() for meter in meters for _ in range(3)] == [True, True, False, True, False, False]
    own.execute("update identity.places_spending set day = day - 1")
    assert PostgresMeter(own, Limits(run=2, day=3)).spend()
    assert not PostgresMeter(own, Limits(run=2, day=0)).spend()
    assert own.execute("select requests from identity.places_spending order by day").fetchall() == [(3,), (1,)]


def test_the_circuit_is_everyones(own):
    meter = PostgresMeter(own, Limits())
    for _ in range(3):
        assert meter.may_ask()
        meter.failed("HTTP 500")
    other = PostgresMeter(own, Limits())
    assert not meter.may_ask()
    assert not other.may_ask()
    own.execute("update ops.circuits set open_until = now() where source = 'google_places'")
    assert other.may_ask()  # one may try
    assert not meter.may_ask()
    other.answered()
    assert meter.may_ask()
    assert own.execute("select count(*) from ops.circuits").fetchone() == (0,)


def test_the_meter_is_what_the_registers_opener_takes(own, tmp_path):
    environment = {"GOOGLE_MAPS_API_KEY": "AIza-test", "SONIK_PLACES_DAY_BUDGET": "0"}
    places = open_places(tmp_path, name_key, environment, partial(PostgresMeter, own))
    assert list(places.find([Query("Bar")])) == [None]  # nothing is sent
