"""What Twenty's answers mean: pages, errors, rate limits.

Here: bodies, status codes, headers. Not here: what is asked (twenty.py), and how often again (resources/http.py).
"""

import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime

import msgspec

from resources import http

PAUSE_SECONDS = 15.0
"""How long to wait where a 429 does not say: a quarter of the minute that Twenty counts in."""
_SHOWN = 200
_OURS = re.compile(
    r"(?i)invalid cursor|\b(filter|order_by|limit|depth|starting_after)\b.*\b(in)?valid\b|"
    r"\b(object|field)\b.*(not found|does not exist|doesn't exist)|\b(unknown|invalid|malformed) (object|field|filter)"
)
"""Messages of a 400 that name the request. All others may be the server's own trouble, which passes."""


class _PageInfo(msgspec.Struct, rename="camel"):
    end_cursor: str | None = None
    has_next_page: bool = False


class _Answer(msgspec.Struct, rename="camel"):
    data: dict[str, list[msgspec.Raw]]
    page_info: _PageInfo


class _Touched(msgspec.Struct, rename="camel"):
    updated_at: datetime | None = None


class _Days(msgspec.Struct):
    data: dict[str, list[_Touched]]


class _Id(msgspec.Struct):
    id: str | None = None


_answer = msgspec.json.Decoder(_Answer)
_days = msgspec.json.Decoder(_Days)
_id = msgspec.json.Decoder(_Id)


@dataclass(frozen=True)
class Page:
    """Records as they were sent, and the cursor of the next page; None after the last one."""

    records: list[bytes]
    following: str | None


def page(name: str, *, after: str | None) -> Callable[[bytes], Page]:
    """Return the decoder of the page of this object after that cursor. It raises ValueError or msgspec's error.

    A page that ends where the one before ended is that page again: taking it would never come to an end.
    """

    def decode(body: bytes) -> Page:
        answer = _answer.decode(body)
        info = answer.page_info
        if name not in answer.data:
            raise ValueError(f"no {name} in the answer")
        if info.has_next_page and info.end_cursor in (None, after):
            raise ValueError("there is a next page, and no way to it")
        records = [bytes(record) for record in answer.data[name]]
        return Page(records, info.end_cursor if info.has_next_page else None)

    return decode


def day(name: str) -> Callable[[bytes], date | None]:
    """Return the decoder that tells the UTC day on which the answer's first record was touched."""

    def decode(body: bytes) -> date | None:
        found = _days.decode(body).data
        if name not in found:
            raise ValueError(f"no {name} in the answer")
        at = next((record.updated_at for record in found[name]), None)
        return at.astimezone(UTC).date() if at else None

    return decode


def ids(records: Iterable[bytes]) -> list[str]:
    """Return the ids of the records that have one."""
    return [found for record in records if (found := _id.decode(record).id)]


def refuses_cursor(error: http.Refused) -> bool:
    """Tell whether the answer says that the cursor means nothing, perhaps any more."""
    return error.status == 400 and b"invalid cursor" in error.body.lower()


def judge(key: str) -> http.Judge:
    """Return the verdict on Twenty's answers. Its messages are shown, without the key should they hold it."""

    def verdict(status: int, headers: Mapping[str, str], body: bytes) -> http.Verdict:
        said = message(body).replace(key, "***")[:_SHOWN]  # cut last: no part of the key may stay
        if status == 429:
            return http.wait(pause(headers, body), "its rate limit is reached")
        if status == 400:
            refused = f"it refuses the request: {said}; compare its API with resources/sources/twenty.py"
            return http.terminal(refused) if _OURS.search(said) else http.transient(f"HTTP 400: {said}")
        if status >= 500 or status == 408:
            return http.transient(f"HTTP {status}: {said}")
        return _FIXED.get(status) or http.terminal(f"HTTP {status}: {said}; is TWENTY_URL right?")

    return verdict


_FIXED = {
    200: http.FINE,
    401: http.terminal("it does not accept the API key; set TWENTY_API_KEY to one that is valid"),
    402: http.later("the quota of the workspace is used up; try again once there is a new one"),
    403: http.terminal("the role of the API key may not read this; grant it, or set TWENTY_API_KEY to another key"),
    404: http.terminal("there is no such path; set TWENTY_URL to the address of Twenty, without a path"),
}


def message(body: bytes) -> str:
    """Return what an error's body says, in one line."""
    with suppress(msgspec.MsgspecError):
        said = msgspec.json.decode(body)
        if isinstance(said, dict):
            texts = said.get("messages") or [said.get("message") or said.get("error") or "no message"]
            return " ".join(str(texts if isinstance(texts, str) else "; ".join(map(str, texts))).split())
    return "no message"


def pause(headers: Mapping[str, str], body: bytes, now: float | None = None) -> float:
    """Return the seconds that a 429 asks to wait: its body or `Retry-After`, else `X-RateLimit-Reset` (also epoch).

    What is no positive number says nothing.
    """
    said = reset = 0.0
    with suppress(msgspec.MsgspecError, ValueError, TypeError, AttributeError):
        said = float(msgspec.json.decode(body).get("retryAfterSeconds") or 0)
    with suppress(ValueError):
        reset = float(headers.get("X-RateLimit-Reset") or 0)
        moment = reset / 1000 if reset > 1e11 else reset
        reset = moment - (now or time.time()) if moment > 1e8 else moment
    asked = max(said, http.retry_after(headers)) or reset
    return asked if asked > 0 else PAUSE_SECONDS
