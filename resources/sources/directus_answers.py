"""What Directus' answers mean: its errors, its envelope, and of a record only what paging needs. Pure.

A record is split off verbatim (`msgspec.Raw`): it is decoded once, where it is judged (batches.py).
"""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from resources import http

_TOKEN = frozenset({"INVALID_CREDENTIALS", "TOKEN_EXPIRED", "INVALID_TOKEN", "INVALID_OTP", "USER_SUSPENDED"})
_SHOWN = 300
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


class Edge(msgspec.Struct):
    """A record's id and clocks, as text."""

    id: str | int
    date_updated: str | None = None
    date_created: str | None = None


class Deleted(msgspec.Struct):
    """An entry of the activity log."""

    id: int
    item: str
    timestamp: datetime


class _Rows(msgspec.Struct):
    data: list[msgspec.Raw]


class _Problem(msgspec.Struct):
    message: str = ""
    extensions: dict[str, Any] = {}


class _Problems(msgspec.Struct):
    errors: list[_Problem] = []


_rows = msgspec.json.Decoder(_Rows)
_edge = msgspec.json.Decoder(Edge)
_deleted = msgspec.json.Decoder(Deleted)
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])
_problems = msgspec.json.Decoder(_Problems)
_info = msgspec.json.Decoder(dict[str, Any])


def rows(body: bytes) -> list[msgspec.Raw]:
    """Return the records, each as it was sent. Raises msgspec's error where the body is cut short."""
    return _rows.decode(body).data


def edge(row: msgspec.Raw | bytes) -> Edge:
    """Return what paging needs of a record."""
    return _edge.decode(row)


def deleted(row: msgspec.Raw) -> Deleted:
    """Return an entry of the activity log; its time is in UTC."""
    return _deleted.decode(row)


def keys(row: msgspec.Raw | bytes) -> frozenset[str]:
    """Return the names of the fields that were sent."""
    return frozenset(_keys.decode(row))


def like(sample: msgspec.Raw, ids: Sequence[str]) -> list[str]:
    """Return those that may be keys of the collection, whose keys are like the sample's: numbers, UUIDs, any text."""
    key = edge(sample).id
    if isinstance(key, int):
        return [id for id in ids if id.isascii() and id.isdecimal()]
    return [id for id in ids if _UUID.fullmatch(id)] if _UUID.fullmatch(key) else list(ids)


def most(body: bytes) -> int | None:
    """Return how many rows `/server/info` allows in a page: 0 where any number, None where it does not tell."""
    limit = (_info.decode(body).get("data") or {}).get("queryLimit")
    if not isinstance(limit, dict):
        return None
    value = limit.get("max")
    return value if isinstance(value, int) and value > 0 else 0


def verdict(status: int, headers: Mapping[str, str], body: bytes) -> http.Verdict:
    """Judge an answer by its status and Directus' error code."""
    if status == 200:
        return http.FINE
    problem = _problem(body)
    code = str(problem.extensions.get("code") or "")
    if status == 429 or code == "UNDER_PRESSURE":
        return http.wait(max(http.retry_after(headers), _until(problem.extensions.get("reset"))), "too many requests")
    if status == 408 or status >= 500:
        return http.transient(f"status {status} {code}".strip())
    return http.terminal(_refusal(status, code, problem.message))


def _refusal(status: int, code: str, message: str) -> str:
    if status == 401 or code in _TOKEN:
        return f"the token in DIRECTUS_TOKEN is not valid, or not any more ({code or status}): set a new one"
    said = f": {message[:_SHOWN]}" if message else ""
    match status:
        case 403:
            return f"Directus forbids this, or does not have it: let the role of DIRECTUS_TOKEN read it{said}"
        case 404:
            return f"there is no such route ({code or status}): is DIRECTUS_URL the address of Directus itself?"
        case 431 | 414:
            return f"the request is too long for the server ({status}): raise its limit of URLs to 16 KiB"
    return f"Directus refuses the request ({status} {code}){said}"


def _problem(body: bytes) -> _Problem:
    """Return the first error; an empty one where the body is none of Directus' own, as a proxy's page."""
    try:
        return next(iter(_problems.decode(body).errors), _Problem())
    except msgspec.MsgspecError:
        return _Problem()


def _until(reset: Any) -> float:
    try:
        return (datetime.fromisoformat(reset) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return 0.0
