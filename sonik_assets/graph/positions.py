"""How far each graph is, remembered in FalkorDB itself: what it lost in a crash is then lost together with the place.

What the platform remembers of it is in `ops.store_acks` (`changes/acks.py`).
"""

from typing import TYPE_CHECKING

from resources.errors import TransientError
from sonik_assets.changes.lsn import Lsn

if TYPE_CHECKING:
    from falkordb import FalkorDB

POSITIONS = "sonik:positions"
"""Redis hash: graph name -> LSN up to which the graph holds the changes."""
FSYNC_MS = 30_000


def position(client: "FalkorDB", name: str) -> Lsn | None:
    """Return how far a graph says it is; None where it does not say."""
    found = client.connection.hget(POSITIONS, name)
    return None if found is None else Lsn.parse(found.decode() if isinstance(found, bytes) else str(found))


def remember(client: "FalkorDB", name: str, lsn: Lsn) -> None:
    """Write the position behind everything else, and wait until all is on disk; TransientError where it is not."""
    client.connection.hset(POSITIONS, name, str(lsn))
    wait_for_disk(client, name)


def wait_for_disk(client: "FalkorDB", name: str) -> None:
    """Wait until the server has flushed what it has been told.

    A server without an append-only file cannot say: after a crash it is behind, and its graphs are made anew.
    """
    from redis.exceptions import RedisError, ResponseError

    try:
        synced, _ = client.connection.execute_command("WAITAOF", 1, 0, FSYNC_MS)
    except ResponseError as error:
        if "appendonly" in str(error):
            return
        raise TransientError(f"graph {name}: FalkorDB cannot flush: {error}; run again") from error
    except RedisError as error:
        raise TransientError(f"graph {name}: FalkorDB failed while it flushed: {error}; run again") from error
    if not synced:
        raise TransientError(f"graph {name}: FalkorDB wrote nothing to disk for {FSYNC_MS // 1000} s; run again")
