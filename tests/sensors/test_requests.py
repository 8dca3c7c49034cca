"""Days and tables to run requests: exactly what was touched, in as few ranges as there are gaps."""

from datetime import date, timedelta
from itertools import pairwise

import dagster as dg
from hypothesis import given
from hypothesis import strategies as st

from sensors.requests import MOST_RUNS, ranges, requests
from sonik_assets.partitions import FIRST_DAY

BEGIN = date.fromisoformat(FIRST_DAY)
TODAY = BEGIN + timedelta(days=300)
DAYS = st.sets(st.dates(BEGIN - timedelta(days=20), TODAY + timedelta(days=20)))


@given(DAYS)
def test_ranges_hold_exactly_the_partitions_of_the_days(days: set[date]) -> None:
    found = ranges(days, TODAY)
    inside = [first + timedelta(n) for first, last in found for n in range((last - first).days + 1)]
    assert inside == sorted({max(day, BEGIN) for day in days if day <= TODAY})
    assert all(next_[0] - before[1] > timedelta(days=1) for before, next_ in pairwise(found))


def asked(request: dg.RunRequest) -> tuple[str, str, set[str]]:
    first, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    return first, last, {".".join(key.path) for key in request.asset_selection or ()}


def test_tables_with_one_range_share_a_request_and_no_other() -> None:
    day = TODAY - timedelta(days=9)
    next_day = day + timedelta(days=1)
    touched = {"raw_a.x": {day, next_day, TODAY}, "raw_a.y": {next_day, day}, "raw_a.z": set[date]()}
    found = list(requests(touched, dict.fromkeys(touched, "seen"), TODAY))
    assert [asked(r) for r in found] == [
        (str(day), str(next_day), {"raw_a.x", "raw_a.y"}),
        (str(TODAY), str(TODAY), {"raw_a.x"}),
    ]


def test_a_whole_history_is_one_run() -> None:
    days = {TODAY - timedelta(days=2 * n) for n in range(MOST_RUNS)}
    assert len(list(requests({"raw_a.x": days}, {"raw_a.x": "1"}, TODAY))) == MOST_RUNS
    touched = {"raw_a.x": days, "raw_a.y": {TODAY - timedelta(days=99)}, "raw_a.z": set[date]()}
    (request,) = requests(touched, dict.fromkeys(touched, "1"), TODAY)
    assert asked(request) == (str(TODAY - timedelta(days=99)), str(TODAY), {"raw_a.x", "raw_a.y"})


def test_the_run_key_is_the_change_s_and_no_other_s() -> None:
    def key(seen: str, day: date = TODAY, relation: str = "raw_a.x") -> str | None:
        (request,) = requests({relation: {day}}, {relation: seen}, TODAY)
        return request.run_key

    yesterday = TODAY - timedelta(days=1)
    assert key("1") == key("1")
    assert len({key("1"), key("2"), key("1", yesterday), key("1", relation="raw_a.y")}) == 4
