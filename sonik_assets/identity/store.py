"""Reads what identity decided before of the records in scope; writes what it decides now, only where it differs.

SQL and shapes only: the rules are in the pure modules, their order in `resolve.py`.
"""

from dataclasses import dataclass

import polars as pl
import psycopg
from psycopg import sql

from resources.stores import tables
from resources.stores.copy import copy_frame, copy_out
from sonik_assets.identity.entity_ids import Assignment
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.memory import IN_SCOPE, select
from sonik_assets.identity.settle import ENTITIES, MAP, Before

_OF_SCOPE = sql.SQL(
    "t.entity_id in (select m.entity_id from identity.entity_map as m"
    " inner join scope using (source, table_name, record_id) where not m.attached)"
)
# The ids that records in scope had and that were merged away into the one they have.
_FORMER = sql.SQL("""
select m.entity_type || '/' || scope.ref, v.old_id::text from scope
inner join identity.entity_map as m using (source, table_name, record_id)
inner join identity.moves as v using (source, table_name, record_id)
inner join identity.redirects as r on r.old_id = v.old_id and r.new_id = m.entity_id
order by 1, v.id desc
""")


@dataclass(frozen=True)
class Decided:
    """What one phase of a run decided of the records in scope: tables as they shall be, and the moves of ids."""

    entity_map: pl.DataFrame
    entities: pl.DataFrame
    moves: Assignment


def before(connection: psycopg.Connection, claimed: pl.DataFrame) -> Before:
    """Return what earlier runs decided of the records in scope; `claimed`: entity_id of those with an open claim."""
    return Before(
        select(connection, "entity_map", MAP, IN_SCOPE),
        select(connection, "entities", ENTITIES, _OF_SCOPE),
        frozenset(claimed["entity_id"].drop_nulls()),
        copy_out(connection, _FORMER, {"ref": pl.String, "old_id": pl.String}),
        dict(connection.execute("select entity_type, count(*) from identity.entities group by 1").fetchall()),
    )


def mint(connection: psycopg.Connection, count: int) -> list[str]:
    """Return new uuidv7, ascending."""
    rows = connection.execute("select uuidv7()::text from generate_series(1, %s)", [count]).fetchall()
    return [row[0] for row in rows]


def write(connection: psycopg.Connection, before: Before, decided: Decided) -> dict[str, tables.Counts]:
    """Write it all inside the caller's transaction; return the rows written by table."""
    _remember_moves(connection, before.entity_map, decided.entity_map)
    # Before the map forgets which entities were in scope.
    ids = sql.Literal(before.entities["entity_id"].to_list())
    touched = sql.SQL("t.entity_id = any({}::uuid[])").format(ids)
    written = {
        "entities": tables.sync(
            connection, "identity.entities", ["entity_id"], decided.entities, delete=True, within=touched
        ),
        "entity_map": tables.sync(
            connection,
            "identity.entity_map",
            REF,
            decided.entity_map,
            delete=True,
            touch=["linked_at"],
            within=IN_SCOPE,
        ),
    }
    _redirect(connection, decided.moves)
    _history(connection, decided.moves)
    return written


def _remember_moves(connection: psycopg.Connection, old: pl.DataFrame, new: pl.DataFrame) -> None:
    was = old.filter(~pl.col("attached")).select(*REF, old_id="entity_id")
    moved = new.filter(~pl.col("attached")).join(was, on=list(REF)).filter(pl.col("entity_id") != pl.col("old_id"))
    if moved.height:
        with connection.cursor() as cursor:
            frame = moved.select(*REF, "old_id", new_id="entity_id").sort(REF)
            copy_frame(cursor, sql.Identifier("identity", "moves"), frame)


def _redirect(connection: psycopg.Connection, moves: Assignment) -> None:
    """Add redirects; none leads to an id that is redirected itself, none from an id that lives again."""
    if moves.restored:
        connection.execute("delete from identity.redirects where old_id = any(%s::uuid[])", [sorted(moves.restored)])
    if not moves.redirects:
        return
    bound = {"old": list(moves.redirects), "new": list(moves.redirects.values())}
    connection.execute(
        "update identity.redirects as r set new_id = m.new_id"
        " from unnest(%(old)s::uuid[], %(new)s::uuid[]) as m (old_id, new_id) where r.new_id = m.old_id",
        bound,
    )
    connection.execute(
        "insert into identity.redirects (old_id, new_id, reason)"
        " select old_id, new_id, 'merged' from unnest(%(old)s::uuid[], %(new)s::uuid[]) as m (old_id, new_id)"
        " on conflict (old_id) do update set new_id = excluded.new_id, at = now()",
        bound,
    )


def _history(connection: psycopg.Connection, moves: Assignment) -> None:
    if moves.changes:
        rows = [(change.kind, change.entity_id, change.new_id) for change in moves.changes]
        frame = pl.DataFrame(rows, dict.fromkeys(("kind", "entity_id", "new_id"), pl.String), orient="row")
        with connection.cursor() as cursor:
            copy_frame(cursor, sql.Identifier("unified", "changes"), frame)
