"""Pure functions on server URLs: build one for a socket, change its database or its user, hide its password."""

from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

from resources.errors import TerminalError

REDACTED = "***"
ENCODE = "percent-encode special characters in its password"
REDIS_FORM = f"begin it with redis://, rediss:// or unix://, and {ENCODE}"


def for_postgres_socket(folder: Path, database: str) -> str:
    """Return the libpq URI of a database behind the Unix socket in `folder`."""
    return f"postgresql://postgres@/{database}?host={quote(str(folder))}"


def for_redis_socket(socket: Path) -> str:
    """Return the URL that redis-py and falkordb-py take for a Unix socket."""
    return f"unix://{quote(str(socket))}"


def as_user(url: str, user: str, password: str) -> str:
    """Return the Redis URL with another login, whichever way it names its own."""
    bare = without_user(url)
    return bare.replace("://", f"://{quote(user, safe='')}:{quote(password, safe='')}@", 1)


def without_user(url: str) -> str:
    """Return the Redis URL without a login."""
    parts = urlsplit(url)
    pairs = [pair for pair in parts.query.split("&") if pair.partition("=")[0] not in ("username", "password")]
    query = f"?{'&'.join(pairs)}" if any(pairs) else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{query}"


def with_database(url: str, database: str) -> str:
    """Return the PostgreSQL URL of another database on the same server."""
    parts = urlsplit(url)
    # urlunsplit drops an empty host's slashes ("postgresql:///x"), hence by hand.
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}/{database}{query}"


def for_sqlalchemy(url: str) -> str:
    """Name the driver: SQLAlchemy's default is another one from 2.1 on, and Dagster ships psycopg2."""
    _, _, rest = url.partition("://")
    return f"postgresql+psycopg2://{rest}"


def for_libpq(url: str) -> str:
    """Drop SQLAlchemy's driver suffix, which libpq does not know.

    Raises TerminalError where libpq cannot read the rest; its own message would quote the password.
    """
    scheme, _, rest = url.partition("://")
    plain = f"{scheme.partition('+')[0]}://{rest}"
    try:
        conninfo_to_dict(plain)
        urlsplit(plain)
    except (ProgrammingError, ValueError) as error:
        raise TerminalError(f"the PostgreSQL URL {redacted(url)} cannot be read: {ENCODE}") from error
    return plain


def database_of(url: str) -> str:
    """Return the database that a PostgreSQL URL names, or an empty string."""
    return urlsplit(url).path.lstrip("/")


def redacted(url: str) -> str:
    """Hide the password, keeping everything that tells a person which server this is."""
    scheme, _, rest = url.partition("://")
    before, at, after = rest.rpartition("@")
    if set("/?#[") & set(before):  # a password that is not percent-encoded: where it starts is a guess
        return f"{scheme}://{REDACTED}@{after}"
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    name, colon, _ = user.partition(":")
    netloc = f"{name}:{REDACTED}@{host}" if colon else f"{user}{at}{host}"
    query = "&".join(_without_secret(pair) for pair in parts.query.split("&"))
    shown = urlunsplit(("", "", parts.path, query, ""))
    return f"{parts.scheme}://{netloc}{shown}"


def _without_secret(pair: str) -> str:
    key, equals, _ = pair.partition("=")
    return f"{key}={REDACTED}" if equals and "password" in key.lower() else pair
