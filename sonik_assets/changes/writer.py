"""One writer a store at a time: of two that read and write by turns, the later would write the older."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from resources.errors import TransientError

if TYPE_CHECKING:
    from psycopg import Connection


@contextmanager
def only_writer(pg: "Connection[Any]", store: str) -> Iterator[None]:
    """Let this session alone write the store (`graph/operations`, `vectors/events`) until the end.

    TransientError where another does. The session may enter more than once.
    """
    lock = f"sonik.{store}"
    (mine,) = pg.execute("select pg_try_advisory_lock(hashtext(%s))", [lock]).fetchone() or (False,)
    if not mine:
        raise TransientError(f"{store} is being written by another process; run again when it has ended")
    try:
        yield
    finally:
        if not pg.closed:
            pg.execute("select pg_advisory_unlock(hashtext(%s))", [lock])
