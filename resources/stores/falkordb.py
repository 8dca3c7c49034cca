"""How to connect to FalkorDB. Which graphs there are and what is in them belongs to the stages."""

from falkordb import FalkorDB
from redis.exceptions import RedisError

from resources.embedded.urls import redacted
from resources.errors import TransientError


def connect(url: str) -> FalkorDB:
    """Return a connected client for a redis://, rediss:// or unix:// URL; TransientError when it is down.

    Queries have no time limit on our side: a rebuild may take minutes.
    """
    try:
        client = FalkorDB.from_url(url, socket_timeout=None)
        client.connection.ping()
    except (RedisError, ValueError) as error:
        where = f"FalkorDB at {redacted(url)} cannot be reached ({error})"
        raise TransientError(f"{where}: run `sonik up`, or check SONIK_FALKORDB_URL") from error
    return client
