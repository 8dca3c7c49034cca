"""The sensor of a live source over several ticks: what it asks for, what it remembers, and what it survives."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources import sources
from resources.dagster import Stores
from resources.errors import SonikError, TerminalError, TransientError
from resources.settings import Settings
from resources.sources.catalogue import SourceTable, table
from sensors import changes, cursor
from sensors.changes import LOOK_BACK, look, tick
from sensors.cursor import Entry
from sensors.directus import directus
from sensors.mongo import mongo
from sensors.twenty import twenty

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TODAY, YESTERDAY = NOW.date(), NOW.date() - timedelta(days=1)
VENUES, EVENTS = table("directus.venues"), table("directus.events")
MINUTE = timedelta(minutes=1)


@dataclass
class Source:
    """A reader that knows when each record was touched, and can fail."""

    touches: dict[str, list[datetime]] = field(default_factory=dict)
    errors: dict[str, SonikError] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    clock: float = 0.0
    costs: float = 0.0

    def touched(self, settings: Settings, source_table: SourceTable, since: datetime) -> list[date]:
        self.asked.append(source_table.relation)
        self.clock += self.costs
        if error := self.errors.get(source_table.relation):
            raise error
        return sorted({at.date() for at in self.touches.get(source_table.relation, []) if at >= since})

    def touch(self, source_table: SourceTable, at: datetime) -> None:
        self.touches.setdefault(source_table.relation, []).append(at)


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Source:
    found = Source()
    monkeypatch.setattr(sources, "reader", lambda settings, source_table: found)
    return found


@dataclass
class Sensor:
    """Ticks with a cursor of its own."""

    source: Source
    cursor: str | None = None
    tables: tuple[SourceTable, ...] = (VENUES, EVENTS)

    def tick(self, now: datetime, *, crash: bool = False) -> list[tuple[str, str, set[str]]]:
        return [asked(request) for request in self.requests(now, crash=crash)]

    def requests(self, now: datetime, *, crash: bool = False) -> list[dg.RunRequest]:
        """Return what a tick requests; one that crashes keeps no cursor."""
        said, after = self.say(now)
        if not crash:
            self.cursor = after
        return [each for each in said if isinstance(each, dg.RunRequest)]

    def say(self, now: datetime) -> tuple[list[Any], str | None]:
        context = dg.build_sensor_context(cursor=self.cursor)
        settings = Settings.from_env({"DIRECTUS_URL": "http://127.0.0.1:1"})
        said = list(tick(context, settings, list(self.tables), now, lambda: self.source.clock))
        return said, context.cursor


def asked(request: dg.RunRequest) -> tuple[str, str, set[str]]:
    first, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    return first, last, {".".join(key.path) for key in request.asset_selection or ()}


def settled(source: Source) -> Sensor:
    """Return a sensor that has ticked on nothing."""
    sensor = Sensor(source)
    assert sensor.tick(NOW) == []
    return sensor


def test_only_what_was_touched_is_requested_and_only_once(source: Source) -> None:
    sensor = settled(source)
    source.touch(EVENTS, NOW + timedelta(seconds=10))
    assert sensor.tick(NOW + MINUTE) == [(str(TODAY), str(TODAY), {"raw_directus.events"})]
    assert [sensor.tick(NOW + n * MINUTE) for n in range(2, 10)] == [[]] * 8


def test_the_first_tick_asks_for_the_days_that_the_morning_run_would_read(source: Source) -> None:
    for days in (0, 1, 5, 30):
        source.touch(VENUES, NOW - timedelta(days=days))
    found = Sensor(source).tick(NOW)
    assert [first for first, _, _ in found] == [str(TODAY - timedelta(days=5)), str(YESTERDAY)]


def test_a_second_change_of_the_same_day_is_requested_at_once_with_another_key(source: Source) -> None:
    sensor = settled(source)
    source.touch(VENUES, NOW + timedelta(seconds=10))
    (first,) = sensor.requests(NOW + MINUTE)
    source.touch(VENUES, NOW + timedelta(seconds=70))
    (second,) = sensor.requests(NOW + 2 * MINUTE)
    assert asked(first) == asked(second)
    assert first.run_key != second.run_key


def test_a_day_is_read_once_more_when_all_that_was_late_is_there(source: Source) -> None:
    sensor = settled(source)
    source.touch(VENUES, NOW + timedelta(seconds=10))
    requests = [len(sensor.tick(NOW + n * MINUTE)) for n in range(1, 25)]
    assert requests == [1] + 9 * [0] + [1] + 13 * [0]


def test_a_replayed_tick_and_a_crash_before_the_cursor_ask_for_the_same_run(source: Source) -> None:
    sensor = settled(source)
    source.touch(VENUES, NOW + timedelta(seconds=10))
    (crashed,) = sensor.requests(NOW + MINUTE, crash=True)
    (replayed,) = sensor.requests(NOW + 2 * MINUTE)
    assert crashed.run_key == replayed.run_key
    assert sensor.requests(NOW + 3 * MINUTE) == []


def test_the_cursor_moves_only_after_everything_was_emitted(source: Source) -> None:
    source.touch(VENUES, NOW - MINUTE)
    source.touch(EVENTS, NOW - timedelta(days=3))
    context = dg.build_sensor_context()
    said = tick(context, Settings.from_env({}), [VENUES, EVENTS], NOW, lambda: 0.0)
    next(said), next(said)
    assert context.cursor is None
    assert list(said) == []
    assert context.cursor is not None


def test_a_table_that_fails_stays_where_it_was_and_stops_no_other(source: Source) -> None:
    sensor = settled(source)
    before = cursor.load(sensor.cursor)
    source.errors = {"raw_directus.events": TerminalError("events: forbidden")}
    source.touch(VENUES, NOW + timedelta(seconds=10))
    source.touch(EVENTS, NOW + timedelta(seconds=10))
    assert sensor.tick(NOW + MINUTE) == [(str(TODAY), str(TODAY), {"raw_directus.venues"})]
    after = cursor.load(sensor.cursor)
    assert after["raw_directus.events"] == before["raw_directus.events"]
    source.errors = {}
    assert sensor.tick(NOW + timedelta(hours=3)) == [
        (str(TODAY), str(TODAY), {"raw_directus.events", "raw_directus.venues"})
    ]


def test_a_source_that_is_down_is_a_skip_with_the_reason(source: Source) -> None:
    sensor = settled(source)
    source.errors = dict.fromkeys(("raw_directus.events", "raw_directus.venues"), TransientError("directus: refused"))
    said, after = sensor.say(NOW + MINUTE)
    assert [type(each) for each in said] == [dg.SkipReason]
    assert "directus: refused" in str(said[0].skip_message)
    assert after == sensor.cursor


def test_a_failure_that_takes_long_ends_the_round(source: Source) -> None:
    source.errors = {"raw_directus.venues": TransientError("directus: timed out")}
    source.costs = changes.BUDGET_SECONDS / 2 + 1
    said, after = Sensor(source).say(NOW)
    assert source.asked == ["raw_directus.venues"]
    assert "timed out" in str(said[0].skip_message)
    assert not after


def test_tables_for_which_no_time_was_left_are_the_first_of_the_next_tick(source: Source) -> None:
    source.costs = changes.BUDGET_SECONDS / 2 + 1
    sensor = Sensor(source, tables=(VENUES, EVENTS, table("directus.artists")))
    sensor.tick(NOW)
    assert source.asked == ["raw_directus.venues", "raw_directus.events"]
    assert set(cursor.load(sensor.cursor)) == set(source.asked)
    sensor.tick(NOW + MINUTE)
    assert source.asked[2] == "raw_directus.artists"


def test_no_answer_at_all_is_given_up_in_time() -> None:
    with pytest.raises(TransientError, match="no answer within 0 s"):
        changes.in_time(lambda: time.sleep(0.2), 0.01)
    with pytest.raises(TerminalError, match="no key"):
        changes.in_time(lambda: _raise(TerminalError("no key")), 5)
    assert changes.in_time(lambda: 7, 5) == 7


def _raise(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("old", ["", "not json", "[]", "{}", '{"version": 0, "tables": 1}', '{"version": 1}'])
def test_a_cursor_that_is_not_ours_begins_anew(source: Source, old: str) -> None:
    source.touch(VENUES, NOW - MINUTE)
    sensor = Sensor(source, cursor=old)
    assert len(sensor.tick(NOW)) == 1
    assert json.loads(str(sensor.cursor))["version"] == cursor.VERSION


def test_a_day_that_has_not_begun_is_left_for_when_it_has(source: Source) -> None:
    sensor = settled(source)
    source.touch(VENUES, NOW + timedelta(days=1))
    assert sensor.tick(NOW + MINUTE) == []
    assert [first for first, _, _ in sensor.tick(NOW + timedelta(days=1))] == [str(TODAY + timedelta(days=1))]


MINUTES = st.integers(1, 60)


@given(st.lists(st.tuples(MINUTES, st.integers(0, 9)), max_size=8))
def test_whatever_is_committed_within_the_look_back_is_read_after_it_is_there(records: list[tuple[int, int]]) -> None:
    """A record is (minute of its clock, minutes until others see it); a read sees what is committed by then."""
    entry, unread = Entry(NOW), {(clock, clock + late) for clock, late in records}
    for minute in range(1, 90):
        there = [NOW + clock * MINUTE for clock, committed in _all(records) if committed <= minute]
        days, entry = look(entry, lambda since, t=there: {at.date() for at in t if at >= since}, NOW + minute * MINUTE)  # type: ignore[misc]
        if days:
            unread = {record for record in unread if record[1] > minute}
    assert not unread


def _all(records: list[tuple[int, int]]) -> list[tuple[int, int]]:
    return [(clock, clock + late) for clock, late in records]


@pytest.mark.parametrize(
    ("sensor", "variable"), [(directus, "DIRECTUS_URL"), (twenty, "TWENTY_URL"), (mongo, "MONGO_URL")]
)
def test_a_source_that_is_not_set_is_read_from_exports(
    sensor: dg.SensorDefinition, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(variable, raising=False)
    (skip,) = list(sensor(dg.build_sensor_context(resources={"stores": Stores()})))  # type: ignore[call-overload]
    assert f"{variable} is not set" in skip.skip_message
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING


def test_an_open_circuit_is_a_skip_and_nobody_is_asked(
    source: Source, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import psycopg

    from sonik_assets.raw import circuit, schema

    monkeypatch.setenv("DIRECTUS_URL", "http://127.0.0.1:1")
    with psycopg.connect(database) as connection:
        assert changes.open_circuit(connection, "directus") == ""  # nothing was ever extracted into this database
        connection.rollback()
        schema.ensure(connection)
        for _ in range(circuit.THRESHOLD):
            circuit.failed(connection, "directus", "it answers 503")
        assert "it answers 503" in changes.open_circuit(connection, "directus")
        assert changes.open_circuit(connection, "mongo") == ""

    class Given(Stores):
        @contextmanager
        def postgres(self) -> Iterator[psycopg.Connection]:
            with psycopg.connect(database) as connection:
                yield connection

    (skip,) = list(directus(dg.build_sensor_context(resources={"stores": Given()})))  # type: ignore[call-overload]
    assert "left alone" in skip.skip_message
    assert source.asked == []


def test_look_back_is_longer_than_the_time_between_ticks() -> None:
    assert LOOK_BACK >= 5 * MINUTE
