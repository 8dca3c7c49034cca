"""The HTTP client against a real server that fails on demand. No wait is real: `sleep` only notes it."""

import json
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import urllib3
from hypothesis import given
from hypothesis import strategies as st

from resources import http
from resources.errors import TerminalError, TransientError
from tests.support.faults import Answer, Asked, ContractServer, Fault

SECRET = "s3cret-token"  # noqa: S105


class Echo(ContractServer):
    allowed = frozenset({"GET", "SEARCH"})

    def respond(self, asked: Asked) -> Answer:
        return Answer(200, json.dumps([asked.params, asked.body.decode()]).encode())


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, list[float]()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def clock(self) -> float:
        return self.now


def verdict(status: int, headers: Any, body: bytes) -> http.Verdict:
    match status:
        case 200:
            return http.FINE
        case 429:
            return http.wait(http.retry_after(headers), "too many requests")
        case 402:
            return http.later("quota used up")
        case 500:
            return http.transient("status 500")
    return http.terminal(f"status {status}")


@pytest.fixture
def server() -> Iterator[Echo]:
    with Echo() as echo:
        yield echo
        assert not echo.forbidden


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def client(server: Echo, time: Time) -> Iterator[http.Client]:
    with connect(server.url, time) as found:
        yield found


@pytest.fixture(scope="module")
def kept() -> Iterator[http.Client]:
    """Return one client for all of hypothesis' examples."""
    with Echo() as echo, connect(echo.url, Time()) as found:
        yield found


def connect(url: str, time: Time, **options: Any) -> http.Client:
    headers = {"Authorization": f"Bearer {SECRET}"}
    return http.Client("echo", url, headers, verdict=verdict, sleep=time.sleep, clock=time.clock, **options)


@pytest.mark.parametrize("fault", ["reset", "truncated", Answer(500)])
def test_a_failure_is_tried_again_after_a_random_wait(
    server: Echo, client: http.Client, time: Time, fault: Fault
) -> None:
    server.fail(fault, fault)
    assert client.get("/x")
    assert len(server.requests) == 3
    assert 0 <= time.slept[0] <= 2
    assert 0 <= time.slept[1] <= 4


@pytest.mark.parametrize("fault", ["reset", "truncated", Answer(500, SECRET.encode())])
def test_three_failures_are_transient_and_say_where(server: Echo, client: http.Client, fault: Fault) -> None:
    server.fail(fault, fault, fault)
    with pytest.raises(TransientError, match=r"echo: GET /x failed 3 times, at last: .+; try again later") as caught:
        client.get("/x", {"filter": SECRET})
    assert len(server.requests) == 3
    assert SECRET not in told(caught.value)


def test_an_answer_that_does_not_decode_is_a_failure(server: Echo, client: http.Client) -> None:
    server.fail("half JSON")
    assert client.get_as(msgspec.json.decode, "/x") == [{}, ""]
    server.fail("half JSON", "half JSON", "half JSON")
    with pytest.raises(TransientError, match="cut short"):
        client.get_as(msgspec.json.decode, "/x")


def test_a_late_answer_is_a_failure(server: Echo, time: Time) -> None:
    server.fail("slow", "slow", "slow")
    with (
        connect(server.url, time, timeout=urllib3.Timeout(connect=1, read=0.05)) as client,
        pytest.raises(TransientError, match="did not answer in time"),
    ):
        client.get("/x")


def test_nobody_there(time: Time) -> None:
    with Echo() as gone:
        url = gone.url
    with connect(url, time) as client, pytest.raises(TransientError, match="cannot be connected to"):
        client.get("/x")


def test_waiting_for_its_turn_is_no_failed_attempt(server: Echo, client: http.Client, time: Time) -> None:
    server.fail(*[Answer(429, headers={"Retry-After": "7"})] * 5)
    assert client.get("/x")
    assert time.slept == [7] * 5


def test_a_wait_has_a_floor_a_number_and_a_cap(server: Echo, client: http.Client, time: Time) -> None:
    server.fail(*[Answer(429, headers={"Retry-After": "0"})] * http.WAITS)
    with pytest.raises(TransientError, match="too many requests"):
        client.get("/x")
    assert set(time.slept) == {http.FLOOR_SECONDS}
    server.fail(Answer(429, headers={"Retry-After": "4000"}))
    with pytest.raises(TransientError, match="asks to wait 4000 s"):
        client.get("/x")


def test_one_refusal_holds_back_all_threads(time: Time) -> None:
    gate = http.Gate(None, time.sleep, time.clock)
    gate.hold(30)
    gate.hold(5)
    gate.enter()
    gate.enter()
    assert time.slept == [30]


@given(st.integers(5, 200), st.lists(st.floats(0, 20), min_size=1, max_size=60))
def test_no_minute_has_more_requests_than_allowed(per_minute: int, pauses: list[float]) -> None:
    time = Time()
    gate = http.Gate(per_minute, time.sleep, time.clock)
    entered = []
    for pause in pauses * 4:
        time.now += pause if pause > 10 else 0
        gate.enter()
        entered.append(time.now)
    for first, later in zip(entered, entered[per_minute:], strict=False):
        assert later - first > 60 - 1e-6


@pytest.mark.parametrize(("status", "error"), [(404, http.Refused), (402, TransientError)])
def test_what_needs_no_second_attempt(server: Echo, client: http.Client, status: int, error: type[Exception]) -> None:
    server.fail(Answer(status, b'{"a":1}'))
    with pytest.raises(error) as caught:
        client.get("/x")
    assert len(server.requests) == 1
    if isinstance(caught.value, http.Refused):
        assert (caught.value.status, caught.value.body) == (404, b'{"a":1}')


def test_a_redirect_is_not_followed(server: Echo, client: http.Client) -> None:
    with Echo() as other:
        server.fail(Answer(302, headers={"Location": f"{other.url}/y?key={SECRET}"}))
        with pytest.raises(TerminalError, match=r"redirects to 127\.0\.0\.1") as caught:
            client.get("/x")
        assert not other.requests
    assert SECRET not in told(caught.value)


@given(st.dictionaries(st.text(min_size=1), st.text(min_size=1), min_size=1))
def test_parameters_arrive_as_they_are(kept: http.Client, found: dict[str, str]) -> None:
    assert json.loads(kept.get("/x", found))[0] == found


def test_a_plus_sign_is_encoded(server: Echo, client: http.Client) -> None:
    client.get("/x", {"at": "2026-11-01T00:00:00+00:00"})
    assert "+" not in server.requests[0].target


def test_search_sends_its_query_in_the_body(server: Echo, client: http.Client) -> None:
    sent = json.loads(json.loads(client.search("/x", {"limit": 3}))[1])
    assert sent == {"query": {"limit": 3}}
    asked = server.requests[0]
    assert (asked.method, asked.headers["Content-Type"]) == ("SEARCH", "application/json")
    assert asked.headers["Authorization"] == f"Bearer {SECRET}"


def test_threads_share_connections(server: Echo, time: Time) -> None:
    with connect(server.url, time, connections=2) as client, ThreadPoolExecutor(8) as pool:
        assert len(list(pool.map(lambda _: client.get("/x"), range(40)))) == 40
        assert client._pool.connection_from_url(server.url).num_connections <= 2


@pytest.mark.parametrize(
    "url", ["directus.example", "ftp://directus.example", "http://", "http://a:notaport", f"http://u:{SECRET}@a",
            f"http://{SECRET}@a", f"http://a/?access_token={SECRET}"],
)  # fmt: skip
def test_a_url_that_cannot_be_used_is_said_without_its_secret(url: str, time: Time) -> None:
    with pytest.raises(TerminalError, match="echo: its URL must") as caught:
        connect(url, time)
    assert SECRET not in told(caught.value)


def test_a_token_that_no_header_can_hold_is_not_shown() -> None:
    with pytest.raises(TerminalError, match="the value of Authorization") as caught:
        http.Client("echo", "http://a", {"Authorization": f"{SECRET}\n"}, verdict=verdict)
    assert SECRET not in told(caught.value)


def test_the_client_shows_no_secret(client: http.Client) -> None:
    assert SECRET not in repr(client)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [(None, 0), ("0", 0), ("2.5", 2.5), ("-3", 0), ("Sat, 21 Nov 2026 10:00:30 GMT", 30), ("soon", 0)],
)
def test_retry_after(text: str | None, seconds: float) -> None:
    headers = {"Retry-After": text} if text else {}
    assert http.retry_after(headers, datetime(2026, 11, 21, 10, tzinfo=UTC)) == seconds


def told(error: BaseException) -> str:
    """Return all that a log of the error would show."""
    return "".join(traceback.format_exception(error))
