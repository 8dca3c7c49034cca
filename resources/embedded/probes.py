"""Asks a FalkorDB whether its users can do what they should and nothing more. Changes nothing.

What they should be able to do is in `resources.embedded.users`.
"""

from collections.abc import Iterator

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from resources.embedded import users
from resources.embedded.urls import as_user, without_user
from resources.embedded.users import AGENT, READER, User

# Commands without their last argument: a user that may run one is told what is missing, and nothing is run.
ALLOWED: dict[User, tuple[tuple[str, ...], ...]] = {
    AGENT: (
        ("GRAPH.QUERY", "agent_memory"),
        *(("GRAPH.RO_QUERY", graph) for graph in ("operations", "knowledge", "agent_memory")),
    ),
    READER: tuple(("GRAPH.RO_QUERY", graph) for graph in ("operations", "knowledge", "agent_memory")),
}
FORBIDDEN: tuple[tuple[str, ...], ...] = (
    ("GRAPH.QUERY", "operations"),
    ("GRAPH.QUERY", "knowledge"),
    ("GRAPH.RO_QUERY", "sonik:positions"),
    ("GRAPH.LIST",),
    ("EXISTS", "sonik:positions"),
    ("ACL", "WHOAMI"),
)


def holes(url: str, passwords: dict[User, str | None]) -> Iterator[str]:
    """Yield what is wrong with the users of the server at `url`, a sentence each, with what to do about it."""
    if _answers(without_user(url)):
        yield (
            "whoever connects without a password may do everything: `ACL SETUSER default off`, "
            "or give the default user a password"
        )
    for user, password in passwords.items():
        if password is None:
            yield f"{user} has no password here"
        else:
            yield from _of_user(as_user(url, user, password), user)


def _of_user(url: str, user: User) -> Iterator[str]:
    with _client(url) as client:
        try:
            client.ping()
        except redis.RedisError:
            yield f"{user} cannot log in: run `sonik up`, or have an administrator run {users.by_hand(user)}"
            return
        forbidden = FORBIDDEN if user == AGENT else (*FORBIDDEN, ("GRAPH.QUERY", "agent_memory"))
        wrong = [f"may {' '.join(each)}" for each in forbidden if _may(client, each)]
        wrong += [f"may not {' '.join(each)}" for each in ALLOWED[user] if not _may(client, each)]
    if wrong:
        yield f"{user} {', '.join(wrong)}: run `sonik up`, or have an administrator run {users.by_hand(user)}"


def _may(client: redis.Redis, command: tuple[str, ...]) -> bool:
    try:
        client.execute_command(*command)  # type: ignore[no-untyped-call]
    except redis.exceptions.NoPermissionError:
        return False
    except redis.ResponseError:
        return True  # it was not refused: it lacked its argument
    return True


def _client(url: str) -> redis.Redis:
    # A login that is refused is a connection error to the client, which would try it again for seconds.
    once = Retry(NoBackoff(), 0)
    return redis.Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5, retry=once)


def _answers(url: str) -> bool:
    try:
        with _client(url) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False
