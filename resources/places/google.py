"""Google Places (Find Place and Place Details, https://developers.google.com/maps/documentation/places/web-service).

The API key travels in the address of each request, so that no message, cause or log line of here may hold an address.
"""

import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import tenacity

from resources.errors import TerminalError, TransientError
from resources.places.interface import FAR_METRES, NO_ID, Place, Query, distinct
from resources.places.limits import Meter

if TYPE_CHECKING:
    import googlemaps

URL = "https://maps.googleapis.com"
TIMEOUT_SECONDS = 10.0
ATTEMPTS, BASE_SECONDS = 3, 2.0
FIELDS = ["place_id", "name", "formatted_address", "geometry/location"]
PASSING = frozenset({"OVER_QUERY_LIMIT", "UNKNOWN_ERROR"})
NOTHING = frozenset({"NOT_FOUND", "INVALID_REQUEST", "ZERO_RESULTS"})
"""Answers that say there is no such place: an id is NOT_FOUND once it is gone, INVALID_REQUEST if it never was one."""
_KEY = re.compile(r"(\bkey=)[^&\s\"']+")

Call = Callable[[], Mapping[str, Any]]


class GooglePlaces:
    """Asks within what `meter` allows. A query that stays unanswered is None, and the next run's."""

    origin = "google"
    # Google's terms: ids for good, anything else for 30 days.
    keeps: timedelta | None = timedelta(days=30)

    def __init__(
        self, client: "googlemaps.Client", meter: Meter, *, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        self._client, self._meter, self._sleep = client, meter, sleep

    def find(self, queries: Sequence[Query]) -> Iterator[list[Place] | None]:
        """Ask as they are taken. Raises TerminalError where Google refuses us: the key or its rights are wrong."""
        return map(self._find, queries)

    def refresh(self, place_ids: Sequence[str]) -> dict[str, str | None]:
        """Return today's id of each id, None or NO_ID; asks for the id alone, which Google does not bill.

        Raises TerminalError as `find` does.
        """
        answers = ((place_id, self._current(place_id)) for place_id in place_ids)
        return {place_id: _id_of(answer) for place_id, answer in answers if answer is not None}

    def _find(self, query: Query) -> list[Place] | None:
        text = ", ".join(filter(None, [query.name, query.address, query.city, query.country]))
        bias = None
        if query.latitude is not None and query.longitude is not None:
            bias = f"circle:{FAR_METRES:.0f}@{query.latitude},{query.longitude}"

        def call() -> Mapping[str, Any]:
            found: Mapping[str, Any] = self._client.find_place(text, "textquery", fields=FIELDS, location_bias=bias)
            return found

        answer = self._ask(call, repr(text), paid=True)
        return None if answer is None else distinct(map(_from_google, answer.get("candidates", [])))

    def _current(self, place_id: str) -> Mapping[str, Any] | None:
        def call() -> Mapping[str, Any]:
            found: Mapping[str, Any] = self._client.place(place_id, fields=["place_id"])
            return found

        return self._ask(call, f"the id {place_id}", paid=False)

    def _ask(self, call: Call, what: str, *, paid: bool) -> Mapping[str, Any] | None:
        if not self._meter.may_ask():
            return None
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(ATTEMPTS),
            wait=tenacity.wait_random_exponential(multiplier=BASE_SECONDS, max=30),
            retry=tenacity.retry_if_exception_type(TransientError),
            sleep=self._sleep,
            reraise=True,
        )
        try:
            answer: Mapping[str, Any] | None = retrying(self._attempt, call, what, paid)
        except TransientError as error:
            self._meter.failed(str(error))
            return None
        if answer is not None:
            self._meter.answered()
        return answer

    def _attempt(self, call: Call, what: str, paid: bool) -> Mapping[str, Any] | None:  # noqa: FBT001 - tenacity's call
        if paid and not self._meter.spend():
            return None
        answer = _outcome(call, what)
        if isinstance(answer, Exception):
            # Raised here, not where the client's own error is at hand: that would be its context, and holds the key.
            raise answer
        return answer


def connect(key: str, *, per_second: int, base_url: str = URL, timeout: float = TIMEOUT_SECONDS) -> "googlemaps.Client":
    """Return a client that sends each request once, at most `per_second` of them. Connects to nothing yet.

    Raises TerminalError where the key cannot be one.
    """
    import googlemaps
    import requests

    _redact_logs()
    session = requests.Session()
    # The client would try HTTP 500 again by itself, past the meter: an error here keeps it from that.
    session.hooks["response"].append(_refuse_failures)
    try:
        return googlemaps.Client(
            key=key, timeout=timeout, queries_per_second=per_second, queries_per_minute=per_second * 60,
            retry_over_query_limit=False, requests_session=session, base_url=base_url,
            requests_kwargs={"allow_redirects": False},
        )  # fmt: skip
    except ValueError:
        pass  # its message is not ours to show, nor its context
    raise TerminalError("GOOGLE_MAPS_API_KEY is no key of Google Maps (they begin with AIza): set it again")


def _refuse_failures(response: Any, **_: object) -> None:
    if response.status_code >= 500:
        response.raise_for_status()


def _outcome(call: Call, what: str) -> Mapping[str, Any] | TransientError | TerminalError:
    """Return the answer or our error, without a trace of the client's."""
    from googlemaps import exceptions

    try:
        return call()
    except exceptions.ApiError as error:
        return _refusal(str(error.status), error.message, what)
    except exceptions.HTTPError as error:
        if 300 <= error.status_code < 500 and error.status_code not in {408, 429}:
            return TerminalError(f"Google Places refused {what} (HTTP {error.status_code}): check GOOGLE_MAPS_API_KEY")
        reason = f"HTTP {error.status_code}"
    except (exceptions.TransportError, exceptions.Timeout) as error:
        reason = type(getattr(error, "base_exception", None) or error).__name__
    except (ValueError, KeyError, TypeError):
        reason = "its answer is not what was expected"
    return TransientError(f"Google Places did not answer {what} ({reason}): the next run asks again")


def _refusal(status: str, message: str | None, what: str) -> Mapping[str, Any] | TransientError | TerminalError:
    if status in NOTHING:
        return {"status": status}
    if status in PASSING:
        return TransientError(f"Google Places did not answer {what} ({status}): the next run asks again")
    told = _redacted(f"{status}: {message}" if message else status)
    return TerminalError(f"Google Places refused {what} ({told}): check GOOGLE_MAPS_API_KEY, its rights and billing")


def _redacted(text: str) -> str:
    return re.sub(r"AIza[\w-]+", "***", _KEY.sub(r"\1***", text))


class _NoKeys(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        message = record.getMessage()
        if "key=" in message:
            record.msg, record.args = _redacted(message), ()
        return True


_NO_KEYS = _NoKeys()


def _redact_logs() -> None:
    # The HTTP library logs each address at level DEBUG; to add a filter twice is to add it once.
    logging.getLogger("urllib3.connectionpool").addFilter(_NO_KEYS)


def _id_of(answer: Mapping[str, Any]) -> str | None:
    if answer.get("status") == "INVALID_REQUEST":
        return NO_ID
    return answer.get("result", {}).get("place_id") or None


def _from_google(row: Mapping[str, Any]) -> Place:
    location = row.get("geometry", {}).get("location", {})
    return Place(
        row["place_id"],
        row.get("name", ""),
        row.get("formatted_address"),
        location.get("lat"),
        location.get("lng"),
    )
