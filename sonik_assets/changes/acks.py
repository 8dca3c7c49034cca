"""How far each store is: `ops.store_acks`. What the slot lets go follows from these rows (`slot.advance`)."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sonik_assets.changes.lsn import Lsn

if TYPE_CHECKING:
    import psycopg


@dataclass(frozen=True)
class Ack:
    """A store's place. `applied`: the last one at which it was written; its own memory must not be behind that."""

    lsn: Lsn
    applied: Lsn
    at: datetime


_WRITE = """
insert into ops.store_acks as a (store, lsn, applied_lsn)
values (%(store)s, %(lsn)s::pg_lsn, case when %(applied)s then %(lsn)s::pg_lsn else '0/0' end)
on conflict (store) do update set
    lsn = greatest(a.lsn, excluded.lsn), applied_lsn = greatest(a.applied_lsn, excluded.applied_lsn), at = now()
"""


def acknowledged(pg: "psycopg.Connection[Any]", store: str) -> Ack | None:
    """Return how far a store is, None where it never said."""
    row = pg.execute("select lsn::text, applied_lsn::text, at from ops.store_acks where store = %s", [store]).fetchone()
    return None if row is None else Ack(Lsn.parse(row[0]), Lsn.parse(row[1]), row[2])


def places(pg: "psycopg.Connection[Any]") -> dict[str, Ack]:
    """Return how far each store is, of those that ever said."""
    rows = pg.execute("select store, lsn::text, applied_lsn::text, at from ops.store_acks order by store").fetchall()
    return {store: Ack(Lsn.parse(lsn), Lsn.parse(applied), at) for store, lsn, applied, at in rows}


def acknowledge(pg: "psycopg.Connection[Any]", store: str, lsn: Lsn, *, applied: bool) -> None:
    """Remember that a store holds everything up to `lsn`; `applied`: it was written for it.

    It never goes back: a store that begins anew on another log is forgotten first.
    """
    pg.execute(_WRITE, {"store": store, "lsn": str(lsn), "applied": applied})


def forget(pg: "psycopg.Connection[Any]", store: str) -> None:
    """Forget a store: the slot waits for it no longer."""
    pg.execute("delete from ops.store_acks where store = %s", [store])
