"""Reads what identity knew and what the sources say now; writes what it has decided, only where it differs.

SQL and shapes only: the rules are in the pure modules, their order in `resolve.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.stores import tables
from resources.stores.copy import copy_frame
from sonik_assets.identity.entity_ids import Change
from sonik_assets.identity.identifiers import REF

_CASTS = {pl.String: "text", pl.Float64: "float8", pl.Boolean: "boolean"}
_MAP = {**dict.fromkeys((*REF, "entity_id", "entity_type", "linked_by"), pl.String)}
_ENTITIES = {
    **dict.fromkeys(("entity_id", "entity_type", "canonical_scheme", "canonical_id"), pl.String),
    "first_seen_at": pl.Datetime("us", "UTC"),
}
_REDIRECTS = dict.fromkeys(("old_id", "new_id", "reason"), pl.String)


@dataclass(frozen=True)
class Before:
    """The tables `entity_map` (deleted records too), `entities` and `redirects` as they were."""

    entity_map: pl.DataFrame
    entities: pl.DataFrame
    redirects: pl.DataFrame

    def part(self, *, event: bool) -> "Before":
        """Return the map and entities of events only, or of everything else."""
        kept = (pl.col("entity_type") == "event") == event
        return Before(self.entity_map.filter(kept), self.entities.filter(kept), self.redirects)


@dataclass(frozen=True)
class Decided:
    """The tables as they shall be, and the history rows of this run."""

    identifiers: pl.DataFrame
    entity_map: pl.DataFrame
    entities: pl.DataFrame
    redirects: pl.DataFrame
    event_times: pl.DataFrame
    visitors: pl.DataFrame
    changes: Sequence[Change]


def staging(connection: psycopg.Connection, name: str, columns: Mapping[str, Any]) -> pl.DataFrame:
    """Return the columns of a staging relation. Raises TerminalError where dbt has not built it."""
    try:
        return _select(connection, f"staging.{name}", columns)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise TerminalError(f"staging.{name} does not exist: build the dbt staging models first") from error


def before(connection: psycopg.Connection) -> Before:
    """Return what earlier runs decided."""
    return Before(
        _select(connection, "identity.entity_map", _MAP),
        _select(connection, "identity.entities", _ENTITIES),
        _select(connection, "identity.redirects", _REDIRECTS),
    )


def mint(connection: psycopg.Connection, count: int) -> list[str]:
    """Return new uuidv7, ascending."""
    rows = connection.execute("select uuidv7()::text from generate_series(1, %s)", [count]).fetchall()
    return [row[0] for row in rows]


def write(connection: psycopg.Connection, decided: Decided) -> dict[str, tables.Counts]:
    """Write it all inside the caller's transaction; return the rows written by table."""
    visitor = ("anonymous_id", "user_record", "evidence_at")
    written = {
        "identifiers": tables.sync(
            connection,
            "identity.identifiers",
            [*REF, "scheme", "value"],
            decided.identifiers,
            delete=False,
            retire="valid_to",
        )
    }
    for name, key, frame, delete, touch in (
        ("entity_map", REF, decided.entity_map, True, ["linked_at"]),
        ("entities", ["entity_id"], decided.entities, True, []),
        ("redirects", ["old_id"], decided.redirects, False, []),
        ("event_times", REF, decided.event_times, True, []),
        ("visitors", visitor, decided.visitors, True, ["linked_at"]),
    ):
        written[name] = tables.sync(connection, f"identity.{name}", key, frame, delete=delete, touch=touch)
    if decided.changes:
        rows = [(change.kind, change.entity_id, change.new_id) for change in decided.changes]
        frame = pl.DataFrame(rows, dict.fromkeys(("kind", "entity_id", "new_id"), pl.String), orient="row")
        with connection.cursor() as cursor:
            copy_frame(cursor, sql.Identifier("unified", "changes"), frame)
    return written


def _select(connection: psycopg.Connection, relation: str, columns: Mapping[str, Any]) -> pl.DataFrame:
    parts = [
        sql.SQL("{}::{}").format(sql.Identifier(name), sql.SQL(_CASTS.get(kind, "timestamptz")))
        for name, kind in columns.items()
    ]
    query = sql.SQL("select {} from {}").format(sql.SQL(", ").join(parts), sql.Identifier(*relation.split(".")))
    return tables.read(connection, query, columns)
