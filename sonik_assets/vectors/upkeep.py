"""What a LanceDB table needs now and then: indexes with every row, old versions off the disk, rows erased for good."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError
from resources.stores import lance_indexes, lance_versions, lancedb
from resources.stores.postgres import connect
from sonik_assets.changes.writer import only_writer
from sonik_assets.vectors.documents import TABLES
from sonik_assets.vectors.position import Place, place, remember
from sonik_assets.vectors.sync import store_of

if TYPE_CHECKING:
    from lancedb.table import Table
    from psycopg import Connection

    from resources.settings import Settings

AT_ONCE = timedelta(0)
_SWEEP = """
with gone as (
    delete from ops.embeddings as e
    where made_at < now() - $1::interval and not exists (select from kept_texts as k where k.text_hash = e.text_hash)
    returning 1
)
select count(*) from gone
"""


@dataclass(frozen=True)
class Kept:
    """What a table has after its upkeep: `rows`, versions `cleaned` and those left."""

    table: str
    rows: int
    cleaned: int
    versions: int


def upkeep(settings: "Settings", postgres_url: str, name: str) -> Kept:
    """Bring the indexes up to date and remove versions older than a week; TransientError while it is being written."""
    with _alone(postgres_url, name):
        table = existing(settings, name)
        own = place(table)
        lance_indexes.bring_up_to_date(table)
        return _cleaned(table, own, lance_versions.KEPT)


def erase_deleted(settings: "Settings", postgres_url: str, name: str) -> Kept:
    """Have nothing on the disk but the present rows: all of it is written anew, and every older version removed.

    Until then a deleted row is still in its file, in indexes and in older versions. Who reads an older version
    meanwhile fails, and has to open the table again.
    """
    with _alone(postgres_url, name):
        old = existing(settings, name)
        own = place(old)
        rows = iter(old.search().limit(None).to_batches())
        table = lancedb.overwrite(lancedb.connect(settings.lancedb_uri), name, rows, lancedb.facts(old))
        lance_indexes.ensure(table)
        return _cleaned(table, own, AT_ONCE)


def sweep(settings: "Settings", postgres_url: str, *, at_once: bool) -> int:
    """Delete vectors of `ops.embeddings` that no table has, a month after they were made or at once; return how many.

    A text that comes back meanwhile is not embedded again.
    """
    import polars as pl
    from adbc_driver_postgresql import dbapi

    database = lancedb.connect(settings.lancedb_uri)
    there = [existing(settings, name) for name in TABLES if name in lancedb.table_names(database)]
    hashes = [table.search().select(["text_hash"]).limit(None).to_arrow() for table in there]
    with dbapi.connect(postgres_url) as adbc, adbc.cursor() as cursor:
        kept = pl.concat([pl.DataFrame(schema={"text_hash": pl.String}), *map(pl.DataFrame, hashes)])
        cursor.adbc_ingest("kept_texts", kept.to_arrow(), mode="replace", temporary=True)
        cursor.execute(_SWEEP, parameters=["0 days" if at_once else "30 days"])
        (swept,) = cursor.fetchone() or (0,)
        adbc.commit()
    return int(swept)


def go_back(settings: "Settings", postgres_url: str, name: str, tag: str) -> int:
    """Make a run's version the present one; return its rows. The next run compares, and brings it up to date again."""
    with _alone(postgres_url, name):
        return lance_versions.go_back(existing(settings, name), tag)


def existing(settings: "Settings", name: str) -> "Table":
    """Return the table; raises TerminalError where there is none."""
    table = lancedb.open_table(lancedb.connect(settings.lancedb_uri), name)
    if table is None:
        raise TerminalError(f"LanceDB at {settings.lancedb_uri} has no table {name}: run `sonik run` first")
    return table


def _cleaned(table: "Table", own: "Place | None", older_than: timedelta) -> Kept:
    # Before the cleaning, which refuses to remove a marked version. What somebody else wrote is not marked as ours: the
    # next run compares.
    if own and own.is_present:
        remember(table, own.lsn)
    cleaned = lance_versions.clean(table, older_than)
    if own and own.is_present:
        remember(table, own.lsn)
    return Kept(table.name, table.count_rows(), cleaned, len(table.list_versions()))


@contextmanager
def _alone(postgres_url: str, name: str) -> "Iterator[Connection[Any]]":
    with connect(postgres_url) as pg:
        pg.autocommit = True
        with only_writer(pg, store_of(name)):
            yield pg
