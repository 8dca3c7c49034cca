"""Local dates and event names: one event one key, two shows two keys."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.identity.events import EVENT_MENTIONS, TIMES, Venue, event_times, venues
from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.event_names import name_hash, series_name, session_marker
from sonik_assets.identity.normalize.event_times import choose_zone, parse_end, parse_start, zone_at

ZONES = st.sampled_from(["America/Mexico_City", "America/Bogota", "America/Santiago", "America/Sao_Paulo"])


@given(st.datetimes(datetime.fromisoformat("2025-01-01"), datetime.fromisoformat("2027-01-01")), ZONES)
def test_local_and_offset_spellings_of_one_start_agree(local, zone):
    local = local.replace(microsecond=0)
    at = local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    if at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local:
        return  # the clock skipped this hour
    start = parse_start(local.isoformat(), zone)
    assert start == parse_start(at.isoformat(), zone) == parse_start(at.isoformat().replace("+00:00", "Z"), zone)
    assert start.local_date == (local - timedelta(hours=6)).date()


def test_the_night_belongs_to_the_evening_and_a_date_is_that_date():
    assert parse_start("2026-03-01T05:59", "America/Bogota").local_date == date(2026, 2, 28)
    assert parse_start("2026-03-01T06:00", "America/Bogota").local_date == date(2026, 3, 1)
    day = parse_start("2026-03-01", "America/Bogota")
    assert (day.local_date, day.has_time) == (date(2026, 3, 1), False)
    assert parse_end("2026-03-01", "America/Bogota") is None


@given(st.text())
def test_what_is_no_time_is_refused(text):
    try:
        parse_start(text, "America/Lima")
    except Refused:
        return
    assert any(character.isdigit() for character in text)


def test_zone_by_coordinates_then_market_then_country():
    assert zone_at(19.43, -99.13) == "America/Mexico_City"
    assert zone_at(None, 1.0) is zone_at(0, 0) is zone_at(99, 0) is None
    assert choose_zone("America/Tijuana", "America/Lima", "MX").name == "America/Tijuana"
    assert choose_zone(None, "America/Lima", "MX").name == "America/Lima"
    assert choose_zone(None, "Mars/Base", "PE").name == "America/Lima"
    assert choose_zone(None, None, "AR").warning is None
    assert choose_zone(None, None, "MX").warning == "MX has several zones"
    assert choose_zone(None, None, None).warning


@pytest.mark.parametrize(
    "name",
    ["Los Ángeles Azules", "LOS ANGELES AZULES en vivo", "Los Ángeles Azules - Teatro Colón (12/03/2026)",
     "Teatro Colón presenta: Los Angeles Azules, 12 de marzo",
     "Angeles Azules 3ª edición", "Angeles Azules Tour 2026 en Lima"],
)  # fmt: skip
def test_venue_city_date_and_boilerplate_do_not_tell_events_apart(name):
    assert name_hash(name, ["Teatro Colón", "Lima"]) == name_hash("Los Ángeles Azules")


@pytest.mark.parametrize(
    ("name", "marker"),
    [("X - Early Show", "early"), ("X (late show)", "late"), ("Matinée: X", "matinee"), ("X Día 2", "day2"),
     ("X, day II", "day2"), ("X segunda función", "session2"), ("X session 03", "session3"), ("Late Night X", ""),
     ("X 2da noche", "day2"), ("X, 1ª função", "session1"), ("X función de la tarde", "afternoon"),
     ("X turno noche", "late"), ("X Day One", "day1"), ("Day 2 early show: X", "day2+early"),
     ("One Night X", ""), ("Una noche con X", ""), ("X 3 Day Pass", ""), ("X día 25", ""), ("X, dia 5 de mayo", "")],
)  # fmt: skip
def test_session_markers_are_apart_from_the_name(name, marker):
    assert session_marker(name) == marker
    if marker.startswith(("early", "late", "matinee", "day", "session")):
        assert name_hash(name) == name_hash("X")


def test_a_name_of_nothing_but_noise_still_has_a_hash_of_its_own():
    hashes = {name_hash("Show"), name_hash("Evento"), name_hash("🔥"), name_hash("🎉"), name_hash("Teatro", ["Teatro"])}
    assert len(hashes) == 5


@pytest.mark.parametrize(
    ("name", "series"),
    [("Rock al Parque 2026 - Día 2", "Rock al Parque"), ("Lollapalooza Chile (Day 1)", "Lollapalooza Chile"),
     ("Festival Cordillera: Sábado, 12 de septiembre - Día 1", "Festival Cordillera"),
     ("Estéreo Picnic Día Uno 21/03/2026 @ Parque Simón", "Estéreo Picnic"),
     ("D'Oeste Fest \u2013 Dia 3", "D'Oeste Fest"),
     ("Mutek, 5ta Edición", "Mutek"), ("Día 2", None), ("X - Early Show", None), ("X 2026", None), ("", None)],
)  # fmt: skip
def test_the_series_is_the_name_without_day_date_and_edition(name, series):
    assert series_name(name) == series


@given(st.text(max_size=30), st.sampled_from(["", " - Día 2", " 2026", " (12/03)", " early show", " vol. 3"]))
def test_names_are_always_read(text, tail):
    name = text + tail
    assert len(name_hash(name)) == 16
    series = series_name(name)
    assert series is None or series == series.strip() != ""


def happening(record, name, start, end=None, venue="v1", **values):
    row = {"source": "s", "table_name": "t", "record_id": record, "name": name, "venue_id": venue}
    return {**row, "starts_at_text": start, "ends_at_text": end, **values}


def times(*rows):
    frame = pl.DataFrame(list(rows), schema={**EVENT_MENTIONS, "venue_id": pl.String})
    return event_times(frame, {"v1": Venue(["Teatro Colón"], "CO", "America/Bogota"), "v2": Venue([], "MX", None)})


def test_event_times_say_when_and_which():
    found = times(
        happening("1", "Los Azules en vivo - Teatro Colón", "2026-03-01T01:30", "2026-03-01T04:00"),
        happening("2", "Rock Fest Día 2", "2026-03-01", "2026-03-04", venue="v2"),
        happening("3", "X", "2026-03-01T20:00", "2026-03-01T19:00", venue=None, country="Perú"),
        happening("4", "X", "soon"),
        happening("5", "X", None, "2026-03-01T19:00"),
        happening("6", "X", "2026-03-01T20:00", "late", venue="gone"),
    )
    assert dict(found.schema) == TIMES
    assert found["record_id"].to_list() == list("123456")
    columns = ("local_date", "has_time", "zone", "marker", "series", "warning")
    first, second, third, fourth, fifth, sixth = (tuple(row[c] for c in columns) for row in found.iter_rows(named=True))
    assert first == (date(2026, 2, 28), True, "America/Bogota", "", None, None)
    assert second == (date(2026, 3, 1), False, "America/Mexico_City", "day2", "Rock Fest", "MX has several zones")
    assert third == (date(2026, 3, 1), True, "America/Lima", "", None, "time: ends before it starts")
    assert fourth == (None, None, "America/Bogota", "", None, "time: not a time")
    assert fifth[-1] == "time: not a time"
    assert sixth[-1] == "time: the end is not a time"
    hashes = [name_hash(name) for name in ("Azules", "Rock Fest")]
    assert found["event_key"].to_list() == [
        f"v1|2026-02-28||{hashes[0]}", f"v2|2026-03-01|day2|{hashes[1]}", None, None, None,
        f"gone|2026-03-01||{name_hash('X')}"
    ]  # fmt: skip
    assert found["starts_at"][0] == datetime(2026, 3, 1, 6, 30, tzinfo=UTC)
    assert [end is None for end in found["ends_at"]] == [False, True, True, True, True, True]


def test_event_times_do_not_hang_on_order_or_company():
    rows = [
        happening(str(n), f"X {n % 3}", f"2026-03-0{n}T2{n % 4}:00", venue=("v1", "v2", None)[n % 3], city="Bogotá")
        for n in range(1, 9)
    ]
    found = times(*rows)
    assert times(*reversed(rows)).reverse().equals(found)
    assert pl.concat([times(row) for row in rows]).equals(found)
    assert times().height == 0


def test_a_venue_has_all_its_names_and_the_zone_of_its_coordinates():
    mentions = pl.DataFrame(
        [
            (0, "venue", False, "Colón", "CO", None, None),
            (1, "venue", False, "Teatro Colón", None, 4.6, -74.07),
            (2, "artist", False, "X", None, None, None),
        ],
        ["row", "entity_type", "embedded", "name", "country_code", "latitude", "longitude"],
        orient="row",
    )
    members = pl.DataFrame({"row": [0, 1, 2], "entity_id": ["v1", "v1", "a1"]})
    assert venues(mentions, members) == {"v1": Venue(["Colón", "Teatro Colón"], "CO", "America/Bogota")}
