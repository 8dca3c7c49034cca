"""A server on 127.0.0.1 that answers as Google documents Find Place and Place Details."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from resources.places import GooglePlaces, Limits, RunMeter
from resources.places.google import connect

KEY = "AIzaSyTheKeyThatNobodyMaySee"
FIND, DETAILS = "/maps/api/place/findplacefromtext/json", "/maps/api/place/details/json"


class Google:
    """Knows `places` by the text asked and `ids` by their id; `script` holds what the next requests get instead."""

    def __init__(self) -> None:
        self.places: dict[str, list[dict]] = {}
        self.ids: dict[str, str] = {}
        self.script: list[str | int | bytes | float] = []
        self.asked: list[dict[str, str]] = []
        self.url = ""

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, bytes]:
        self.asked.append(query)
        step = self.script.pop(0) if self.script else None
        match step:
            case int():
                return step, b"<html>Error</html>"
            case float():
                time.sleep(step)
            case bytes():
                return 200, step
            case str():
                return 200, _json(status=step, error_message="You must use an API key", candidates=[])
        if query.get("key") != KEY:
            return 200, _json(status="REQUEST_DENIED", error_message=f"The key {query.get('key')} is invalid.")
        return 200, self._find(query) if path == FIND else self._details(query)

    def _find(self, query: dict[str, str]) -> bytes:
        assert query["inputtype"] == "textquery"
        found = self.places.get(query["input"], [])
        kept = [{name: one[name] for name in one if name in query["fields"]} for one in found]
        return _json(status="OK" if found else "ZERO_RESULTS", candidates=kept)

    def _details(self, query: dict[str, str]) -> bytes:
        assert query["fields"] == "place_id"
        now = self.ids.get(query["placeid"])
        if now is None:
            return _json(status="NOT_FOUND", html_attributions=[])
        return _json(status="OK", result={"place_id": now}, html_attributions=[])


def _json(**values: object) -> bytes:
    return json.dumps(values).encode()


@pytest.fixture
def google() -> Iterator[Google]:
    register = Google()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            assert parts.path in (FIND, DETAILS)
            status, body = register.answer(parts.path, {k: v[0] for k, v in parse_qs(parts.query).items()})
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Location", f"http://elsewhere.example/?key={KEY}")
            self.end_headers()
            with suppress(ConnectionError):  # who did not wait is gone
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    register.url = f"http://127.0.0.1:{server.server_port}"
    yield register
    server.shutdown()
    server.server_close()


@pytest.fixture
def waits() -> list[float]:
    """Return the seconds that were waited between attempts; nobody waits."""
    return []


@pytest.fixture
def places(google, waits):
    """Return a function that makes the client, with its key, limits and meter."""

    def make(key=KEY, run=1_000, per_second=100, meter=None, timeout=5.0):
        limits = Limits(run=run, per_second=per_second)
        client = connect(key, per_second=per_second, base_url=google.url, timeout=timeout)
        return GooglePlaces(client, meter or RunMeter(limits), sleep=waits.append)

    return make
