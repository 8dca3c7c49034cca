"""`unified.embeddings`: the vectors of all documents in PostgreSQL, for joins in SQL under row-level security.

A copy: what a text is says `documents`, what its vector is `ops.embeddings`. It follows the change feed as the tables
of LanceDB do, under a name of its own.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from adbc_driver_postgresql import dbapi
from psycopg import errors, sql

from resources.encoders import encoder
from resources.stores.copy import copy_frame
from resources.stores.postgres import connect
from sonik_assets.changes import acks, feed, slot
from sonik_assets.changes.writer import only_writer
from sonik_assets.vectors import documents
from sonik_assets.vectors.documents import TABLES, Table
from sonik_assets.vectors.embedding import Counts, vectors_of

if TYPE_CHECKING:
    import polars as pl
    from adbc_driver_manager.dbapi import Connection as Adbc
    from psycopg import Connection

    from resources.encoders import Encoder
    from resources.settings import Settings

STORE = "embeddings"
RELATION = "unified.embeddings"
BATCH = 20_000

_DDL = """
create table if not exists unified.embeddings (
    id text primary key,
    document_id uuid not null,
    table_name text not null,
    kind text not null,
    text_hash text not null,
    vector vector(384) not null
);
create index if not exists embeddings_document_id on unified.embeddings (table_name, document_id);
comment on table unified.embeddings is 'Vectors of unit length of entities, events, content and concepts.';
select ops.protect('unified.embeddings');
"""
_INDEX = "create index if not exists embeddings_vector on unified.embeddings using hnsw (vector vector_cosine_ops)"
_WANTED = "create temporary table wanted (id text, document_id uuid, kind text, text_hash text) on commit drop"
_DELETE = """
delete from unified.embeddings as t
where t.table_name = %(table)s and {among} and not exists (select from wanted as w where w.id = t.id)
"""
_WRITE = """
merge into unified.embeddings as t using (
    select w.*, e.vector::vector as vector from wanted as w inner join ops.embeddings as e using (text_hash)
) as s on t.id = s.id
when matched and (t.table_name, t.kind, t.text_hash) is distinct from (%(table)s, s.kind, s.text_hash)
    then update set table_name = %(table)s, kind = s.kind, text_hash = s.text_hash, vector = s.vector
when not matched then insert (id, document_id, table_name, kind, text_hash, vector)
    values (s.id, s.document_id, %(table)s, s.kind, s.text_hash, s.vector)
"""
_MADE_BY = "select rules from ops.seen where model = %s"
_REMEMBER = """
insert into ops.seen (model, until, rules) values (%s, now(), %s)
on conflict (model) do update set until = excluded.until, rules = excluded.rules
"""


@dataclass
class Copied:
    """What one run did: why everything was compared, if it was; rows `written`, `deleted`, and there now."""

    why: str = ""
    changes: int = 0
    written: int = 0
    deleted: int = 0
    rows: int = 0
    texts: Counts = field(default_factory=Counts)


@dataclass(frozen=True)
class _Copy:
    pg: "Connection[Any]"
    adbc: "Adbc"
    postgres_url: str
    model: "Encoder"
    said: Copied

    @property
    def rules(self) -> str:
        return " ".join(table.rules(self.model.model_id) for table in TABLES.values())


def is_available(pg: "Connection[Any]") -> bool:
    """Return whether the database has pgvector, made so where the server has it and we may."""
    if not pg.execute("select from pg_available_extensions where name = 'vector'").fetchall():
        return False
    try:
        pg.execute("create extension if not exists vector")
    except errors.InsufficientPrivilege:
        return False
    return True


def copy(settings: "Settings", postgres_url: str, *, batch: int = BATCH) -> Copied | None:
    """Bring `unified.embeddings` up to where the log is now; None where the server has no pgvector.

    TransientError while another process does so.
    """
    with _opened(settings, postgres_url) as it:
        if not is_available(it.pg):
            return None
        with only_writer(it.pg, STORE):
            if it.pg.execute("select to_regclass(%s)", [RELATION]).fetchone() == (None,):
                acks.forget(it.pg, STORE)  # it may have been there before: what it had is gone
            it.pg.execute(_DDL)
            slot.make_ready(it.pg)
            _bring_up(it, batch)
            _index(it.pg)
            slot.advance(it.pg)
        (it.said.rows,) = it.pg.execute(f"select count(*) from {RELATION}").fetchone() or (0,)
        return it.said


@contextmanager
def _opened(settings: "Settings", postgres_url: str) -> Iterator[_Copy]:
    with connect(postgres_url) as pg, dbapi.connect(postgres_url) as adbc:
        pg.autocommit = True
        yield _Copy(pg, adbc, postgres_url, encoder(settings), Copied())


def _bring_up(it: _Copy, batch: int) -> None:
    if why := _why_compared(it):
        _compare(it, why)
    if not _follow(it, batch):
        _compare(it, "a table was emptied, made anew or newly published")


def _why_compared(it: _Copy) -> str:
    acked, log = acks.acknowledged(it.pg, STORE), slot.state(it.pg).confirmed
    if acked is None:
        return "nobody knows how far it is"
    if it.pg.execute(_MADE_BY, [RELATION]).fetchall() != [(it.rules,)]:
        return "texts or vectors were made by other rules, or another model"
    return f"the log from {acked.lsn} on is gone" if log is None or acked.lsn < log else ""


def _compare(it: _Copy, why: str) -> None:
    it.said.why = why
    begin = feed.settled_position(it.pg)
    # Millions of rows enter an index one by one in hours, all at once in minutes.
    it.pg.execute("drop index if exists unified.embeddings_vector")
    for table in TABLES.values():
        for page in documents.pages(it.pg, table):
            wanted = documents.of_page(it.postgres_url, table, it.model.model_id, page)
            _write(it, table, wanted, page.holds("t.document_id"))
    with it.pg.transaction():
        it.pg.execute(_REMEMBER, [RELATION, it.rules])
        acks.forget(it.pg, STORE)
        acks.acknowledge(it.pg, STORE, begin, applied=True)


def _follow(it: _Copy, size: int) -> bool:
    """Apply what the feed has; False where everything must be compared instead."""
    acked = acks.acknowledged(it.pg, STORE)
    if acked is None:
        return False
    reads = {relation for table in TABLES.values() for relation in table.reads}
    for batch in feed.read(it.pg, acked.lsn, reads, size):
        if batch.rebuild:
            return False
        feed.settled(it.pg, batch.xids)
        it.said.changes += sum(map(len, batch.keys.values()))
        for table in TABLES.values():
            _apply(it, table, sorted(documents.affected(it.pg, table, batch.keys)))
        if batch.end is not None:
            acks.acknowledge(it.pg, STORE, batch.end, applied=bool(batch.keys))
    return True


def _apply(it: _Copy, table: Table, ids: list[str]) -> None:
    if ids:
        wanted = documents.of_ids(it.postgres_url, table, it.model.model_id, ids)
        _write(it, table, wanted, "t.document_id = any(%(ids)s::uuid[])", ids)


def _write(it: _Copy, table: Table, wanted: "pl.DataFrame", among: str, ids: Sequence[str] = ()) -> None:
    """Make the rows of a table that `among` holds for what is wanted."""
    vectors_of(it.adbc, wanted, it.model, it.said.texts)
    bound = {"table": table.name, "ids": list(ids)}
    with it.pg.transaction(), it.pg.cursor() as cursor:
        cursor.execute(_WANTED)
        copy_frame(cursor, sql.SQL("wanted"), wanted.select("id", "document_id", "kind", "text_hash"))
        it.said.deleted += cursor.execute(_DELETE.format(among=among), bound).rowcount
        it.said.written += cursor.execute(_WRITE, bound).rowcount


def _index(pg: "Connection[Any]") -> None:
    with pg.transaction():
        # With less memory than the vectors take it is several times slower.
        pg.execute("set local maintenance_work_mem = '512MB'")
        pg.execute(_INDEX)
