"""Brings a LanceDB table up to date: change by change from the feed, compared with the tables, or made anew.

The order is what makes a crash harmless: write, remember the position in the table, acknowledge in PostgreSQL, let the
slot go on. Whatever is interrupted is done again, and doing it again changes nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adbc_driver_postgresql import dbapi

from resources.encoders import encoder
from resources.stores import lance_indexes, lance_versions, lancedb
from resources.stores.postgres import connect
from sonik_assets.changes import acks, feed, slot
from sonik_assets.changes.writer import only_writer
from sonik_assets.vectors import documents
from sonik_assets.vectors.documents import TABLES
from sonik_assets.vectors.position import place, remember
from sonik_assets.vectors.write import Written, present, write_anew, write_difference

if TYPE_CHECKING:
    from adbc_driver_manager.dbapi import Connection as Adbc
    from lancedb.db import DBConnection
    from lancedb.table import Table
    from psycopg import Connection

    from resources.encoders import Encoder
    from resources.settings import Settings

BATCH = 20_000
"""Changed keys that are applied at once."""
ANEW, COMPARED = "anew", "compared"
_IDENTITY = """
select concat_ws('/', (select system_identifier from pg_control_system()), oid) from pg_database
where datname = current_database()
"""


@dataclass
class Synced:
    """What one run did: `rows` now; whether and why the table was made `anew` or `compared`; `changes` told."""

    table: str
    how: str = "followed"
    why: str = ""
    rows: int = 0
    changes: int = 0
    lance_versions: int = 0
    done: Written = field(default_factory=Written)


@dataclass(frozen=True)
class Sync:
    """One table being brought up to date."""

    pg: "Connection[Any]"
    adbc: "Adbc"
    postgres_url: str
    database: "DBConnection"
    table: documents.Table
    model: "Encoder"
    said: Synced

    @property
    def rules(self) -> str:
        """Return what the table's texts and vectors must have been made by."""
        return self.table.rules(self.model.model_id)


def store_of(name: str) -> str:
    """Return the name of a table among the stores that follow the feed."""
    return f"vectors/{name}"


def table_of(store: str) -> str:
    """Return the table that is followed under the name of a store."""
    return store.removeprefix("vectors/")


STORES = tuple(store_of(name) for name in TABLES)


def sync(settings: "Settings", postgres_url: str, name: str, *, run: str = "", batch: int = BATCH) -> Synced:
    """Bring table `name` up to where the log is now; TransientError while another process does so.

    `run`: whose version this is, for going back to it.
    """
    said = Synced(name)
    with _opened(settings, postgres_url, name, said) as it, only_writer(it.pg, store_of(name)):
        before = lancedb.open_table(it.database, name)
        version = 0 if before is None else before.version  # an empty table is falsy
        slot.make_ready(it.pg)
        table = _up_to_date(it, before, batch)
        lance_indexes.ensure(table)
        _mark(table, run, changed=table.version != version)
        said.rows, said.lance_versions = table.count_rows(), table.version - version
        slot.advance(it.pg, STORES)
    return said


@contextmanager
def _opened(settings: "Settings", postgres_url: str, name: str, said: Synced) -> Iterator[Sync]:
    with connect(postgres_url) as pg, dbapi.connect(postgres_url) as adbc:
        pg.autocommit = True
        database = lancedb.connect(settings.lancedb_uri)
        yield Sync(pg, adbc, postgres_url, database, TABLES[name], encoder(settings), said)


def _up_to_date(it: Sync, table: "Table | None", batch: int) -> "Table":
    how, why = _reason(it, table)
    if table is None or how == ANEW:
        return _make_anew(it, why)
    if how == COMPARED:
        _compare(it, table, why)
    if not _follow(it, table, batch):
        _compare(it, table, "a table was emptied, made anew or newly published")
        _follow(it, table, batch)
    return table


def _reason(it: Sync, table: "Table | None") -> tuple[str, str]:
    """Return how the table is brought up to date, and why not simply by what changed."""
    if table is None:
        return ANEW, "there is no table yet"
    if lancedb.facts(table).get("database", "") not in ("", identity(it.pg)):
        return ANEW, "it was made of another database"
    if not lancedb.has_our_schema(table) or lancedb.facts(table).get("rules") != it.rules:
        return ANEW, "texts or vectors were made by other rules, or another model"
    why = why_compared(it.pg, table)
    return (COMPARED, why) if why else ("", "")


def why_compared(pg: "Connection[Any]", table: "Table") -> str:
    """Return why changes alone cannot bring a table up to date; nothing where they can."""
    acked, own, log = acks.acknowledged(pg, store_of(table.name)), place(table), slot.state(pg).confirmed
    if lancedb.facts(table).get("database") != identity(pg):
        return "it was made of another database"
    if acked is None or own is None:
        return "nobody knows how far it is"
    if not own.is_present:
        return "it was written, or gone back with, by somebody else, or a run was cut short"
    if own.lsn < acked.applied:
        return f"it is at {own.lsn}, and was at {acked.applied}: it is an older copy"
    if own.lsn > slot.position(pg):
        return f"it is at {own.lsn}, ahead of PostgreSQL's log: that is another server, or one restored"
    if log is None or acked.lsn < log:
        return f"the log from {acked.lsn} on is gone"
    return ""


def identity(pg: "Connection[Any]") -> str:
    """Return which database of which server this is: positions of one mean nothing in another."""
    row = pg.execute(_IDENTITY).fetchone()
    return str(row[0]) if row else ""


def _make_anew(it: Sync, why: str) -> "Table":
    it.said.how, it.said.why = ANEW, why
    begin = feed.settled_position(it.pg)
    pages = (_page(it, page) for page in documents.pages(it.pg, it.table))
    facts = {"model": it.model.model_id, "rules": it.rules, "database": identity(it.pg)}
    table = write_anew(it.database, it.table.name, it.adbc, pages, it.model, facts, it.said.done)
    _start_over(it, table, begin)
    return table


def _compare(it: Sync, table: "Table", why: str) -> None:
    it.said.how, it.said.why = COMPARED, why
    begin = feed.settled_position(it.pg)
    if table.count_rows("document_id is null"):
        table.delete("document_id is null")  # no page would find it
    for page in documents.pages(it.pg, it.table):
        there = present(table, [page.holds("document_id")])
        write_difference(table, it.adbc, _page(it, page), there, it.model, it.said.done)
    _start_over(it, table, begin)


def _page(it: Sync, page: documents.Page) -> Any:
    return documents.of_page(it.postgres_url, it.table, it.model.model_id, page)


def _start_over(it: Sync, table: "Table", begin: Any) -> None:
    remember(table, begin)
    with it.pg.transaction():
        acks.forget(it.pg, store_of(it.table.name))
        acks.acknowledge(it.pg, store_of(it.table.name), begin, applied=True)


def _follow(it: Sync, table: "Table", size: int) -> bool:
    """Apply what the feed has; False where the table must be compared instead."""
    store = store_of(it.table.name)
    acked = acks.acknowledged(it.pg, store)
    if acked is None:
        return False
    written = False  # since the last position: a large transaction comes in several batches, its end with the last
    for batch in feed.read(it.pg, acked.lsn, it.table.reads, size):
        if batch.rebuild:
            return False
        if batch.keys:
            feed.settled(it.pg, batch.xids)
            it.said.changes += sum(map(len, batch.keys.values()))
            _apply(it, table, documents.affected(it.pg, it.table, batch.keys))
            written = True
        if batch.end is not None:
            if written:
                remember(table, batch.end)
            acks.acknowledge(it.pg, store, batch.end, applied=written)
            written = False
    return True


def _apply(it: Sync, table: "Table", ids: set[str]) -> None:
    there = present(table, lancedb.among("document_id", sorted(ids)))
    wanted = documents.of_ids(it.postgres_url, it.table, it.model.model_id, ids)
    write_difference(table, it.adbc, wanted, there, it.model, it.said.done)


def _mark(table: "Table", run: str, *, changed: bool) -> None:
    """Mark the version as this run's, and as of the position: indexes made another one of it."""
    if not changed:
        return
    if own := place(table):
        remember(table, own.lsn)
    if run:
        lance_versions.tag_run(table, run)
