"""What Twenty refuses, and how it fails: what passes is waited for, what does not is said, without the key."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import pairwise

import pytest

from resources import http
from resources.errors import SonikError, TerminalError, TransientError
from resources.settings import Settings
from resources.sources import Request, twenty, twenty_answers
from resources.sources.catalogue import table
from tests.support.crm import Crm
from tests.support.faults import Answer
from tests.support.twenty_server import KEY, QUOTA, START, error, limited, shown

PEOPLE = table("twenty.people")
END = START + timedelta(days=1)


@pytest.fixture
def crm() -> Iterator[Crm]:
    with Crm() as server:
        yield server
    assert server.forbidden == []


def read_error(crm: Crm, kind: type[SonikError], name: str = "people") -> str:
    with pytest.raises(kind) as caught:
        list(crm.batches(name=name))
    assert KEY[:8] not in str(caught.value)
    assert type(caught.value) is kind or issubclass(type(caught.value), TerminalError)
    return str(caught.value)


PASSING = error(400, "BadRequestException", "Query read timeout")
BROKEN = Answer(500, b"<html>oops</html>")


@pytest.mark.parametrize("fault", ["reset", "truncated", "half JSON", "slow", "duplicate", PASSING, BROKEN])
def test_a_passing_fault_is_got_over(fault: object) -> None:
    with Crm(limit_max=2) as crm:
        made = {crm.put() for _ in range(5)}
        crm.before = lambda asked: crm.fail(fault) if len(crm.requests) == 2 else None  # type: ignore[arg-type]
        assert crm.ids((None, END)) == made


@pytest.mark.parametrize("fault", ["reset", "half JSON", PASSING, BROKEN])
def test_a_lasting_fault_is_transient_after_three_attempts(crm: Crm, fault: object) -> None:
    crm.fail(*[fault] * 4)  # type: ignore[arg-type]
    assert "twenty: GET /rest/people failed 3 times" in read_error(crm, TransientError)
    assert len(crm.lists) == 3


def test_the_same_page_again_and_again_is_transient() -> None:
    with Crm(limit_max=1) as crm:
        for _ in range(3):
            crm.put()
        crm.before = lambda asked: crm.fail("duplicate") if len(crm.requests) > 1 else None
        assert "twenty" in read_error(crm, TransientError)


@pytest.mark.parametrize(
    ("answer", "least"),
    [
        (limited(body=30), 30),
        (limited(Retry_After="12"), 12),
        (limited(body=3, Retry_After="12"), 12),
        (limited(Retry_After="0"), twenty_answers.PAUSE_SECONDS),
        (limited(X_RateLimit_Limit="100", X_RateLimit_Remaining="0", X_RateLimit_Reset="42"), 42),
        (limited(), twenty_answers.PAUSE_SECONDS),
        (Answer(429, b"slow down"), twenty_answers.PAUSE_SECONDS),
    ],
)
def test_a_rate_limit_is_waited_for_as_long_as_it_says(crm: Crm, answer: Answer, least: float) -> None:
    crm.fail(answer)
    crm.read()
    assert least - 0.5 < sum(crm.slept) <= least + 0.1


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("1800000042", 42), ("1800000042000", 42), ("42", 42), ("1799999999", twenty_answers.PAUSE_SECONDS)],
)
def test_a_reset_is_seconds_or_a_moment_in_seconds_or_milliseconds(reset: str, seconds: float) -> None:
    assert twenty_answers.pause({"X-RateLimit-Reset": reset}, b"{}", now=1_800_000_000.0) == seconds


def test_a_used_up_quota_is_not_asked_again(crm: Crm) -> None:
    crm.fail(QUOTA)
    assert "quota of the workspace is used up" in read_error(crm, TransientError)
    assert len(crm.lists) == 1


def test_a_cursor_that_is_not_accepted_any_more_begins_again() -> None:
    with Crm(limit_max=2) as crm:
        made = {crm.put() for _ in range(6)}
        refused = error(400, "BadRequestException", "Invalid cursor: abc")
        crm.before = lambda asked: crm.fail(refused) if len(crm.requests) == 3 else None
        assert crm.ids((None, END)) == made
        assert [bool(asked.params.get("starting_after")) for asked in crm.lists] == [
            *(False, True, True),
            *(False, True, True),
        ]


def test_a_position_whose_cursor_is_not_accepted_any_more_begins_again(crm: Crm) -> None:
    made = {crm.put() for _ in range(3)}
    assert crm.ids(position={"cursor": "of another version", "began": shown(START)}) == made


def test_a_server_that_refuses_its_own_cursors_is_transient() -> None:
    with Crm(limit_max=1) as crm:
        crm.put(), crm.put()
        crm.before = lambda asked: crm.expired.add(asked.params.get("starting_after", ""))
        assert "refuses its own cursors" in read_error(crm, TransientError)
        assert len(crm.lists) == 4


@pytest.mark.parametrize(
    "message",
    ["object 'people' not found", "field 'updatedAt' does not exist in object person", "'filter' invalid for 'x'"],
)
def test_a_request_that_is_wrong_is_refused_at_once(crm: Crm, message: str) -> None:
    crm.fail(error(400, "BadRequestException", message))
    assert message in read_error(crm, TerminalError)
    assert len(crm.lists) == 1


def test_an_object_that_does_not_exist(crm: Crm) -> None:
    del crm.records["opportunities"]
    assert "'opportunities' not found" in read_error(crm, TerminalError, "opportunities")


@pytest.mark.parametrize(
    ("answer", "advice"),
    [
        (error(401, "UNAUTHENTICATED", f"bad key {KEY}"), "set TWENTY_API_KEY"),
        (error(403, "Forbidden", "no"), "TWENTY_API_KEY"),
        (Answer(404, b"not found"), "TWENTY_URL"),
        (error(418, "Teapot", f"the key {KEY} is wrong"), "HTTP 418: the key *** is wrong"),
        (error(418, "Teapot", f"{'a' * 190}{KEY}"), "aaa***"),
        (Answer(302, b"", {"Location": "https://elsewhere.example/?token=" + KEY}), "elsewhere.example"),
    ],
)
def test_a_refusal_says_what_to_do_and_no_secret(crm: Crm, answer: Answer, advice: str) -> None:
    crm.fail(answer)
    assert advice in read_error(crm, TerminalError)
    assert len(crm.lists) == 1


def test_a_server_that_shows_the_key_in_a_passing_error(crm: Crm) -> None:
    crm.fail(*[error(500, "Error", f"Bearer {KEY}")] * 3)
    assert "***" in read_error(crm, TransientError)


@pytest.mark.parametrize(
    ("name", "env"), [("TWENTY_URL", {}), ("TWENTY_API_KEY", {"TWENTY_URL": "http://127.0.0.1:1"})]
)
def test_a_missing_setting_is_named(name: str, env: dict[str, str]) -> None:
    with pytest.raises(TerminalError, match=name):
        twenty.connect(Settings.from_env(env))


def test_a_server_that_is_down_is_transient(crm: Crm) -> None:
    settings = Settings.from_env({"TWENTY_URL": "http://127.0.0.1:1", "TWENTY_API_KEY": KEY})
    with pytest.raises(TransientError, match="cannot be connected"):
        list(twenty.read(settings, PEOPLE, Request(), client=crm.client(settings)))


def test_no_more_than_a_hundred_requests_a_minute(crm: Crm) -> None:
    now, sent = [0.0], list[float]()

    def sleep(seconds: float) -> None:
        now[0] += seconds

    gate = http.Gate(twenty.PER_MINUTE, sleep, lambda: now[0])
    for _ in range(300):
        gate.enter()
        sent.append(now[0])
    assert all(sum(start <= at < start + 60 for at in sent) <= 100 for start in sent)
    assert all(a <= b for a, b in pairwise(sent))


def test_all_tables_share_the_rate_of_the_workspace(crm: Crm) -> None:
    assert twenty.shared(crm.settings()) is twenty.shared(crm.settings())
