"""How to connect to Redis. What is kept in it belongs to the stages."""

import redis

from resources.embedded.urls import redacted
from resources.errors import TransientError


def connect(url: str) -> redis.Redis:
    """Return a connected client for a redis://, rediss:// or unix:// URL; TransientError when it is down."""
    try:
        client = redis.Redis.from_url(url, decode_responses=True, socket_connect_timeout=5, socket_timeout=5)
        client.ping()
    except (redis.RedisError, ValueError) as error:
        raise TransientError(
            f"Redis at {redacted(url)} cannot be reached ({error}): run `sonik up`, or check SONIK_REDIS_URL"
        ) from error
    return client
