"""Asks a source's HTTP API: keep-alive, retries with full jitter, rate limits, and no method that could change a thing.

What an answer means is its source's to say (`verdict`): this module knows status codes only where HTTP itself does.
No message, repr or log holds a header or a query: tokens travel there.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any, Literal, Self
from urllib.parse import quote, urlencode, urlsplit

import msgspec
import tenacity
import urllib3

from resources.errors import TerminalError, TransientError

FLOOR_SECONDS, CAP_SECONDS = 1.0, 120.0
"""A wait that a source asks for is never shorter (Retry-After is often a wrong "0"); where it is longer, give up."""
WAITS, WAITS_SECONDS = 10, 600.0
"""How often, and how long in all, one request waits for its turn before it is given up."""
BURST = 0.1
"""Share of a minute's requests that may come at once; the others are spaced, so that no minute has too many."""
TIMEOUT = urllib3.Timeout(connect=10.0, read=60.0)

Params = Mapping[str, str] | Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Verdict:
    """What an answer means: take it; wait, then ask again; ask again as after a failure; give up, now or for good."""

    kind: Literal["fine", "wait", "transient", "later", "terminal"]
    reason: str = ""
    """For people; without secrets."""
    seconds: float = 0.0


Judge = Callable[[int, Mapping[str, str], bytes], Verdict]
"""Status, headers (names in any case), body -> what it means."""

FINE = Verdict("fine")


def wait(seconds: float, reason: str) -> Verdict:
    """Ask again after that many seconds: a rate limit, which is no failed attempt."""
    return Verdict("wait", reason, seconds)


def transient(reason: str) -> Verdict:
    """Ask again as after any failure; TransientError when the attempts are used up."""
    return Verdict("transient", reason)


def later(reason: str) -> Verdict:
    """Raise TransientError at once: asking again within minutes is of no use."""
    return Verdict("later", reason)


def terminal(reason: str) -> Verdict:
    """Raise `Refused`, a TerminalError, at once."""
    return Verdict("terminal", reason)


class Refused(TerminalError):
    """The source answered, and its answer is no; `status` and `body` are that answer's."""

    def __init__(self, message: str, status: int, body: bytes) -> None:
        super().__init__(message)
        self.status = status
        self.body = body


class _Failed(Exception):
    """One attempt failed; the next may not."""


class Client:
    """One source's API. Safe to use from several threads, which share its connections and its rate."""

    def __init__(
        self,
        name: str,
        base_url: str,
        headers: Mapping[str, str],
        *,
        verdict: Judge,
        per_minute: float | None = None,
        connections: int = 4,
        attempts: int = 3,
        base_seconds: float = 2.0,
        timeout: urllib3.Timeout = TIMEOUT,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Connect to nothing yet. `name` is how messages call the source.

        Raises TerminalError where the URL or a header cannot be used.
        """
        self._name, self._base, self._verdict = name, _checked_url(name, base_url), verdict
        self._gate = Gate(per_minute, sleep, clock)
        self._attempts, self._base_seconds, self._sleep = attempts, base_seconds, sleep
        self._pool = urllib3.PoolManager(
            num_pools=1, maxsize=connections, block=True, headers=_checked_headers(name, headers),
            timeout=timeout, retries=False,
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.clear()

    def get(self, path: str, params: Params = ()) -> bytes:
        """Return the body of the answer; `path` begins with '/', `params` are percent-encoded here.

        Raises Refused (terminal), and TransientError once all attempts or waits are used up.
        """
        return self.get_as(bytes, path, params)

    def get_as[T](self, decode: Callable[[bytes], T], path: str, params: Params = ()) -> T:
        """Return the decoded body; where `decode` raises ValueError or msgspec's error, the attempt has failed."""
        query = urlencode(params, quote_via=quote)  # not quote_plus: '+' and ' ' must arrive as what they are
        return self._ask("GET", path, f"?{query}" if query else "", None, decode)

    def search(self, path: str, query: Mapping[str, Any]) -> bytes:
        """Return the answer to SEARCH, a GET whose query is in the body (Directus); raises as `get` does."""
        return self._ask("SEARCH", path, "", msgspec.json.encode({"query": query}), bytes)

    def _ask[T](self, method: str, path: str, query: str, body: bytes | None, decode: Callable[[bytes], T]) -> T:
        what = f"{self._name}: {method} {path}"
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(self._attempts),
            wait=tenacity.wait_random_exponential(multiplier=self._base_seconds, max=60),
            retry=tenacity.retry_if_exception_type(_Failed),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            answer: T = retrying(self._attempt, what, (method, self._base + path + query, body), decode)
        except _Failed as error:
            text = f"{what} failed {self._attempts} times, at last: {error}; try again later"
            raise TransientError(text) from error.__cause__
        return answer

    def _attempt[T](self, what: str, request: tuple[str, str, bytes | None], decode: Callable[[bytes], T]) -> T:
        """Send until there is another answer than "wait"; raise `_Failed` where sending it again may help."""
        waited = 0.0
        for _ in range(WAITS):
            answer = self._send(*request)
            verdict = self._judge(answer)
            if verdict.kind != "wait":
                return _decoded(decode, _taken(what, verdict, answer))
            seconds = max(FLOOR_SECONDS, verdict.seconds)
            waited += seconds
            if seconds > CAP_SECONDS or waited > WAITS_SECONDS:
                break
            self._gate.hold(seconds)
        raise TransientError(f"{what}: {verdict.reason}: it asks to wait {seconds:.0f} s; try again later")

    def _judge(self, answer: urllib3.BaseHTTPResponse) -> Verdict:
        if 300 <= answer.status < 400:
            # Never followed: the token would go to whatever host is named.
            host = _host(answer.headers.get("Location") or "") or "another path"
            return terminal(f"it redirects to {host}; set the URL of the source to the address that answers")
        return self._verdict(answer.status, answer.headers, answer.data)

    def _send(self, method: str, url: str, body: bytes | None) -> urllib3.BaseHTTPResponse:
        self._gate.enter()
        headers = {**self._pool.headers, "Content-Type": "application/json"} if body else None
        try:
            return self._pool.request(method, url, body=body, headers=headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            raise _Failed(_cause(error)) from error


class Gate:
    """Lets requests through: so many a minute (None: any number), and none while a source asks to wait."""

    def __init__(self, per_minute: float | None, sleep: Callable[[float], None], clock: Callable[[], float]) -> None:
        self._spacing = 60 / (per_minute * (1 - BURST)) if per_minute else 0.0
        self._ahead = self._spacing * max(0.0, (per_minute or 0) * BURST - 1)
        self._sleep, self._clock, self._lock = sleep, clock, Lock()
        self._due = self._held = clock()

    def enter(self) -> None:
        """Return when it is this request's turn."""
        with self._lock:
            now = self._clock()
            turn = max(now, self._due - self._ahead, self._held)
            self._due = max(now, self._due) + self._spacing
        if turn > now:
            self._sleep(turn - now)

    def hold(self, seconds: float) -> None:
        """Let nothing through for so long: one refusal speaks for all threads."""
        with self._lock:
            self._held = max(self._held, self._clock() + seconds)


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float:
    """Return the seconds that the header Retry-After asks for, which may be a number or a date; 0 without it."""
    text = headers.get("Retry-After") or "0"
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def _taken(what: str, verdict: Verdict, answer: urllib3.BaseHTTPResponse) -> bytes:
    if verdict.kind == "terminal":
        raise Refused(f"{what}: {verdict.reason}", answer.status, answer.data)
    if verdict.kind == "later":
        raise TransientError(f"{what}: {verdict.reason}")
    if verdict.kind == "transient":
        raise _Failed(verdict.reason)
    return answer.data


def _decoded[T](decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except (ValueError, msgspec.MsgspecError) as error:
        raise _Failed(f"its answer of {len(body)} bytes is cut short or not what was expected") from error


def _cause(error: urllib3.exceptions.HTTPError) -> str:
    """Say what went wrong in our own words: urllib3's hold the whole URL."""
    match error:
        case urllib3.exceptions.NameResolutionError():
            return "its host name is not known"
        case urllib3.exceptions.ConnectTimeoutError() | urllib3.exceptions.NewConnectionError():
            return "it cannot be connected to"
        case urllib3.exceptions.TimeoutError():
            return "it did not answer in time"
        case urllib3.exceptions.SSLError():
            return "no secure connection (TLS) came about"
        case urllib3.exceptions.DecodeError():
            return "its compressed answer is broken"
    return f"the connection broke ({type(error).__name__})"


def _checked_url(name: str, url: str) -> str:
    """Show nothing of what is wrong: people put tokens into URLs."""
    if not (_host(url) and url.startswith(("http://", "https://"))):
        raise TerminalError(f"{name}: its URL must begin with http:// or https:// and name a host: correct it")
    if set("@?#") & set(url):
        raise TerminalError(f"{name}: its URL must hold no user, password or query, only a token is sent: correct it")
    return url.rstrip("/")


def _host(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.hostname if port != 0 else None


def _checked_headers(name: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Raise here: the HTTP library would quote the value."""
    for key, value in headers.items():
        if not (value.isascii() and value.isprintable()):
            raise TerminalError(f"{name}: the value of {key} holds a character that no header can: set it again")
    return dict(headers)
