"""A contract server: an HTTP API of a source over a real socket, in a thread of the test, that fails on demand.

Here: sockets, what was asked, and the faults that any API has. What an API answers is its own server's (`respond`).
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self
from urllib.parse import parse_qsl, urlsplit

Params = dict[str, str]


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    params: Params
    headers: Mapping[str, str]
    body: bytes
    target: str
    """Path and query, not decoded."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


Fault = Literal["reset", "truncated", "half JSON", "slow", "duplicate"] | Answer
"""Close without an answer; stop within the body; a whole answer of half its JSON; be late; say what was said before."""


@dataclass(frozen=True)
class _Due:
    fault: Fault
    path: str


class ContractServer:
    """`with Subclass(...) as server:` serves on 127.0.0.1; `server.url` is where."""

    allowed = frozenset({"GET"})
    """S9: a source is only read. Any other method is answered 405 and kept in `forbidden`."""
    slow_seconds = 0.15

    def __init__(self) -> None:
        self.requests: list[Asked] = []
        self.forbidden: list[str] = []
        self.before: Callable[[Asked], Any] | None = None
        """Called before each request is answered: change rows here to change them between pages."""
        self.lock = threading.RLock()
        self._faults: list[_Due] = []
        self._last: dict[str, Answer] = {}
        self._http: ThreadingHTTPServer | None = None

    def respond(self, asked: Asked) -> Answer:
        """Return the API's answer; called with the lock held."""
        raise NotImplementedError

    def fail(self, *faults: Fault, path: str = "/") -> None:
        """Let the next requests below the path meet these faults, one each."""
        self._faults += [_Due(fault, path) for fault in faults]

    @property
    def url(self) -> str:
        assert self._http is not None
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def asked(self, path: str) -> list[Asked]:
        return [asked for asked in self.requests if asked.path == path]

    def __enter__(self) -> Self:
        self._http = _Http(("127.0.0.1", 0), _handler(self))
        threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        assert self._http is not None
        self._http.shutdown()
        self._http.server_close()

    def answer(self, asked: Asked) -> tuple[Answer, Fault | None]:
        with self.lock:
            self.requests.append(asked)
            if self.before:
                self.before(asked)
            if asked.method not in self.allowed:
                self.forbidden.append(f"{asked.method} {asked.path}")
                return Answer(405), None
            fault = self._due(asked.path)
            if isinstance(fault, Answer):
                return fault, fault
            found = self.respond(asked)
            said = self._last.get(asked.path, found) if fault == "duplicate" else found
            self._last[asked.path] = said
            return said, fault

    def _due(self, path: str) -> Fault | None:
        due = next((each for each in self._faults if path.startswith(each.path)), None)
        if due is None:
            return None
        self._faults.remove(due)
        return due.fault


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news."""


def _handler(server: ContractServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _serve(self) -> None:
            url = urlsplit(self.path)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            params = dict(parse_qsl(url.query, keep_blank_values=True))
            asked = Asked(self.command, url.path, params, self.headers, body, self.path)
            self._send(*server.answer(asked))

        def _send(self, answer: Answer, fault: Fault | None) -> None:
            if fault == "reset":
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            if fault == "slow":
                threading.Event().wait(server.slow_seconds)
            body = answer.body[: len(answer.body) // 2] if fault == "half JSON" else answer.body
            self.send_response(answer.status)
            for name, value in {"Content-Type": "application/json", **answer.headers}.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if fault == "truncated":
                self.close_connection = True
                body = body[: len(body) // 2]
            self.wfile.write(body)

        def __getattr__(self, name: str) -> Any:
            if name.startswith("do_"):  # any method at all: what is not allowed must be seen
                return self._serve
            raise AttributeError(name)

        def log_message(self, *_: Any) -> None:
            """Keep the test's output clean."""

    return Handler
