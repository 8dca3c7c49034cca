"""The set of servers as one thing: up, down, where they are, how they do.

A server whose URL is set is never started or stopped here, only reached.
"""

import contextlib
from dataclasses import dataclass, fields

from resources.embedded import account, postgres, processes, redis, secrets, users
from resources.embedded.layout import Layout, prepare, remove
from resources.embedded.urls import (
    as_user,
    for_libpq,
    for_postgres_socket,
    for_redis_socket,
    for_sqlalchemy,
    redacted,
    with_database,
)
from resources.errors import TerminalError, TransientError
from resources.settings import Settings


@dataclass(frozen=True)
class Endpoints:
    """Where every server is: libpq, SQLAlchemy (psycopg2), and redis-py URLs, passwords included."""

    postgres: str
    dagster_postgres: str
    falkordb: str
    redis: str

    def __repr__(self) -> str:
        """Show everything but the passwords: what is printed ends in logs."""
        shown = (f"{each.name}={redacted(getattr(self, each.name))!r}" for each in fields(self))
        return f"Endpoints({', '.join(shown)})"


@dataclass(frozen=True)
class ServerStatus:
    """One server as seen now. `url` has no password; `pid` is known of embedded servers only."""

    name: str
    embedded: bool
    running: bool
    version: str | None
    url: str
    pid: int | None
    problem: str | None = None


def up(settings: Settings) -> Endpoints:
    """Start what is embedded and not running, create the databases, return where everything is."""
    from resources.embedded import databases
    from resources.embedded.versions import falkordb_version, redis_version

    layout = Layout(settings.home)
    try:
        if _embeds_postgres(settings) or _embeds_redis(settings):
            with processes.lock(layout.home):
                _start(settings, layout)
        if settings.exports.is_relative_to(settings.home):
            settings.exports.mkdir(parents=True, exist_ok=True)  # nobody named one: what is not live is empty
        found = _addresses(settings, layout)
        with processes.lock(layout.home):
            databases.ensure(found.postgres)
            databases.ensure(for_libpq(found.dagster_postgres))
        for problem in (falkordb_version(found.falkordb)[1], redis_version(found.redis)[1]):
            if problem:  # said now, not when a run has done half of its work
                raise TransientError(problem)
        if settings.falkordb_url:
            _users_of_given(settings, settings.falkordb_url)
    except OSError as error:
        raise TerminalError(f"cannot prepare the servers under {layout.home}: {error}") from error
    return found


def down(settings: Settings) -> None:
    """Stop the embedded servers; given ones are not touched."""
    layout = Layout(settings.home)
    if layout.home.is_dir():
        with processes.lock(layout.home):
            redis.stop(layout)
            postgres.stop(layout)


def delete(settings: Settings) -> None:
    """Stop the embedded servers and delete their data, sockets and logs, wherever those are."""
    down(settings)
    remove(Layout(settings.home))


def endpoints(settings: Settings) -> Endpoints:
    """Return where everything is, starting nothing; TransientError if an embedded server is down."""
    layout = Layout(settings.home)
    if _embeds_postgres(settings) and not processes.accepts(layout.postgres_socket):
        raise TransientError(f"PostgreSQL of {layout.home} is not running: run `sonik up`")
    if _embeds_redis(settings) and not processes.accepts(layout.redis_socket):
        raise TransientError(f"FalkorDB/Redis of {layout.home} is not running: run `sonik up`")
    return _addresses(settings, layout)


def falkordb_url_for(settings: Settings, user: users.User) -> str:
    """Return the URL that logs in as `sonik_agent` or `sonik_reader` (or `sonik`), starting nothing.

    Raises TransientError if an embedded server is down or `sonik up` has not made its users yet, TerminalError
    if the password for a given server is not set.
    """
    found = endpoints(settings).falkordb
    if user == users.OWNER:
        return found
    password = secrets.known(settings, user)
    if password is not None:
        return as_user(found, user, password)
    if settings.falkordb_url is None:
        raise TransientError(f"FalkorDB of {settings.home} has no user {user} yet: run `sonik up`")
    raise TerminalError(f"the password of FalkorDB's user {user} is not known: set {secrets.VARIABLES[user]}")


def isolation(settings: Settings) -> list[str]:
    """Return what is wrong with FalkorDB's users, a sentence each; SonikError when it cannot be asked."""
    from resources.embedded.probes import holes

    passwords = {user: secrets.known(settings, user) for user in users.LIMITED}
    return list(holes(endpoints(settings).falkordb, passwords))


def status(settings: Settings) -> list[ServerStatus]:
    """Ask every server, within seconds, whatever state it is in."""
    from resources.embedded.versions import falkordb_version, postgres_version, redis_version

    layout = Layout(settings.home)
    found = _addresses(settings, layout)
    postgres_pid, redis_pid = postgres.pid(layout), redis.pid(layout)
    asked = (
        ("postgres", settings.postgres_url, found.postgres, postgres_pid, postgres_version),
        ("falkordb", settings.falkordb_url, found.falkordb, redis_pid, falkordb_version),
        ("redis", settings.redis_url, found.redis, redis_pid, redis_version),
    )
    result = []
    for name, given, url, pid, version_of in asked:
        version, problem = version_of(url)
        pid = None if given else pid
        result.append(ServerStatus(name, not given, problem is None, version, redacted(url), pid, problem))
    return result


def _start(settings: Settings, layout: Layout) -> None:
    user = account.for_postgres(layout.postgres_data) if _embeds_postgres(settings) else None
    prepare(layout, user)
    if _embeds_redis(settings):
        redis.start(layout, secrets.make(settings))
    if _embeds_postgres(settings):
        postgres.start(layout, user)


def _users_of_given(settings: Settings, url: str) -> None:
    """Make the agent and the reader where our login may and the server can; else `sonik doctor` tells.

    Only with passwords that somebody chose or kept: new ones would lock out who uses this server already.
    """
    from redis.exceptions import ResponseError

    from resources.stores import falkordb

    with contextlib.suppress(ResponseError), falkordb.connect(url) as client:
        users.apply(client.connection, secrets.known_limited(settings))


def _addresses(settings: Settings, layout: Layout) -> Endpoints:
    main = for_libpq(settings.postgres_url or for_postgres_socket(layout.postgres_folder, "sonik"))
    socket = for_redis_socket(layout.redis_socket)
    if (password := secrets.known(settings, users.OWNER)) is not None:
        socket = as_user(socket, users.OWNER, password)
    return Endpoints(
        postgres=main,
        dagster_postgres=for_sqlalchemy(settings.dagster_postgres_url or with_database(main, "dagster")),
        falkordb=settings.falkordb_url or socket,
        redis=settings.redis_url or socket,
    )


def _embeds_postgres(settings: Settings) -> bool:
    return settings.postgres_url is None


def _embeds_redis(settings: Settings) -> bool:
    return settings.falkordb_url is None or settings.redis_url is None
