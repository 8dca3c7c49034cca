"""A contract server: MongoDB's wire protocol (OP_MSG) on a real socket, for tests and benchmarks.

Here: sockets, commands, cursors, faults on demand. It can only be read: a test changes documents through Python.
Documents are in mongo_documents.py, logins in mongo_login.py, change streams in mongo_change_streams.py.
"""

import contextlib
import itertools
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Self

import bson
import mongomock

from tests.support.mongo_change_streams import ChangeLog, Event
from tests.support.mongo_documents import OPTIONS, Document, Documents, engagement
from tests.support.mongo_login import Login

Command = dict[str, Any]
Fault = Literal["reset"] | int
"""Close the connection without an answer; or answer with this error code."""

FIRST_BATCH, BATCH_BYTES = 101, 16 << 20
OP_REPLY, OP_QUERY, OP_MSG = 1, 2004, 2013


class Failure(Exception):
    """What a command answers instead of a result."""

    def __init__(self, code: int, name: str, message: str) -> None:
        super().__init__(message)
        self.answer = {"ok": 0.0, "code": code, "codeName": name, "errmsg": message}


@dataclass
class Cursor:
    namespace: str
    documents: list[bytes]
    at: int = 0


class MongoServer:
    """`with MongoServer() as server:` serves on 127.0.0.1; `server.url` is where, `server.database` what to read."""

    database = "shop"
    reads = frozenset({"find", "aggregate", "getMore", "killCursors"})
    """S9: a source is only read. Any other command but small talk is refused and kept in `forbidden`."""

    def __init__(self, *, replica_set: bool = False, password: str | None = None, port: int = 0) -> None:
        """Serve as a replica set of one (with change streams) or standalone; with a password, to user `sonik` only."""
        self.commands: list[tuple[str, Command]] = []
        self.forbidden: list[str] = []
        self.before: Callable[[str, Command], Any] | None = None
        """Called before each read: change documents here to change them while they are read."""
        self.log = ChangeLog() if replica_set else None
        self._password, self._faults = password, list[tuple[str, Fault]]()
        self._documents = Documents()
        self._cursors: dict[int, Cursor | int] = {}
        self._numbers, self._lock, self._sockets = itertools.count(1), threading.RLock(), set[socket.socket]()
        self._tcp = _Tcp(("127.0.0.1", port), _handler(self))

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._tcp.server_address[1]}"

    @property
    def url(self) -> str:
        user = f"sonik:{self._password}@" if self._password else ""
        return f"mongodb://{user}{self.address}/{'?replicaSet=rs0' if self.log else ''}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._tcp.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._tcp.shutdown()
        self._tcp.server_close()
        for each in list(self._sockets):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    # -- for tests

    def insert(self, name: str, /, *documents: Document) -> None:
        with self._lock:
            for each in self._documents.insert(name, documents):
                self._changed(name, "insert", each)

    def update(self, name: str, id: Any, /, **values: Any) -> None:
        with self._lock:
            self._changed(name, "update", self._documents.update(name, id, values))

    def delete(self, name: str, *ids: Any) -> None:
        with self._lock:
            for id in ids:
                self._documents.delete(name, id)
                self._changed(name, "delete", {"_id": id})

    def drop(self, name: str) -> None:
        with self._lock:
            self._documents.drop(name)
            self._changed(name, "drop", {})
            self._changed(name, "invalidate", {})

    def fail(self, command: str, *faults: Fault) -> None:
        """Let the next commands of this name meet these faults, one each."""
        self._faults += [(command, fault) for fault in faults]

    def asked(self, name: str) -> list[Command]:
        return [command for each, command in self.commands if each == name]

    def assert_only_read(self) -> None:
        """Raise AssertionError if anything but reads came."""
        assert not self.forbidden
        assert {name for name, _ in self.commands} <= self.reads

    @property
    def open_cursors(self) -> int:
        return len(self._cursors)

    # -- the wire

    def serve(self, connection: socket.socket) -> None:
        self._sockets.add(connection)
        login = Login(self._password)
        try:
            with connection.makefile("rb") as stream:
                while len(head := stream.read(16)) == 16:
                    size, request, _, kind = struct.unpack("<iiii", head)
                    answer = self._answer(kind, stream.read(size - 16), login)
                    if answer is None:
                        return
                    out = struct.pack("<iiii", 16 + len(answer[1]), next(self._numbers), request, answer[0])
                    connection.sendall(out + answer[1])
        except OSError:
            return
        finally:
            self._sockets.discard(connection)

    def _answer(self, kind: int, body: bytes, login: Login) -> tuple[int, bytes] | None:
        """Return opcode and body; None: hang up."""
        if kind == OP_MSG:  # flag bits, then one section of kind 0: nothing that we take has another
            answer = self._run(bson.decode(body[5:], OPTIONS), login)
            return None if answer is None else (OP_MSG, b"\0\0\0\0\0" + answer)
        if kind == OP_QUERY:  # how a client says hello at first
            start = body.index(b"\0", 4) + 9
            answer = self._run(bson.decode(body[start:], OPTIONS), login)
            return None if answer is None else (OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + answer)
        return None

    def _run(self, command: Command, login: Login) -> bytes | None:
        name = next(iter(command))
        try:
            with self._lock:
                return self._commanded(name, command, login)
        except ConnectionResetError:
            return None
        except Failure as failure:
            return bson.encode(failure.answer)
        except (NotImplementedError, ValueError, TypeError, KeyError, mongomock.OperationFailure) as error:
            return bson.encode({"ok": 0.0, "code": 2, "codeName": "BadValue", "errmsg": repr(error)})

    def _commanded(self, name: str, command: Command, login: Login) -> bytes:
        if name.lower() in ("hello", "ismaster"):
            return self._ok(self._hello(command))
        if name in ("saslStart", "saslContinue"):
            said = login.start(command) if name == "saslStart" else login.proceed(command)
            if said is None:
                raise Failure(18, "AuthenticationFailed", "Authentication failed.")
            return self._ok(said)
        if name in ("ping", "endSessions"):
            return self._ok({})
        if not login.done:
            raise Failure(13, "Unauthorized", f"command {name} requires authentication")
        return self._read(name, command)

    def _read(self, name: str, command: Command) -> bytes:
        self.commands.append((name, command))
        if name not in self.reads or {"$out", "$merge"} & {
            key for stage in command.get("pipeline", ()) for key in stage
        }:
            self.forbidden.append(name)
            raise Failure(59, "CommandNotFound", f"no such command: '{name}'")
        if self.before:
            self.before(name, command)
        self._meet_fault(name)
        return {"find": self._find, "aggregate": self._aggregate, "getMore": self._more, "killCursors": self._kill}[
            name
        ](command)

    def _meet_fault(self, name: str) -> None:
        due = next((each for each in self._faults if each[0] == name), None)
        if due:
            self._faults.remove(due)
            self._cursors.clear()
            if due[1] == "reset":
                raise ConnectionResetError
            raise Failure(due[1], "Due", "a fault that the test asked for")

    def _hello(self, command: Command) -> Document:
        said = {
            "helloOk": True, "isWritablePrimary": True, "ismaster": True, "readOnly": False,
            "minWireVersion": 0, "maxWireVersion": 21, "maxBsonObjectSize": BATCH_BYTES,
            "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000,
            "localTime": datetime.now(UTC), "logicalSessionTimeoutMinutes": 30,
        }  # fmt: skip
        if self.log:
            said |= {"setName": "rs0", "setVersion": 1, "hosts": [self.address], "primary": self.address}
            said |= {"me": self.address, "secondary": False}
        if "saslSupportedMechs" in command:
            said["saslSupportedMechs"] = ["SCRAM-SHA-256"]
        return said

    def _ok(self, answer: Document) -> bytes:
        return bson.encode({"ok": 1.0, **answer, **({"operationTime": self.log.time} if self.log else {})})

    # -- reads

    def _find(self, command: Command) -> bytes:
        found = self._documents.find(command)
        return self._opened(command["find"], found, command.get("batchSize", FIRST_BATCH))

    def _aggregate(self, command: Command) -> bytes:
        name, pipeline = command["aggregate"], command["pipeline"]
        if pipeline and "$changeStream" in pipeline[0]:
            return self._watch(name, pipeline[0]["$changeStream"])
        found = self._documents.aggregate(name, pipeline)
        return self._opened(name, found, command["cursor"].get("batchSize", FIRST_BATCH))

    def _opened(self, name: str, documents: list[bytes], size: int) -> bytes:
        number = next(self._numbers)
        self._cursors[number] = Cursor(f"{self.database}.{name}", documents)
        return self._batch(number, "firstBatch", size)

    def _more(self, command: Command) -> bytes:
        number = command["getMore"]
        if number not in self._cursors:
            raise Failure(43, "CursorNotFound", f"cursor id {number} not found")
        if isinstance(self._cursors[number], int):
            return self._events(number, command["collection"])
        return self._batch(number, "nextBatch", command.get("batchSize") or sys.maxsize)

    def _batch(self, number: int, key: str, size: int) -> bytes:
        cursor = self._cursors[number]
        assert isinstance(cursor, Cursor)
        start, room = cursor.at, BATCH_BYTES
        while (
            cursor.at < len(cursor.documents)
            and cursor.at < start + size
            and (room := room - len(cursor.documents[cursor.at])) > 0
        ):
            cursor.at += 1
        over = cursor.at == len(cursor.documents)
        if over:
            del self._cursors[number]
        return self._cursor_answer(0 if over else number, cursor.namespace, key, cursor.documents[start : cursor.at])

    def _cursor_answer(self, number: int, namespace: str, key: str, documents: list[bytes], **more: Any) -> bytes:
        """Return the answer around documents that are BSON already."""
        array = b"".join([b"\x03%d\0%b" % each for each in enumerate(documents)])
        rest = bson.encode({"id": bson.Int64(number), "ns": namespace, **more})[4:]
        inner = b"\x04%b\0" % key.encode() + struct.pack("<i", len(array) + 5) + array + b"\0" + rest
        outer = b"\x03cursor\0" + struct.pack("<i", len(inner) + 4) + inner + self._ok({})[4:]
        return struct.pack("<i", len(outer) + 4) + outer

    def _kill(self, command: Command) -> bytes:
        killed = [number for number in command["cursors"] if self._cursors.pop(number, None) is not None]
        return self._ok({"cursorsKilled": killed})

    # -- change streams

    def _watch(self, name: str, options: Document) -> bytes:
        if not self.log:
            raise Failure(40573, "Location40573", "The $changeStream stage is only supported on replica sets")
        after = options.get("resumeAfter")
        at = self.log.position(after) if after else len(self.log.events)
        if at is None:
            raise Failure(286, "ChangeStreamHistoryLost", "the resume token was not found")
        number = next(self._numbers)
        self._cursors[number] = at
        namespace = f"{self.database}.{name}"
        return self._cursor_answer(number, namespace, "firstBatch", [], postBatchResumeToken=self.log.token(at))

    def _events(self, number: int, name: str) -> bytes:
        at = self._cursors[number]
        assert self.log
        assert isinstance(at, int)
        events = [bson.encode(event.document) for event in self.log.events[at:] if event.collection == name]
        self._cursors[number] = end = len(self.log.events)
        token = self.log.token(end)
        return self._cursor_answer(number, f"{self.database}.{name}", "nextBatch", events, postBatchResumeToken=token)

    def _changed(self, name: str, operation: str, document: Document) -> None:
        if self.log:
            self.log.add(Event(self.database, name, operation, dict(document)))


class _Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = daemon_threads = True
    block_on_close = False


def _handler(server: MongoServer) -> type[socketserver.BaseRequestHandler]:
    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server.serve(self.request)

    return Handler


def main() -> None:
    """Serve so many engagement documents in this process: `python -m tests.support.mongo_server PORT COUNT`."""
    port, count = map(int, sys.argv[1:])
    with MongoServer(port=port) as server:
        server.insert("engagement", *engagement(count))
        sys.stdout.write(f"{server.url} {server.database}\n")
        sys.stdout.flush()
        sys.stdin.read()  # until whoever started it closes the pipe, or dies


if __name__ == "__main__":
    main()
