"""The vector tables as a search reads them: open, with what they hold (cities, genres, days, models).

What needs a whole table is read once a version of it and kept by the process. What tables are is `resources.stores`.
"""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

import polars as pl

from resources.errors import TerminalError
from resources.stores import lancedb
from sonik_assets.serving.wording import Vocabulary
from sonik_assets.vectors.documents import TABLES

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.table import Table

    from resources.settings import Settings

logger = logging.getLogger(__name__)


def open_tables(settings: "Settings") -> dict[str, "Table"]:
    """Return the vector tables that exist, each as it is now; raises TerminalError when there is none."""
    database = _database(settings.lancedb_uri)
    present = set(lancedb.table_names(database))
    tables = {name: database.open_table(name) for name in TABLES if name in present}
    if not tables:
        raise TerminalError(f"LanceDB at {settings.lancedb_uri} holds no tables yet: run `sonik run` first")
    return tables


@lru_cache(maxsize=4)
def _database(uri: str) -> "DBConnection":
    """Return one connection a process: what was read of indexes is kept with it."""
    return lancedb.connect(uri)


@dataclass(frozen=True)
class Holding:
    """What a table holds: its cities, genres and days, and of which models its vectors are."""

    vocabulary: Vocabulary
    models: frozenset[str]


_READ: dict[tuple[str, str], tuple[int, Holding]] = {}
"""By place and name of a table: its version and what it holds, of the version last seen."""


def holdings(settings: "Settings", tables: Mapping[str, "Table"]) -> dict[str, Holding]:
    """Return what each table holds; a table is read when its version is another than last time."""
    found = {}
    for name, table in tables.items():
        key, version = (settings.lancedb_uri, name), table.version
        held = _READ.get(key)
        if held is None or held[0] != version:
            held = _READ[key] = (version, _read(table))
        found[name] = held[1]
    return found


def together(held: Iterable[Holding]) -> Vocabulary:
    """Return the vocabulary of several tables."""
    each = [one.vocabulary for one in held]
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


def _read(table: "Table") -> Holding:
    columns = ["city_key", "local_date", "genre_keys", "model"]
    rows = pl.DataFrame(pl.from_arrow(table.search().select(columns).to_arrow()))
    genres = rows["genre_keys"].cast(pl.List(pl.String)).explode().drop_nulls().unique()
    cities, days, models = (rows[name].drop_nulls().unique().to_list() for name in ("city_key", "local_date", "model"))
    vocabulary = Vocabulary(frozenset(filter(None, cities)), frozenset(filter(None, genres)), frozenset(days))
    return Holding(vocabulary, frozenset(models))
