"""What the sources say now: all of it, or what changed since the last run. Reads staging, writes nothing.

A change is seen by `changed_at` of the raw tables, which is the start of the transaction that wrote it. So everything
is asked again that a transaction could have written which was still open when the last run looked.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.stores.copy import copy_out
from sonik_assets.identity.identifiers import REF

EXTRA: dict[str, Any] = dict.fromkeys(("category", "genres"), pl.String)
"""Columns of staging.mentions beside MENTIONS."""
_CASTS = {pl.String: "text", pl.Float64: "float8", pl.Boolean: "boolean"}
RAW = (
    *(("directus", name) for name in ("venues", "artists", "brands", "events", "campaigns")),
    *(("twenty", name) for name in ("people", "companies")),
    ("mongo", "users"),
    *(("scraper", name) for name in ("venue_info", "artist_profiles", "event_listings")),
)
"""The raw tables that mentions are made of: source and table."""
# What another session has written but not committed began no later than its transaction did.
_HORIZON = """
select least(now(), min(xact_start)) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and xact_start is not null
"""
_REMEMBERED = sql.SQL("""
select m.source, m.table_name, m.record_id from {mentions} where {events} (m.entity_type = 'event')
""")
# A mention inside a record carries its id; what changes while we look is for the next run.
_CHANGED = sql.SQL("""
({raw}) as r
inner join identity.mentions as m
    on regexp_replace(m.record_id, '#[0-9]+$', '') = regexp_replace(r.record_id, '#[0-9]+$', '')
        and m.source = r.source and split_part(m.table_name, '.', 1) = r.base
        and (m.table_name like '%.artists' or m.record_id = r.record_id)
""")
_RAW = sql.SQL("""
select {source}::text as source, {table}::text as base, record_id from {relation}
where changed_at >= {since} and changed_at < {until}
""")


@dataclass(frozen=True)
class Since:
    """`at` None: everything. `until`: from when the next run must ask (UTC)."""

    at: datetime | None
    until: datetime


def since(connection: psycopg.Connection, rules: str, *, full: bool) -> Since:
    """Return from when changes are to be read: everything where it was never read by these rules and matchers."""
    seen = connection.execute("select until from identity.seen where rules = %s", [rules]).fetchone()
    (until,) = connection.execute(_HORIZON).fetchone() or (None,)
    return Since(None if full or seen is None else seen[0], until or datetime.now(UTC))


def nothing() -> Since:
    """Return a period in which nothing changed."""
    return Since(datetime.max.replace(tzinfo=UTC), datetime.now(UTC))


def mark_seen(connection: psycopg.Connection, period: Since, rules: str) -> None:
    """Remember, in the caller's transaction, that everything before `until` was read, and by which rules."""
    connection.execute(
        "insert into identity.seen (until, rules) values (%s, %s)"
        " on conflict (one) do update set until = excluded.until, rules = excluded.rules, decided = false",
        [period.until, rules],
    )


def mark_decided(connection: psycopg.Connection) -> None:
    """Remember, in the caller's transaction, that people changed something since the last run."""
    connection.execute("update identity.seen set decided = true")


def decided(connection: psycopg.Connection) -> bool:
    """Tell whether people changed something since the last run."""
    row = connection.execute("select decided from identity.seen").fetchone()
    return bool(row and row[0])


def read(connection: psycopg.Connection, name: str, columns: Mapping[str, Any], period: Since) -> pl.DataFrame:
    """Return the columns of a staging relation, of changed rows only where the period has a beginning.

    Raises TerminalError where dbt has not built it.
    """
    changed = sql.SQL("true") if period.at is None else sql.SQL("changed_at >= {}").format(sql.Literal(period.at))
    return read_where(connection, name, columns, changed)


def read_where(
    connection: psycopg.Connection, name: str, columns: Mapping[str, Any], condition: sql.Composable
) -> pl.DataFrame:
    """Return the columns of a staging relation where a condition holds. Raises as `read`."""
    wanted = [
        sql.SQL("{}::{}").format(sql.Identifier(column), sql.SQL(_CASTS.get(kind, "timestamptz")))
        for column, kind in columns.items()
    ]
    query = sql.SQL("select {} from {} where {}").format(
        sql.SQL(", ").join(wanted), sql.Identifier("staging", name), condition
    )
    try:
        return copy_out(connection, query, columns)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise TerminalError(f"staging.{name} does not exist: build the dbt staging models first") from error


def gone(connection: psycopg.Connection, period: Since, seen: pl.DataFrame, *, events: bool) -> pl.DataFrame:
    """Return REF of the mentions that resolution remembers and no source makes any more.

    `seen`: REF of all that were read for the period.
    """
    mentions = sql.SQL("identity.mentions as m") if period.at is None else _of_changed(period.at, period.until)
    query = _REMEMBERED.format(mentions=mentions, events=sql.SQL("" if events else "not"))
    return copy_out(connection, query, dict.fromkeys(REF, pl.String)).join(seen, on=list(REF), how="anti")


def _of_changed(at: datetime, until: datetime) -> sql.Composable:
    """Return the mentions `m` that are made of raw records that changed."""
    bound = {"since": sql.Literal(at), "until": sql.Literal(until)}
    raw = [
        _RAW.format(
            source=sql.Literal(source),
            table=sql.Literal(table),
            relation=sql.Identifier(f"raw_{source}", table),
            **bound,
        )
        for source, table in RAW
    ]
    return _CHANGED.format(raw=sql.SQL(" union all ").join(raw))
