"""What changed since a position, in batches of bounded size; whether anything did. How a store takes it is the store's.

Every function takes a connection in autocommit. The slot is only looked at here, except in `pass_over`.
"""

import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from resources.errors import TransientError
from sonik_assets.changes import acks, slot
from sonik_assets.changes.folding import SCHEMA, Batch, Folding
from sonik_assets.changes.lsn import Lsn

if TYPE_CHECKING:
    import psycopg

FETCH = 10_000
"""Messages that are asked for at once."""
SETTLED_SECONDS = 30
PASS_OVER_BYTES = 1 << 20
"""To move a position is to write to the log: a shorter empty stretch is left alone."""

_PEEK = """pg_logical_slot_peek_binary_changes(
    %(slot)s, %(upto)s::pg_lsn, %(most)s::int4,
    'proto_version', '1', 'publication_names', 'sonik', 'messages', 'true'
)"""
# Rows of other tables are left out by the server: their first byte is the kind, the next four are the table.
_READ = f"""
select data from {_PEEK}
where get_byte(data, 0) not in (73, 85, 68) or substr(data, 2, 4) <> all(%(others)s::bytea[])
"""
# A commit: kind, flags, its position, and behind which it ends.
_ENDS = f"""
select count(*), max(substr(data, 11, 8)) filter (where get_byte(data, 0) = 67) from {_PEEK}
"""
_PRESENT = """
select relname, oid::int8 from pg_class where relnamespace = to_regnamespace(%s) and relkind in ('r', 'p')
"""
_IN_PROGRESS = """
select (pg_snapshot_xmax(s)::text::numeric % 4294967296)::int8,
    array(select (x::text::numeric % 4294967296)::int8 from pg_snapshot_xip(s) as x)
from pg_current_snapshot() as s

"""
_MOVE = "update ops.store_acks set lsn = %(upto)s::pg_lsn, at = now() where lsn >= %(from)s::pg_lsn and lsn < %(upto)s"


def read(
    pg: "psycopg.Connection[Any]", since: Lsn, tables: Collection[str], size: int = 50_000, upto: Lsn | None = None
) -> Iterator[Batch]:
    """Yield what was committed after `since`, in the order of the log, in batches of about `size` keys at most.

    `upto`: a store that must not be ahead of others is told nothing that they have not (their position).
    `since`: an `end` of a batch, or `slot.position`; 0 is wherever the slot begins. Where the slot is past it, there is
    one batch only, which asks for a rebuild. The last batch is empty, and its `end` is where the log was when reading
    began. Meanwhile the connection may be used, with transactions; others may read the slot. The server keeps
    what it decoded, in memory and then in a temporary file. Errors as of `slot.alone`.
    """
    with slot.alone(pg) as name:
        begin, here = slot.state(pg).confirmed, slot.position(pg)
        if (
            begin is not None and 0 < since < begin
        ):  # made anew since it was looked at: what came in between is on no log
            yield Batch({}, None, rebuild=True)
            return
        upto = min(upto, here) if upto else here
        present: dict[str, int] = dict(pg.execute(_PRESENT, [SCHEMA]).fetchall())
        cursor = pg.cursor(f"sonik_feed_{uuid.uuid4().hex}", binary=True, withhold=True)
        others = [oid.to_bytes(4) for table, oid in present.items() if table not in tables]
        # The server decodes everything when this transaction ends; the slot is free from there.
        with pg.transaction():
            cursor.execute(_READ, {"slot": name, "upto": str(upto), "most": None, "others": others})
    folding = Folding(since, tables, present)
    last = upto
    with closing(cursor):
        while rows := cursor.fetchmany(min(FETCH, size)):
            folding.take(row[0] for row in rows)
            last = max(last, folding.end or last)
            if len(folding) + min(FETCH, size) > size or folding.must_rebuild:
                yield folding.batch()
    if len(folding) or folding.must_rebuild:
        yield folding.batch()
    yield Batch({}, last)


def waiting(pg: "psycopg.Connection[Any]", store: str) -> bool:
    """Return whether published tables changed after what a store has; True of one that never acknowledged."""
    place = acks.acknowledged(pg, store)
    if place is None:
        return True
    with slot.alone(pg) as name:
        return _is_behind(pg, name, None, place.lsn)


def pass_over(pg: "psycopg.Connection[Any]", *, least: int = PASS_OVER_BYTES) -> bool:
    """Where nothing of ours is on the log for at least `least` bytes, move stores and slot to its end.

    Others write to the same log (Dagster's storage does all the time), and the slot keeps it. A store that is behind
    the slot, which must be rebuilt, stays where it is. Return whether anything moved.
    """
    with slot.alone(pg) as name:
        begin, upto = slot.state(pg).confirmed, slot.position(pg)
        if begin is None or upto - begin < least or _is_behind(pg, name, upto, begin):
            return False
        pg.execute(_MOVE, {"upto": str(upto), "from": str(begin)})
        return slot.advance(pg) is not None


def settled(pg: "psycopg.Connection[Any]", xids: Collection[int], *, seconds: float = SETTLED_SECONDS) -> None:
    """Wait until every snapshot taken from here on sees these transactions (32-bit ids that the log said committed).

    A commit is on the log a moment before others see it. TransientError after `seconds`.
    """
    deadline = time.monotonic() + seconds
    pause = 0.001
    while hidden := _hidden(pg, xids):
        if time.monotonic() > deadline:
            raise TransientError(
                f"transaction {min(hidden)} is on the log and not visible after {seconds:g} s: does it wait for a"
                " standby that is away (synchronous_standby_names)? Try again later"
            )
        time.sleep(pause)
        pause = min(0.1, pause * 2)


def settled_position(pg: "psycopg.Connection[Any]") -> Lsn:
    """Return the end of the log; every snapshot taken from here on sees all of our changes before it.

    With such a snapshot a store is made from the tables; what is read since this position is all that it lacks.
    """
    with slot.alone(pg) as name:
        upto = slot.position(pg)
        query = f"select substr(data, 18, 4) from {_PEEK} where get_byte(data, 0) = 66"
        rows = pg.execute(query, {"slot": name, "upto": str(upto), "most": None}, binary=True).fetchall()
    settled(pg, [int.from_bytes(row[0]) for row in rows])
    return upto


def _hidden(pg: "psycopg.Connection[Any]", xids: Collection[int]) -> set[int]:
    if not xids:
        return set()
    ahead, running = pg.execute(_IN_PROGRESS).fetchall()[0]
    # Ids go round: half of them are ahead of any one.
    return {xid for xid in xids if xid in running or (xid - ahead) % 2**32 < 2**31}


def _is_behind(pg: "psycopg.Connection[Any]", name: str, upto: Lsn | None, place: Lsn) -> bool:
    """Return whether a transaction ends after `place`. The server stops at the first end after so many messages."""
    most = 1
    while True:
        bound = {"slot": name, "upto": None if upto is None else str(upto), "most": most}
        count, end = pg.execute(_ENDS, bound, binary=True).fetchall()[0]
        if end is not None and int.from_bytes(end) > place:
            return True
        if count < most:
            return False
        most = min(most * 100, 2**31 - 1)
