"""The two servers of a move: opening sessions whose text output is the same on both, and who they are.

Here: connections and identity. What is compared is in `checks`, what is copied in `copying`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, LiteralString
from urllib.parse import urlsplit

import psycopg
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from resources.embedded.urls import for_libpq, redacted, with_database
from resources.errors import TerminalError, TransientError

APPLICATION = "sonik migrate-postgres"
"""Every session of ours, and those of the tools we start, carry it, so that what a killed move left is found."""
CONNECT_SECONDS = 10
OLDEST = 15
"""The oldest major version that a move starts from."""
OUTPUT: tuple[tuple[LiteralString, LiteralString], ...] = (
    # Text that two versions and two configurations write alike, and read alike again.
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, YMD"),
    ("intervalstyle", "postgres"),
    ("timezone", "UTC"),
    ("extra_float_digits", "3"),
    ("bytea_output", "hex"),
    ("lc_monetary", "C"),
    ("xmloption", "content"),
    ("xmlbinary", "base64"),
    # Names come out with their schema, and what is read by name is not found in the wrong one.
    ("search_path", "pg_catalog"),
    # A policy must not hide rows in silence: reading such a table is an error instead.
    ("row_security", "off"),
    # A long copy is no runaway query.
    ("statement_timeout", "0"),
    ("lock_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("idle_session_timeout", "0"),
)
_SINCE_17: tuple[LiteralString, ...] = (
    "select set_config(name, '0', false) from pg_settings where name = 'transaction_timeout'",
    # What the moved database does when tables are made is not meant for ours. Only superusers may say so.
    "select set_config(name, 'off', false) from pg_settings where name = 'event_triggers' "
    "and (select rolsuper from pg_roles where rolname = current_user)",
)

type Session = Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Server:
    """One side of a move."""

    url: str
    version: int
    """As server_version_num: 150018."""
    system: str
    """The server's own identifier, which a copy of its files shares."""
    database: str

    @property
    def major(self) -> int:
        """The major version: 15."""
        return self.version // 10000

    @property
    def name(self) -> str:
        """How messages name it: no password in it."""
        return redacted(self.url)


def identify(url: str) -> Server:
    """Connect once and return who answers. Raises TransientError where nobody does."""
    url = readable(url)
    with session(url) as connection:
        return describe(url, connection)


def describe(url: str, connection: Session) -> Server:
    """Return who is at the other end of a connection."""
    found = connection.execute(
        "select current_setting('server_version_num')::int, system_identifier::text, current_database()::text "
        "from pg_control_system()"
    ).fetchone()
    version, system, database = found or (0, "", "")
    return Server(url, version, str(system), str(database))


def readable(url: str) -> str:
    """Return the URL as libpq takes it; other than a PostgreSQL URL is an error that shows no password."""
    if urlsplit(url).scheme.partition("+")[0] not in ("postgresql", "postgres"):
        raise TerminalError("a server is named by a URL such as postgresql://user@host:5432/database")
    return for_libpq(url)


def session(url: str) -> Session:
    """Open a session in autocommit mode with the settings of OUTPUT."""
    try:
        connection = psycopg.connect(
            url, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name=APPLICATION
        )
    except psycopg.OperationalError as error:
        raise _unreachable(url, error) from error
    for name, value in OUTPUT:
        connection.execute("select set_config(%s, %s, false)", (name, value))
    for statement in _SINCE_17:
        connection.execute(statement)
    return connection


def exists(url: str) -> bool:
    """Tell whether the database that the URL names is there; its server must answer."""
    try:
        psycopg.connect(readable(url), connect_timeout=CONNECT_SECONDS).close()
    except psycopg.OperationalError as error:
        if "does not exist" in str(error) and "database" in str(error):
            return False
        raise _unreachable(url, error) from error
    return True


def beside(url: str) -> str:
    """Return the URL of the database `postgres` on the same server."""
    return with_database(readable(url), "postgres")


def without_secrets(url: str) -> tuple[str, dict[str, str]]:
    """Return a connection string that may stand in a command line, and the environment that completes it."""
    parts = conninfo_to_dict(url)
    password = parts.pop("password", None)
    parts.pop("sslpassword", None)
    parts["application_name"] = APPLICATION
    return make_conninfo("", **parts), {"PGPASSWORD": str(password)} if password else {}


def check_pair(source: Server, target: Server) -> None:
    """Refuse what cannot be a move: to itself, backwards, from what is too old."""
    if (source.system, source.database) == (target.system, target.database):
        raise TerminalError(f"--from and --to are the same database, {source.name}: name the older server and the new")
    if source.major > target.major:
        raise TerminalError(
            f"the source is newer than the target (PostgreSQL {source.major} and {target.major}): "
            "swap --from and --to, or move to a newer server"
        )
    if source.major < OLDEST:
        raise TerminalError(
            f"the source is PostgreSQL {source.major}; moves start from {OLDEST} or newer: upgrade it to {OLDEST} first"
        )


@contextmanager
def explained() -> Iterator[None]:
    """Turn what a server says into our errors, which say what to do."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege as error:
        raise TerminalError(f"{line(error)}: connect as the owner of the tables or as a superuser") from error
    except psycopg.OperationalError as error:
        raise TransientError(
            f"a server stopped answering: {line(error)}; the same command goes on from here"
        ) from error
    except psycopg.Error as error:
        raise TerminalError(f"a server refused: {line(error)}") from error


def line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _unreachable(url: str, error: psycopg.Error) -> TransientError:
    return TransientError(f"PostgreSQL at {redacted(url)} cannot be reached: {line(error)}; check its URL")
