"""Replays ready-made pages as Directus would send them, from a process of its own: what it costs is not measured.

`python -m benchmarks.page_server FILE ROWS_A_SECOND`: records of an NDJSON file, sorted by `date_updated`, over
keep-alive HTTP on 127.0.0.1; prints its port. At a pace above 0 it is one server that makes so many rows a second.
"""

import json
import socketserver
import sys
import time
from bisect import bisect_left
from pathlib import Path
from threading import Lock
from urllib.parse import parse_qs, urlsplit


class Pages:
    """The records, and every page that was asked for: made once, then replayed."""

    def __init__(self, file: Path, pace: float) -> None:
        self.lines = file.read_bytes().splitlines()
        self.clocks = [json.loads(line)["date_updated"] for line in self.lines]
        self.made: dict[str, tuple[bytes, int]] = {}
        self.pace, self.lock = pace, Lock()

    def answer(self, target: str) -> bytes:
        """Return the whole HTTP answer for a path and query."""
        if target not in self.made:
            self.made[target] = self._make(target)
        answer, rows = self.made[target]
        if self.pace and rows > 1:
            with self.lock:
                time.sleep(rows / self.pace)
        return answer

    def _make(self, target: str) -> tuple[bytes, int]:
        rows = self._rows(target)
        body = b'{"data":[' + b",".join(rows) + b"]}"
        if target.startswith("/server/info"):
            body = b'{"data":{"queryLimit":{"default":100,"max":-1}}}'
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body, len(rows)

    def _rows(self, target: str) -> list[bytes]:
        parts = urlsplit(target)
        asked = {name: values[-1] for name, values in parse_qs(parts.query).items()}
        condition = asked.get("filter", "")
        if not parts.path.startswith("/items/") or '"date_updated":{"_null":true}' in condition:
            return []  # every record was updated once
        since = condition.partition('"_gte":"')[2].partition('"')[0]
        start = bisect_left(self.clocks, since) + int(asked.get("offset", 0))
        return self.lines[start : start + int(asked.get("limit", 100))]


def serve(file: Path, pace: float) -> None:
    """Serve until killed."""
    pages = Pages(file, pace)

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while line := self.rfile.readline():
                while self.rfile.readline().strip():
                    pass
                self.request.sendall(pages.answer(line.split()[1].decode()))

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        print(server.server_address[1], flush=True)
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), float(sys.argv[2]))
