"""The vector tables as a search reads them: open, with what they hold (cities, genres, days, models).

What needs a whole table is read once a version of it and kept by the process. What a scope may know of it is decided
in `search_scope`, what tables are in `resources.stores`.
"""

import asyncio
import logging
import threading
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl
import uvloop

from resources.errors import TerminalError
from resources.stores import lancedb
from sonik_assets.serving.wording import Vocabulary
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from lancedb import AsyncConnection, AsyncTable

    from resources.settings import Settings

logger = logging.getLogger(__name__)

SAID = 200
"""Characters of what LanceDB says that a message repeats."""


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Return a loop that runs for as long as the process: asked within one, a dozen queries take half the time.

    uvloop's, since LanceDB wakes it some seventy times a question.

    Not for a forked process: LanceDB cannot be used in one, whose parent has used it.
    """
    loop = uvloop.new_event_loop()
    threading.Thread(target=loop.run_forever, name="search", daemon=True).start()
    return loop


def wait_for[T](told: Coroutine[Any, Any, T]) -> T:
    """Return what is told by what these tables are asked; any thread may wait."""
    return asyncio.run_coroutine_threadsafe(told, _loop()).result()


@dataclass(frozen=True)
class Holding:
    """What a table holds: its cities, genres and days, those without persons, and of which models its vectors are."""

    vocabulary: Vocabulary
    impersonal: Vocabulary
    models: frozenset[str]


@dataclass(frozen=True)
class Opened:
    """A table as it was when it was opened, and what it holds."""

    table: "AsyncTable"
    holding: Holding


type _Version = tuple[int, frozenset[str | None]]
"""The number, and the ids of the indexes: a table that is made anew counts from one again, with indexes of its own."""

_DATABASES: dict[str, "AsyncConnection"] = {}
"""One connection a place: what was read of indexes is kept with it."""
_READ: dict[tuple[str, str], tuple[_Version, Holding]] = {}
"""By place and name of a table: its version and what it holds, of the version last seen."""


def open_tables(settings: "Settings") -> dict[str, Opened]:
    """Return the vector tables that exist, each as it is now; raises TerminalError when there is none.

    A table is read for what it holds when its version is another than last time.
    """
    uri = settings.lancedb_uri
    tables = wait_for(_opened(uri))
    if not tables:
        raise TerminalError(f"LanceDB at {uri} holds no tables yet: run `sonik run` first")
    found = {}
    for name, (table, version) in tables.items():
        held = _READ.get((uri, name))
        if held is None or held[0] != version:
            held = _READ[uri, name] = (version, _read(name, table))
        found[name] = Opened(table, held[1])
    return found


async def _opened(uri: str) -> dict[str, tuple["AsyncTable", _Version]]:
    try:
        if uri not in _DATABASES:
            _DATABASES[uri] = await lancedb.connect_async(uri)
        present = set((await _DATABASES[uri].list_tables(limit=1000)).tables)
    except (OSError, ValueError, RuntimeError) as error:
        raise TerminalError(f"LanceDB at {uri} cannot be opened ({error}): check SONIK_LANCEDB_URI") from error
    names = [name for name in TABLES if name in present]
    tables = await asyncio.gather(*(_table(_DATABASES[uri], name) for name in names))
    return dict(zip(names, tables, strict=True))


async def _table(database: "AsyncConnection", name: str) -> tuple["AsyncTable", _Version]:
    with told_of(name):
        table = await database.open_table(name)
        number, indexes = await asyncio.gather(table.version(), table.list_indices())
    return table, (number, frozenset(index.index_uuid for index in indexes))


@contextmanager
def told_of(name: str) -> Iterator[None]:
    """Turn what LanceDB raises while a table is read into a TerminalError that names the table and the way out."""
    try:
        yield
    except (OSError, ValueError, TypeError, RuntimeError) as error:
        raise TerminalError(
            f"the vector table {name} cannot be read: a file of it is missing, damaged or out of reach"
            f" ({str(error)[:SAID]}). `sonik vectors restore {name} TAG` goes back to an earlier run; or delete the"
            f" folder {name}.lance in SONIK_LANCEDB_URI and run `sonik run`, which makes it anew"
        ) from error


def together(vocabularies: Iterable[Vocabulary]) -> Vocabulary:
    """Return the vocabulary of several tables."""
    each = list(vocabularies)
    return Vocabulary(
        frozenset[str]().union(*(one.cities for one in each)),
        frozenset[str]().union(*(one.genres for one in each)),
        frozenset[date]().union(*(one.days for one in each)),
    )


def comparable(name: str, held: Holding, model: str) -> bool:
    """Say whether all vectors of a table are of this model, and warn where not: two models' cannot be compared."""
    others = held.models - {model}
    if others:
        logger.warning(
            "%s holds vectors of %s, the encoder is %s: searched by words only until `sonik run` embeds it anew",
            *(name, ", ".join(sorted(others)), model),
        )
    return not others


def _datable(rows: "pa.Table") -> "pa.Table":
    """Return the rows with no `local_date` where Python has no such day: PostgreSQL knows `infinity` and year 12026."""
    import pyarrow as pa
    import pyarrow.compute as pc

    at, days = rows.schema.get_field_index("local_date"), rows["local_date"]
    first, last = (pa.scalar(day, days.type) for day in (date.min, date.max))
    fits = pc.and_(pc.greater_equal(days, first), pc.less_equal(days, last))
    return rows.set_column(at, "local_date", pc.if_else(fits, days, pa.scalar(None, days.type)))


def _read(name: str, table: "AsyncTable") -> Holding:
    columns = ["kind", "city_key", "local_date", "genre_keys", "model"]
    with told_of(name):
        if "shown" not in wait_for(table.schema()).names:
            raise TerminalError(
                f"the vector table {name} is of an earlier version: run `sonik run`, which makes it anew"
            )
        told = wait_for(table.query().select(columns).to_arrow())
    rows = pl.DataFrame(pl.from_arrow(_datable(told)))
    impersonal = rows.filter(pl.col("kind").ne_missing("person"))
    return Holding(_vocabulary(rows), _vocabulary(impersonal), frozenset(rows["model"].drop_nulls().unique()))


def _vocabulary(rows: pl.DataFrame) -> Vocabulary:
    genres = rows["genre_keys"].cast(pl.List(pl.String)).explode().drop_nulls().unique()
    cities, days = (rows[name].drop_nulls().unique().to_list() for name in ("city_key", "local_date"))
    return Vocabulary(frozenset(filter(None, cities)), frozenset(filter(None, genres)), frozenset(days))
