"""How far each graph is, remembered in FalkorDB itself: what it lost in a crash is then lost together with the place.

What the platform remembers of it is in `ops.store_acks` (`changes/acks.py`).
"""

import hashlib
from typing import TYPE_CHECKING

from resources.errors import TransientError
from sonik_assets.changes.lsn import Lsn
from sonik_assets.graph import schema

if TYPE_CHECKING:
    from falkordb import FalkorDB

POSITIONS = "sonik:positions"
"""Redis hash: graph name -> LSN up to which the graph holds the changes."""
GENERATIONS = "sonik:generations"
"""Redis hash: graph name -> another word after each swap: numbers of nodes are others then."""
SCHEMAS = "sonik:schemas"
"""Redis hash: graph name -> fingerprint of the schema that the graph was made by."""
FSYNC_MS = 30_000


def position(client: "FalkorDB", name: str) -> Lsn | None:
    """Return how far a graph says it is; None where it does not say."""
    found = client.connection.hget(POSITIONS, name)
    return None if found is None else Lsn.parse(found.decode() if isinstance(found, bytes) else str(found))


def server_run(client: "FalkorDB") -> str:
    """Return a word that is another one when the server has been started again."""
    return str(client.connection.info("server")["run_id"])


def remember(client: "FalkorDB", name: str, lsn: Lsn, run: str) -> None:
    """Write the position behind everything else, and wait until all is on disk.

    TransientError where it is not, and where the server was started again since `run`: the client connects again
    without a word, and what the old one had not on disk is lost.
    """
    if server_run(client) == run:
        client.connection.hset(POSITIONS, name, str(lsn))
        wait_for_disk(client, name)
        if server_run(client) == run:
            return
    client.connection.hdel(POSITIONS, name)
    raise TransientError(f"graph {name}: FalkorDB was started again meanwhile; run again: the graph is made anew")


def fingerprint(name: str) -> str:
    """Return what tells the declared schema of a graph from any other."""
    return hashlib.blake2s(repr(schema.parts_of(name)).encode(), digest_size=16).hexdigest()


def made_by_this_schema(client: "FalkorDB", name: str) -> bool:
    """Tell whether a graph was made by the schema as it is declared now."""
    found = client.connection.hget(SCHEMAS, name)
    return found is not None and (found.decode() if isinstance(found, bytes) else str(found)) == fingerprint(name)


def sign(client: "FalkorDB", name: str) -> None:
    """Remember that a graph was made by this schema."""
    client.connection.hset(SCHEMAS, name, fingerprint(name))


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
