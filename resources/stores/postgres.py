"""How to connect to PostgreSQL. Bulk reading and writing is in `resources.stores.tables`."""

from typing import Any

import psycopg

from resources.embedded.urls import redacted
from resources.errors import TransientError


def connect(url: str, *, timeout_seconds: int = 10) -> psycopg.Connection:
    """Open a connection; TransientError when the server cannot be reached.

    Use it as a context manager: it commits, or rolls back on an error, and closes.
    """
    try:
        return psycopg.connect(url, connect_timeout=timeout_seconds, application_name="sonik")
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0].partition("failed: ")[2] or str(error).strip()
        raise TransientError(
            f"PostgreSQL at {redacted(url)} cannot be reached ({reason}): run `sonik up`, or check its URL"
        ) from error


def beside(pg: "psycopg.Connection[Any]") -> "psycopg.Connection[Any]":
    """Open another connection to where `pg` is, in autocommit: for what must last whatever becomes of `pg`'s own."""
    return psycopg.connect(pg.info.dsn, password=pg.info.password or None, autocommit=True)
