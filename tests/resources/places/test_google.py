"""The contract with Google: each documented answer and failure, the limits, and that nobody sees the key."""

import logging
import time
import traceback

import pytest

from resources.errors import TerminalError
from resources.places import NO_ID, GooglePlaces, Place, Query, RunMeter
from resources.places.google import connect
from resources.places.limits import IN_A_ROW, Limits

KEY = "AIzaSyTheKeyThatNobodyMaySee"
BAR = {
    "place_id": "P1",
    "name": "Bar",
    "formatted_address": "Calle 1, Lima, Perú",
    "geometry": {"location": {"lat": 1.0, "lng": 2.0}},
}
FOUND = Place("P1", "Bar", "Calle 1, Lima, Perú", 1.0, 2.0)


def test_a_place_is_found_near_what_is_known(google, places):
    google.places["Bar, Calle 1, Lima, PE"] = [BAR, {**BAR, "place_id": "P0"}, BAR]
    (found,) = places().find([Query("Bar", "Calle 1", "Lima", "PE", -12.0, -77.0)])
    assert [place.place_id for place in found] == ["P0", "P1"]
    assert found[1] == FOUND
    (asked,) = google.asked
    assert asked["locationbias"] == "circle:5000@-12.0,-77.0"
    assert asked["fields"] == "place_id,name,formatted_address,geometry/location"


@pytest.mark.parametrize("status", ["ZERO_RESULTS", "INVALID_REQUEST", "NOT_FOUND"])
def test_that_nothing_is_there_is_an_answer(google, places, status):
    google.script = [status]
    assert list(places().find([Query("Bar")])) == [[]]


@pytest.mark.parametrize("failure", ["OVER_QUERY_LIMIT", "UNKNOWN_ERROR", 500, 503, 429, b"<html>", b"{}", b"[]"])
def test_what_may_pass_is_tried_again(google, places, waits, failure):
    google.places["Bar"] = [BAR]
    google.script = [failure, failure]
    assert list(places().find([Query("Bar")])) == [[FOUND]]
    assert len(google.asked) == 3
    assert len(waits) == 2


@pytest.mark.parametrize("failure", ["OVER_QUERY_LIMIT", "UNKNOWN_ERROR", 500, 0.5])
def test_what_does_not_pass_is_left_to_the_next_run(google, places, failure):
    google.places["Other"] = [BAR]
    google.script = [failure] * 3
    assert list(places(timeout=0.2).find([Query("Bar"), Query("Other")])) == [None, [FOUND]]


def test_a_register_that_fails_again_and_again_is_left_alone(google, places):
    google.script = [500] * 100
    assert list(places().find([Query(f"Bar {n}") for n in range(10)])) == [None] * 10
    assert len(google.asked) == 3 * IN_A_ROW


def test_no_answer_at_all_is_left_to_the_next_run(waits):
    client = connect(KEY, per_second=10, base_url="http://127.0.0.1:9", timeout=1)
    places = GooglePlaces(client, RunMeter(Limits()), sleep=waits.append)
    assert list(places.find([Query("Bar")])) == [None]


@pytest.mark.parametrize("refusal", ["REQUEST_DENIED", "OVER_DAILY_LIMIT", 403, 302])
def test_a_refusal_stops_the_run(google, places, refusal):
    google.script = [refusal]
    with pytest.raises(TerminalError, match="refused 'Bar'"):
        list(places().find([Query("Bar"), Query("Other")]))
    assert len(google.asked) == 1


def test_answers_before_a_refusal_are_given(google, places):
    google.places["Bar"] = [BAR]
    found = places().find([Query("Bar"), Query("Bar"), Query("Bar")])
    assert next(found) == [FOUND]
    google.script = ["OVER_DAILY_LIMIT"]
    with pytest.raises(TerminalError, match="OVER_DAILY_LIMIT"):
        next(found)


def test_the_budget_is_of_requests_and_running_out_is_no_error(google, places):
    google.places["Bar"] = [BAR]
    google.script = ["UNKNOWN_ERROR"]
    found = list(places(run=3).find([Query("Bar"), Query("Bar"), Query("Bar")]))
    assert found == [[FOUND], [FOUND], None]
    assert len(google.asked) == 3


def test_requests_a_second(google, places):
    client, started = places(per_second=10), time.monotonic()
    list(client.find([Query(f"Bar {n}") for n in range(21)]))
    assert time.monotonic() - started >= 1.0
    assert len(google.asked) == 21


def test_ids_are_refreshed_free_of_charge(google, places):
    google.ids = {"P1": "P1", "P2": "P9"}
    client = places(run=0)
    assert client.refresh(["P1", "P2", "P3"]) == {"P1": "P1", "P2": "P9", "P3": None}
    google.script = ["INVALID_REQUEST"]
    assert client.refresh(["P1"]) == {"P1": NO_ID}
    google.script = ["ZERO_RESULTS"]
    assert client.refresh(["P1"]) == {"P1": None}
    google.script = [500] * 3
    assert client.refresh(["P1", "P2"]) == {"P2": "P9"}


@pytest.mark.parametrize("failure", ["REQUEST_DENIED", 403, 302])
def test_nobody_sees_the_key_in_a_refusal(google, places, failure):
    google.script = [failure]
    with pytest.raises(TerminalError) as caught:
        list(places().find([Query("Bar")]))
    _assert_hidden(caught.value)


def test_nobody_sees_a_wrong_key(google, places):
    wrong, none = f"{KEY}Either", KEY[4:]
    with pytest.raises(TerminalError, match="REQUEST_DENIED") as caught:
        list(places(key=wrong).find([Query("Bar")]))
    _assert_hidden(caught.value)
    with pytest.raises(TerminalError, match="GOOGLE_MAPS_API_KEY") as caught:
        connect(none, per_second=1)
    _assert_hidden(caught.value)


@pytest.mark.parametrize("failure", [500, 0.5, b"<html>", "UNKNOWN_ERROR"])
def test_nobody_sees_the_key_in_a_failure(google, places, caplog, failure):
    caplog.set_level(logging.DEBUG)
    told = []

    class Telling(RunMeter):
        def failed(self, reason):
            told.append(reason)

    google.script = [failure] * 3
    assert list(places(meter=Telling(Limits()), timeout=0.2).find([Query("Bar")])) == [None]
    assert told
    assert failure == 0.5 or "key=***" in caplog.text  # addresses of answers are logged
    assert "NobodyMaySee" not in caplog.text + "".join(told)


def _assert_hidden(error):
    """Look at all that is printed of the error, and at what hangs on it: a context would be the client's own error."""
    told, seen = "".join(traceback.format_exception(error)), []
    while error:
        seen.append(error)
        error = error.__cause__ or error.__context__
    assert "NobodyMaySee" not in told + "".join(f"{one!r} {vars(one)}" for one in seen)
    assert len(seen) == 1
