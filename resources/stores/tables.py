"""Whole sets of rows between polars and PostgreSQL: read a query, bring a table to the state of a frame.

Writes only what differs: a second `sync` of the same frame rewrites no tuple. Opens no connection.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from resources.errors import TerminalError
from resources.stores.copy import copy_frame

FEW, SHARE = 1_000, 0.05
"""So many changed rows, or such a share of a table, do not change what the planner thinks of it."""

MANY = 50_000
"""So many rows are loaded into an empty table before its secondary indexes are built."""

_STAGED = sql.Identifier("sync_staged")
_SECONDARY = """
select array[n.nspname, c.relname], pg_get_indexdef(i.indexrelid)
from pg_index as i
inner join pg_class as c on c.oid = i.indexrelid
inner join pg_namespace as n on n.oid = c.relnamespace
where i.indrelid = %s::regclass and not exists (select from pg_constraint as k where k.conindid = i.indexrelid)
"""


@dataclass(frozen=True)
class Counts:
    """Rows that a sync inserted, updated and deleted (or retired)."""

    inserted: int = 0
    updated: int = 0
    deleted: int = 0

    @property
    def total(self) -> int:
        """Rows written."""
        return self.inserted + self.updated + self.deleted

    def __add__(self, other: "Counts") -> "Counts":
        """Return both together."""
        return Counts(self.inserted + other.inserted, self.updated + other.updated, self.deleted + other.deleted)


def read(
    connection: psycopg.Connection,
    query: sql.SQL | sql.Composed,
    schema: Mapping[str, Any],
    parameters: Mapping[str, object] | None = None,
) -> pl.DataFrame:
    """Return the query's rows in the columns and polars types of `schema`, which follow the query's order."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query, parameters)
        return pl.DataFrame(cursor.fetchall(), schema=schema, orient="row")


def sync(
    connection: psycopg.Connection,
    table: str,
    key: Sequence[str],
    frame: pl.DataFrame,
    *,
    delete: bool,
    touch: Sequence[str] = (),
    retire: str | None = None,
    within: sql.Composable | None = None,
) -> Counts:
    """Bring `table` (schema.name) to the state of `frame` with one MERGE, inside the caller's transaction.

    `key` columns identify a row and hold no null. Columns that the frame lacks keep their value or default;
    those in `touch` become now() where a row is written. Rows that the frame lacks stay, or are deleted
    (`delete`), or get now() in the column `retire`, which is null again when they come back. `within`, a condition
    on the table `t`, limits which rows the frame speaks for: others stay, and are not even looked at.
    Raises TerminalError where the frame holds a key twice.
    """
    if frame.select(key).is_duplicated().any():
        raise TerminalError(f"rows for {table} repeat a key ({', '.join(key)}): the query or rule behind is wrong")
    if connection.info.transaction_status == TransactionStatus.IDLE:
        with connection.transaction():
            return sync(connection, table, key, frame, delete=delete, touch=touch, retire=retire, within=within)
    target = sql.Identifier(*table.split(".", 1))
    columns = [*frame.columns, *([retire] if retire and retire not in frame.columns else [])]
    with connection.cursor() as cursor:
        if cursor.execute(sql.SQL("select from {} limit 1").format(target)).fetchone() is None:
            _load(cursor, target, frame)
            return Counts(inserted=frame.height)
        _stage(cursor, target, columns, frame)
        lacking = 0
        if within is not None and (delete or retire):
            cursor.execute(_lacking(target, key, within, retire))
            lacking, delete = cursor.rowcount, False
            retire = None
        cursor.execute(_merge(target, key, columns, delete=delete, touch=touch, retire=retire))
        done = {str(action): int(rows) for action, rows in cursor.fetchall()}
        done["DELETE"] = done.get("DELETE", 0) + lacking
        cursor.execute(sql.SQL("drop table {}").format(_STAGED))
    analyze(connection, table, sum(done.values()))
    return Counts(done.get("INSERT", 0), done.get("UPDATE", 0), done.get("DELETE", 0) + done.get("RETIRE", 0))


def analyze(connection: psycopg.Connection, table: str, changed: int) -> None:
    """Let the planner know of many changed rows: the next stage joins them long before autovacuum would count them."""
    target = sql.Identifier(*table.split(".", 1))
    query = "select reltuples from pg_class where oid = %s::regclass"
    (rows,) = connection.execute(query, [target.as_string(connection)]).fetchone() or (0,)
    if changed > max(FEW, SHARE * rows):
        connection.execute(sql.SQL("analyze {}").format(target))


def _load(cursor: psycopg.Cursor, target: sql.Identifier, frame: pl.DataFrame) -> None:
    """Fill an empty table; of many rows its secondary indexes are built afterwards, which is several times faster."""
    found = cursor.execute(_SECONDARY, [target.as_string(cursor)]).fetchall() if frame.height > MANY else []
    for name, _ in found:
        cursor.execute(sql.SQL("drop index {}").format(sql.Identifier(*name)))
    copy_frame(cursor, target, frame)
    for _, definition in found:
        cursor.execute(definition)
    cursor.execute(sql.SQL("analyze {}").format(target))


def _stage(cursor: psycopg.Cursor, target: sql.Identifier, columns: list[str], frame: pl.DataFrame) -> None:
    # `select ... limit 0` takes the column types from the target: text becomes uuid, jsonb or an array there.
    cursor.execute(
        sql.SQL("create temporary table {} on commit drop as select {} from {} limit 0").format(
            _STAGED, _list(columns), target
        )
    )
    copy_frame(cursor, _STAGED, frame)
    cursor.execute(sql.SQL("analyze {}").format(_STAGED))


def _lacking(target: sql.Identifier, key: Sequence[str], within: sql.Composable, retire: str | None) -> sql.Composed:
    """Delete or retire what the frame lacks, in a statement of its own: a MERGE would read the whole table for it."""
    start = (
        sql.SQL("update {} as t set {} = now() where t.{} is null and").format(target, *[sql.Identifier(retire)] * 2)
        if retire
        else sql.SQL("delete from {} as t where").format(target)
    )
    return sql.SQL("{} ({}) and not exists (select from {} as s where {})").format(
        start, within, _STAGED, sql.SQL(" and ").join(_equal(name) for name in key)
    )


def _merge(
    target: sql.Identifier,
    key: Sequence[str],
    columns: list[str],
    *,
    delete: bool,
    touch: Sequence[str],
    retire: str | None,
) -> sql.Composed:
    values = [name for name in columns if name not in key]
    now = sql.SQL("now()")
    new = [*((name, _of("s", name)) for name in columns), *((name, now) for name in touch)]
    changed = [(name, value) for name, value in new if name not in key]
    parts: list[sql.Composable] = [
        sql.SQL("merge into {} as t using {} as s on {}").format(
            target, _STAGED, sql.SQL(" and ").join(_equal(name) for name in key)
        )
    ]
    if values:
        parts.append(
            sql.SQL("when matched and ({}) is distinct from ({}) then update set {}").format(
                _row("t", values), _row("s", values), _assign(changed)
            )
        )
    parts.append(
        sql.SQL("when not matched then insert ({}) values ({})").format(
            _list(name for name, _ in new), sql.SQL(", ").join(value for _, value in new)
        )
    )
    if retire:
        parts.append(
            sql.SQL("when not matched by source and t.{0} is null then update set {0} = now()").format(
                sql.Identifier(retire)
            )
        )
    elif delete:
        parts.append(sql.SQL("when not matched by source then delete"))
    # A retired row is an update that no staged row stands behind.
    kind = "case when s.{} is null then 'RETIRE' else merge_action() end" if retire else "merge_action()"
    parts.append(sql.SQL("returning " + kind + " as action").format(*[sql.Identifier(key[0])] * bool(retire)))
    return sql.SQL("with done as ({}) select action, count(*) from done group by action").format(
        sql.SQL(" ").join(parts)
    )


def _of(alias: str, name: str) -> sql.Composable:
    return sql.SQL("{}.{}").format(sql.Identifier(alias), sql.Identifier(name))


def _equal(name: str) -> sql.Composable:
    return sql.SQL("{} = {}").format(_of("t", name), _of("s", name))


def _list(names: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def _row(alias: str, names: Iterable[str]) -> sql.Composable:
    return sql.SQL(", ").join(_of(alias, name) for name in names)


def _assign(pairs: Iterable[tuple[str, sql.Composable]]) -> sql.Composable:
    return sql.SQL(", ").join(sql.SQL("{} = {}").format(sql.Identifier(n), v) for n, v in pairs)
