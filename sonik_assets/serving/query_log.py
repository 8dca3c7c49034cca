"""`ops.query_log`: what was asked, how long it took and where the answer came from. Written here only.

A log never fails the question, and hardly slows it: one connection of a process is kept, and no line waits for the
disk. When PostgreSQL is away the line is lost, and a warning says so. What is made of the log is the stage `cache`'s.
"""

import logging
import os
import threading
import time
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg

from resources import embedded
from resources.errors import SonikError
from resources.stores import postgres
from sonik_assets import migrations

if TYPE_CHECKING:
    from resources.settings import Settings

logger = logging.getLogger(__name__)

DDL = migrations.FOLDER / "0012_queries.sql"
AWAY_SECONDS = 5.0
"""How long nothing is written after PostgreSQL was not there."""
LOCK_SECONDS = 0.5
INSERT = """
insert into ops.query_log (kind, text, ms, hit, tenant, how, made_ms, asked_key, again)
values (%s, %s, %s, %s, %s, %s, %s, %s, nullif(%s, '')::jsonb)
"""

_LOCK = threading.Lock()
_OPEN: dict[str, "psycopg.Connection[Any]"] = {}
"""The connection of this process; of the last database only."""
_AWAY: dict[str, float] = {}


def ensure(connection: "psycopg.Connection[Any]") -> None:
    """Create the table and its view where they are absent, as the migration does; two processes at once are fine."""
    with connection.transaction():
        # "if not exists" alone can still collide between two sessions.
        connection.execute("select pg_advisory_xact_lock(hashtext('sonik.migrations'))")
        connection.execute(DDL.read_bytes())


def record(
    settings: "Settings",
    kind: str,
    text: str,
    ms: float,
    *,
    hit: bool,
    tenant: str | None = None,
    how: str | None = None,
    made_ms: float | None = None,
    key: str | None = None,
    again: str = "",
) -> None:
    """Log one question: `ms` to the answer, `made_ms` of them to make it. `again`: JSON arguments to ask it with."""
    line = (kind, text.replace("\0", " "), ms, hit, tenant, how, made_ms, key, again)
    try:
        url = _where(settings, int(time.monotonic() // AWAY_SECONDS))
    except SonikError as error:
        logger.warning("the query log was not written: %s", error)
        return
    if _AWAY.get(url, 0.0) > time.monotonic() or not _LOCK.acquire(timeout=LOCK_SECONDS):
        return
    try:
        _write(url, line)
    except (SonikError, psycopg.Error, ValueError) as error:  # ValueError: half a character cannot be encoded
        if not isinstance(error, (psycopg.DataError, ValueError)):
            _AWAY[url] = time.monotonic() + AWAY_SECONDS
        logger.warning("the query log was not written: %s", error)
    finally:
        _LOCK.release()


@lru_cache(maxsize=8)
def _where(settings: "Settings", _moment: int) -> str:
    return embedded.endpoints(settings).postgres  # which knocks at the servers: a millisecond, and a process there


def _write(url: str, line: tuple[Any, ...]) -> None:
    kept = _OPEN.get(_name(url))
    if kept is not None:
        try:
            _insert(kept, line)
        except psycopg.OperationalError:
            logger.debug("the connection of the query log was lost, and is opened again")
        else:
            return
    _insert(_opened(url), line)


def _insert(connection: "psycopg.Connection[Any]", line: tuple[Any, ...]) -> None:
    try:
        connection.execute(INSERT, line)
    except (psycopg.errors.UndefinedTable, psycopg.errors.UndefinedColumn):
        ensure(connection)
        connection.execute(INSERT, line)


def _opened(url: str) -> "psycopg.Connection[Any]":
    _close()
    connection = postgres.connect(url)
    connection.autocommit = True
    connection.execute("set synchronous_commit = off")
    connection.execute(f"set lock_timeout = '{int(LOCK_SECONDS * 1000)}ms'")
    _OPEN[_name(url)] = connection
    return connection


def _close() -> None:
    for name, connection in _OPEN.items():
        if name.startswith(f"{os.getpid()} "):  # a parent's goes on
            connection.close()
    _OPEN.clear()


def _name(url: str) -> str:
    """Return whose connection it is: a forked process must not write on its parent's."""
    return f"{os.getpid()} {url}"
