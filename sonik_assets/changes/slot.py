"""The logical slot that keeps the log until every store has it: made, looked at, advanced. What is on it: `feed`.

Every function takes a connection in autocommit: what a slot has passed does not come back with a rollback.
"""

import hashlib
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError, TransientError
from sonik_assets.changes.lsn import Lsn

if TYPE_CHECKING:
    import psycopg

CREATE_SECONDS = 120
"""A new slot waits for the transactions that are writing, in any database of the server."""
_LOCK = "hashtext('sonik.slot')"


@dataclass(frozen=True)
class State:
    """How a slot is. `retained`: bytes of log that it keeps; `safe`: more of them until it is lost, None is no limit.

    `limit`: the server's `max_slot_wal_keep_size`, as text, -1 is none. `lost`: what it kept is gone: `recreate`.
    """

    exists: bool
    lost: bool
    confirmed: Lsn | None
    restart: Lsn | None
    retained: int
    safe: int | None
    limit: str


_STATE = """
select s.slot_name is not null, coalesce(s.wal_status = 'lost' or s.invalidation_reason is not null, false),
    s.confirmed_flush_lsn::text, s.restart_lsn::text,
    coalesce(pg_wal_lsn_diff(pg_current_wal_lsn(), s.restart_lsn), 0)::int8, s.safe_wal_size,
    current_setting('max_slot_wal_keep_size')
from (select) as one left join pg_replication_slots as s on s.slot_name = %s
"""
_POSITION = """
select pg_current_wal_insert_lsn()::text, pg_current_wal_insert_lsn() <= pg_current_wal_flush_lsn()
"""
_ADVANCE = """
select least.lsn::text from pg_replication_slots as s, (select min(lsn) as lsn from ops.store_acks) as least
where s.slot_name = %s and least.lsn > s.confirmed_flush_lsn
    and not exists (select unnest(%s::text[]) except select store from ops.store_acks)
"""


def name(database: str) -> str:
    """Return the slot's name: slots are of the server, which may have several of our databases."""
    wanted = database if database == "sonik" else f"sonik_{database}"
    if re.fullmatch(r"[a-z0-9_]{1,63}", wanted):
        return wanted
    return f"sonik_{hashlib.blake2s(database.encode(), digest_size=16).hexdigest()}"


@contextmanager
def alone(pg: "psycopg.Connection[Any]") -> Iterator[str]:
    """Give the slot's name, while no other reader of ours has it: a slot serves one session at a time.

    What PostgreSQL says of a slot becomes an error of ours. TerminalError where the connection is not in autocommit.
    """
    import psycopg

    if not pg.autocommit or pg.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        raise TerminalError("the change feed needs a connection in autocommit, outside of a transaction")
    slot = name(pg.info.dbname)
    pg.execute(f"select pg_advisory_lock({_LOCK})")
    try:
        yield slot
    except psycopg.errors.InsufficientPrivilege as error:
        raise TerminalError(_NOT_ALLOWED.format(pg.info.user, pg.info.dbname, _first(error))) from error
    except psycopg.errors.ConfigurationLimitExceeded as error:
        raise TerminalError(
            f"{_first(error)}: raise max_replication_slots, or drop a slot that nobody reads (pg_replication_slots)"
        ) from error
    except psycopg.errors.UndefinedObject as error:
        raise TerminalError(f"change feed: {_first(error)}: the stores must be rebuilt (sonik doctor)") from error
    except psycopg.errors.ObjectInUse as error:
        raise TransientError(f"change feed: {_first(error)}: another program reads it; try again later") from error
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        raise TerminalError(_NOT_READY.format(slot, pg.info.dbname, _first(error))) from error
    finally:
        if not pg.closed:
            pg.execute(f"select pg_advisory_unlock({_LOCK})")


def ensure(pg: "psycopg.Connection[Any]") -> bool:
    """Create the slot where it is missing; return whether it was.

    TerminalError where the server keeps no logical log or the role may not replicate; TransientError where some
    transaction has been writing for longer than `CREATE_SECONDS`.
    """
    with alone(pg) as slot:
        return _create(pg, slot)


def recreate(pg: "psycopg.Connection[Any]") -> None:
    """Drop the slot if it is lost and make it anew: it begins now, and every store has to be rebuilt.

    Errors as of `ensure`.
    """
    with alone(pg) as slot:
        found = state(pg)
        if found.exists and not found.lost:
            return  # somebody else has done it meanwhile
        pg.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", [slot])
        _create(pg, slot)


def make_ready(pg: "psycopg.Connection[Any]") -> None:
    """Have a slot that can be followed: made where it is missing, made anew where it is lost. Errors as of `ensure`."""
    ensure(pg)
    if state(pg).lost:
        recreate(pg)


def drop(pg: "psycopg.Connection[Any]") -> None:
    """Drop the slot if it is there: a database that has one cannot be dropped."""
    with alone(pg) as slot:
        pg.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = %s", [slot])


def state(pg: "psycopg.Connection[Any]") -> State:
    """Return how the slot is."""
    row = pg.execute(_STATE, [name(pg.info.dbname)]).fetchone()
    if row is None:
        raise TerminalError("PostgreSQL does not tell its replication slots")
    exists, lost, confirmed, restart, retained, safe, limit = row
    return State(exists, lost, _lsn(confirmed), _lsn(restart), retained, safe, limit)


def advance(pg: "psycopg.Connection[Any]", stores: Collection[str] = ()) -> Lsn | None:
    """Let go what every store of `ops.store_acks` has; return where the slot is then, None where it stays.

    It stays as well while one of `stores` has never acknowledged anything. It never goes back.
    """
    with alone(pg) as slot:
        row = pg.execute(_ADVANCE, [slot, list(stores)]).fetchone()
        if row is None:
            return None
        end = pg.execute("select end_lsn::text from pg_replication_slot_advance(%s, %s::pg_lsn)", [slot, row[0]])
        return _lsn(end.fetchall()[0][0])


def position(pg: "psycopg.Connection[Any]") -> Lsn:
    """Return the end of the log, on disk, between two records: a transaction has committed before it or behind it.

    `pg_current_wal_flush_lsn` may point into the middle of a record. Where the last ones are not on disk yet, an empty
    message of ours is written behind them and flushed. Not every transaction before it is visible yet: `feed.settled`.
    """
    inserted, is_flushed = pg.execute(_POSITION).fetchall()[0]
    if not is_flushed:
        row = pg.execute("select pg_logical_emit_message(false, 'sonik.position', '', true)::text").fetchall()[0]
        inserted = row[0]
    return Lsn.parse(inserted)


def _create(pg: "psycopg.Connection[Any]", slot: str) -> bool:
    import psycopg

    if pg.execute("select 1 from pg_replication_slots where slot_name = %s", [slot]).fetchone():
        return False
    try:
        with pg.transaction():
            pg.execute(f"set local statement_timeout = '{CREATE_SECONDS}s'")
            pg.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
    except psycopg.errors.QueryCanceled as error:
        raise TransientError(
            f"replication slot {slot} cannot begin: a transaction has been writing for more than {CREATE_SECONDS} s."
            " End it (pg_stat_activity, the oldest xact_start), or try again later"
        ) from error
    return True


def _lsn(text: str | None) -> Lsn | None:
    return None if text is None else Lsn.parse(text)


def _first(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


_NOT_ALLOWED = (
    "role {0!r} may not replicate from database {1!r} ({2}): let an administrator run `alter role {0} replication`"
)
_NOT_READY = (
    "replication slot {0} of database {1!r} cannot be used: {2}. Where wal_level is not logical: `alter system set"
    " wal_level = logical`, and restart PostgreSQL. Where the slot is lost, it is made anew and the stores are rebuilt"
)
