"""Makes sure that a PostgreSQL database exists, on the embedded server or on a given one."""

import psycopg
from psycopg import sql

from resources.embedded.urls import database_of, redacted, with_database
from resources.errors import TransientError

CONNECT_SECONDS = 10


def ensure(url: str) -> None:
    """Create the database that the URL names unless it can be connected to."""
    try:
        psycopg.connect(url, connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise _unreachable(url, error) from error
        _create(url)


def _create(url: str) -> None:
    database = database_of(url)
    try:
        with psycopg.connect(with_database(url, "postgres"), connect_timeout=CONNECT_SECONDS) as connection:
            connection.autocommit = True
            connection.execute(sql.SQL("create database {}").format(sql.Identifier(database)))
    except (psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
        return  # somebody else made it meanwhile
    except psycopg.Error as error:
        raise TransientError(f"cannot create database {database} on {redacted(url)}: {_line(error)}") from error


def _unreachable(url: str, error: psycopg.Error) -> TransientError:
    return TransientError(f"PostgreSQL at {redacted(url)} cannot be reached: {_line(error)}; check its URL")


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
