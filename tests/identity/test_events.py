"""Local dates and event names: one event one key, two shows two keys."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.event_names import name_hash, session_marker
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
     "Teatro Colón presenta: Los Angeles Azules, 12 de marzo", "Angeles Azules Tour 2026 en Lima"],
)  # fmt: skip
def test_venue_city_date_and_boilerplate_do_not_tell_events_apart(name):
    assert name_hash(name, ["Teatro Colón", "Lima"]) == name_hash("Los Ángeles Azules")


@pytest.mark.parametrize(
    ("name", "marker"),
    [("X - Early Show", "early"), ("X (late show)", "late"), ("Matinée: X", "matinee"), ("X Día 2", "day2"),
     ("X, day II", "day2"), ("X segunda función", "session2"), ("X session 03", "session3"), ("Late Night X", "")],
)  # fmt: skip
def test_session_markers_are_apart_from_the_name(name, marker):
    assert session_marker(name) == marker
    if marker:
        assert name_hash(name) == name_hash("X")


def test_a_name_of_nothing_but_noise_still_has_a_hash_of_its_own():
    hashes = {name_hash("Show"), name_hash("Evento"), name_hash("🔥"), name_hash("🎉"), name_hash("Teatro", ["Teatro"])}
    assert len(hashes) == 5
