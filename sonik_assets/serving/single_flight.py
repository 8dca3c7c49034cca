"""One maker for a missing entry, however many ask: a lock in Redis that a living maker renews.

A maker that dies leaves a lock that ends within `LOCK_MS`. The functions here let errors of Redis through.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import redis

LOCK_MS = 3000
FIRST_PAUSE, LONGEST_PAUSE = 0.005, 0.1
"""Seconds between two looks at what another is making."""

_MINE = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call({}) else return 0 end"
_RELEASE = _MINE.format("'del', KEYS[1]")
_RENEW = _MINE.format("'pexpire', KEYS[1], ARGV[2]")


def acquire(client: "redis.Redis", key: str) -> str | None:
    """Take the lock and return what proves it, or None while another has it."""
    proof = uuid.uuid4().hex
    return proof if client.set(key, proof, nx=True, px=LOCK_MS) else None


def release(client: "redis.Redis", key: str, proof: str) -> None:
    """Give the lock back if it is still ours."""
    client.eval(_RELEASE, 1, key, proof)


def wait[T](client: "redis.Redis", key: str, look: Callable[[], T | None], *, seconds: float) -> tuple[T | None, str]:
    """Return what another made and "", or None and the proof that it is ours to make now.

    After `seconds` there is neither: None and "", and one makes it without a lock.
    """
    deadline, pause = time.monotonic() + seconds, FIRST_PAUSE
    while time.monotonic() < deadline:
        proof = acquire(client, key)
        found = look()  # also with the lock: it may have been made a moment ago
        if found is not None:
            if proof:
                release(client, key, proof)
            return found, ""
        if proof:
            return None, proof
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 2)
    return None, ""


@contextmanager
def held(client: "redis.Redis", key: str, proof: str) -> Iterator[None]:
    """Keep the lock while something is made, for as long as this process lives."""
    done = threading.Event()
    keeper = threading.Thread(target=_keep, args=(client, key, proof, done), daemon=True)
    keeper.start()
    try:
        yield
    finally:
        done.set()


def _keep(client: "redis.Redis", key: str, proof: str, done: threading.Event) -> None:
    import redis

    while not done.wait(LOCK_MS / 3000):
        try:
            renewed: Any = client.eval(_RENEW, 1, key, proof, str(LOCK_MS))
        except redis.RedisError:
            continue
        if not renewed:
            return
