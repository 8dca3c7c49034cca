"""What a LanceDB table needs now and then: indexes with every row, old versions off the disk, rows erased for good."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError
from resources.stores import lance_indexes, lance_versions, lancedb
from resources.stores.postgres import connect
from sonik_assets.changes import acks
from sonik_assets.changes.writer import only_writer
from sonik_assets.vectors.position import hold, place, remember
from sonik_assets.vectors.sync import store_of

if TYPE_CHECKING:
    from lancedb.table import Table
    from psycopg import Connection

    from resources.settings import Settings

AT_ONCE = timedelta(0)


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
        lance_indexes.bring_up_to_date(table)
        hold(table)  # before the cleaning, which refuses to remove a marked version
        return _cleaned(table, lance_versions.KEPT)


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
        if own and own.is_present:
            remember(table, own.lsn)
        return _cleaned(table, AT_ONCE)


def go_back(settings: "Settings", postgres_url: str, name: str, tag: str) -> int:
    """Make a run's version the present one; return its rows. The next run compares, and brings it up to date again."""
    with _alone(postgres_url, name) as pg:
        table = existing(settings, name)
        # Forgotten first: cut short in between, the table is compared, which does no harm.
        acks.forget(pg, store_of(name))
        return lance_versions.go_back(table, tag)


def existing(settings: "Settings", name: str) -> "Table":
    """Return the table; raises TerminalError where there is none."""
    table = lancedb.open_table(lancedb.connect(settings.lancedb_uri), name)
    if table is None:
        raise TerminalError(f"LanceDB at {settings.lancedb_uri} has no table {name}: run `sonik run` first")
    return table


def _cleaned(table: "Table", older_than: timedelta) -> Kept:
    cleaned = lance_versions.clean(table, older_than)
    hold(table)
    return Kept(table.name, table.count_rows(), cleaned, len(table.list_versions()))


@contextmanager
def _alone(postgres_url: str, name: str) -> "Iterator[Connection[Any]]":
    with connect(postgres_url) as pg:
        pg.autocommit = True
        with only_writer(pg, store_of(name)):
            yield pg
