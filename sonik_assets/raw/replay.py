"""Loads again what was read before, without asking a source: days of the lake, and dead letters that were repaired."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from uuid import UUID

import polars as pl
import psycopg
from psycopg import sql

from resources import sources
from resources.settings import Settings
from resources.sources import batches, catalogue, debezium, judgement, webhooks
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable
from resources.stores.objects import Objects
from sonik_assets.raw import lake, marks, schema, state
from sonik_assets.raw.load import Counts, load

_LOGS = ("debezium/", "kafka:")
"""How the origin of a change envelope begins."""
_LETTERS = """
select id::text, source || '.' || table_name, payload, split_part(reason, ': ', 1) as origin from raw.dead_letters
where replayed_at is null
    and (%(ids)s::uuid[] is null or id = any(%(ids)s))
    and (%(source)s::text is null or source = %(source)s)
    and (%(table)s::text is null or table_name = %(table)s)
"""


def lake_days(
    settings: Settings, connection: psycopg.Connection, table: SourceTable, days: tuple[date | None, date], run_id: str
) -> Counts:
    """Load what the lake kept of these UTC days (both included; None: from the first on). Commits file by file."""
    counts, at = Counts(), datetime.now(UTC)
    schema.ensure(connection)
    for batch in lake.read(Objects(settings.lake_uri), table, *days):
        again = _judged_again(settings, batch.rows, table)
        if table.relation == marks.WEBHOOKS:
            marks.from_webhooks(settings, connection, again)
        load(connection, table, again, run_id, counts, in_order=sources.live(settings, table), filling=True)
        connection.commit()
    _record(connection, table, at, counts, run_id)
    return counts


def letters(
    settings: Settings,
    connection: psycopg.Connection,
    run_id: str,
    *,
    ids: list[UUID] | None = None,
    source: str | None = None,
    table: str | None = None,
    repaired: dict[str, str] | None = None,
) -> dict[str, Counts]:
    """Judge dead letters again and load those that are good now; return what happened by relation. Commits.

    `repaired`: letter id -> the record as it should have come. A letter that is still bad stays as it is.
    """
    schema.ensure(connection)
    asked = {"ids": ids, "source": source, "table": table}
    mended = repaired or {}
    by_table = defaultdict[str, list[tuple[str, str, str]]](list)
    for id, relation, payload, origin in connection.execute(_LETTERS, asked):
        by_table[f"raw_{relation}"].append((id, str(mended.get(id, payload)), origin))
    done = {}
    for relation, waiting in by_table.items():
        done[relation] = _replay(settings, connection, catalogue.table(relation), waiting, run_id)
        connection.commit()
    return done


def days_of(connection: psycopg.Connection, table: SourceTable, run_id: str) -> list[date]:
    """Return the partition dates of the rows that this run changed."""
    query = sql.SQL("select distinct partition_date from {} where run_id = %s order by 1")
    return [row[0] for row in connection.execute(query.format(schema.relation(table)), [run_id])]


def _replay(
    settings: Settings,
    connection: psycopg.Connection,
    table: SourceTable,
    waiting: list[tuple[str, str, str]],
    run_id: str,
) -> Counts:
    counts, at = Counts(), datetime.now(UTC)
    for batch in _batches(settings, waiting, table):
        good = batch.rows.filter(pl.col("reason").is_null())
        if table.relation == marks.WEBHOOKS:
            marks.from_webhooks(settings, connection, good)
        lake.write(Objects(settings.lake_uri), table, good, run_id)
        load(connection, table, good, run_id, counts, filling=True)
        counts.rejected += batch.rows.height - good.height
        still = {row[0] for row in connection.execute("select origin from refused")}  # PostgreSQL refuses more
        replayed = "update raw.dead_letters set replayed_at = now() where id = any(%s::uuid[])"
        connection.execute(replayed, [sorted(set(good["origin"]) - still)])
    _record(connection, table, at, counts, run_id)
    return counts


def _batches(settings: Settings, waiting: Iterable[tuple[str, str, str]], table: SourceTable) -> Iterator[Batch]:
    """Yield the letters as they would be read today; the origin of each row is the letter's id."""
    frame = pl.DataFrame(list(waiting), {"origin": pl.String, "payload": pl.String, "from": pl.String}, orient="row")
    envelope = _logged("from") & pl.col("payload").str.contains('"op"', literal=True)
    lines, records = frame.filter(~_logged("from")), frame.filter(_logged("from") & ~envelope)
    if lines.height:
        yield Batch(_judged(settings, lines, table))
    if records.height:
        yield batches.from_lines(records, table, partial=True)
    yield from debezium.batches_of([frame.filter(envelope)], table)


def _judged(settings: Settings, lines: pl.DataFrame, table: SourceTable) -> pl.DataFrame:
    """Return the lines as the contract judges them, and of webhooks the signature too."""
    rows = batches.from_lines(lines, table).rows
    secret = settings.twenty_webhook_secret
    return webhooks.verified(rows, secret) if secret and table.relation == marks.WEBHOOKS else rows


def _judged_again(settings: Settings, rows: pl.DataFrame, table: SourceTable) -> pl.DataFrame:
    """Return the rows, the refused ones as the contract of today judges them."""
    rows = _keyed(rows, table)
    # A file that could not be read is no record.
    file = pl.col("reason").str.starts_with("cannot read file")
    refused = pl.col("reason").is_not_null() & ~file & ~_logged("origin")
    again = rows.filter(refused)
    if not again.height:
        return rows
    judged = _judged(settings, again.select("payload", "origin"), table)
    return pl.concat([rows.filter(~refused), judged])


def _keyed(rows: pl.DataFrame, table: SourceTable) -> pl.DataFrame:
    """Return the rows of a table without a key with one: the first lakes left it to the loader."""
    if table.key or not rows.filter(pl.col("reason").is_null())["record_id"].null_count():
        return rows
    keys = pl.Series("record_id", judgement.hashes(rows["payload"].to_list()), dtype=pl.String)
    return rows.with_columns(record_id=pl.coalesce("record_id", keys))


def _logged(column: str) -> pl.Expr:
    """Whether the row came from a change log."""
    return pl.any_horizontal(pl.col(column).str.starts_with(prefix) for prefix in _LOGS)


def _record(connection: psycopg.Connection, table: SourceTable, at: datetime, counts: Counts, run_id: str) -> None:
    """Note the replay as an extract of no window: the asset's data version comes from there."""
    state.record(connection, table, (at, at), state.Unfinished(None, at, counts), run_id)
    connection.commit()
