"""`ops.query_log`: what was asked, how long it took and whether the cache answered. Written here only.

A log never fails the question: when PostgreSQL is away the line is lost, and a warning says so.
"""

import logging
from typing import TYPE_CHECKING

import psycopg

from resources import embedded
from resources.errors import SonikError
from resources.stores import postgres

if TYPE_CHECKING:
    from resources.settings import Settings

logger = logging.getLogger(__name__)

DDL = """
create schema if not exists ops;
create table if not exists ops.query_log (
    id uuid primary key default uuidv7(),
    at timestamptz not null default now(),
    kind text not null,
    text text not null,
    ms double precision not null,
    hit boolean not null
)
"""


def ensure(connection: psycopg.Connection) -> None:
    """Create the table where it is absent; two processes at once are fine."""
    # "if not exists" alone can still collide between two sessions.
    connection.execute("select pg_advisory_xact_lock(hashtext('ops.query_log'))")
    connection.execute(DDL)


def record(settings: "Settings", kind: str, text: str, ms: float, *, hit: bool) -> None:
    """Log one question; `ms` is the time to the answer."""
    try:
        with postgres.connect(embedded.endpoints(settings).postgres) as connection:
            if connection.execute("select to_regclass('ops.query_log')").fetchone() == (None,):
                ensure(connection)
            connection.execute(
                "insert into ops.query_log (kind, text, ms, hit) values (%s, %s, %s, %s)",
                [kind, text, ms, hit],
            )
    except (SonikError, psycopg.Error) as error:
        logger.warning("the query log was not written: %s", error)
