"""How to connect to Redis. What is kept in it belongs to the stages."""

import redis

from resources.embedded.urls import REDIS_FORM, redacted
from resources.errors import TerminalError, TransientError


def connect(url: str) -> redis.Redis:
    """Return a connected client for a redis://, rediss:// or unix:// URL.

    Raises TransientError when it is down, TerminalError when the URL cannot be read.
    """
    try:
        client = redis.Redis.from_url(url, decode_responses=True, socket_connect_timeout=5, socket_timeout=5)
        client.ping()
    except ValueError:
        # Neither its text nor its traceback: they quote what may be a part of the password.
        raise TerminalError(f"the Redis URL {redacted(url)} cannot be read: {REDIS_FORM}") from None
    except redis.RedisError as error:
        raise TransientError(
            f"Redis at {redacted(url)} cannot be reached ({error}): run `sonik up`, or check SONIK_REDIS_URL"
        ) from error
    return client
