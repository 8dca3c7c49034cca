"""How to connect to FalkorDB. Which graphs there are and what is in them belongs to the stages."""

from falkordb import FalkorDB
from redis.exceptions import RedisError

from resources.embedded.urls import REDIS_FORM, redacted
from resources.errors import TerminalError, TransientError


def connect(url: str) -> FalkorDB:
    """Return a connected client for a redis://, rediss:// or unix:// URL.

    Raises TransientError when it is down, TerminalError when the URL cannot be read.

    Queries have no time limit on our side: a rebuild may take minutes.
    """
    try:
        client = FalkorDB.from_url(url, socket_timeout=None, encoding_errors="replace")
        client.connection.ping()
    except ValueError:
        # Neither its text nor its traceback: they quote what may be a part of the password.
        raise TerminalError(f"the FalkorDB URL {redacted(url)} cannot be read: {REDIS_FORM}") from None
    except RedisError as error:
        where = f"FalkorDB at {redacted(url)} cannot be reached ({error})"
        raise TransientError(f"{where}: run `sonik up`, or check SONIK_FALKORDB_URL") from error
    return client
