"""How far a move has come, kept in the target beside the data, in a schema that goes when the move is finished.

A part's row is written in the transaction that copies it, so what is recorded and what is there never differ.
"""

import time
from dataclasses import dataclass

from psycopg import sql

from resources.errors import TerminalError
from resources.migration.catalogue import STATE_SCHEMA, Unit
from resources.migration.plan import Part, ranges
from resources.migration.servers import Server, Session

LOCK = 0x736F6E696B  # "sonik": one move at a time into a database
LOCK_SECONDS = 3
"""A server takes a moment to notice that a client was killed."""
_TABLES = f"""
create schema {STATE_SCHEMA};
create table {STATE_SCHEMA}.moves (
    source_system text not null, source_database text not null, schema_digest text not null,
    begun_at timestamptz not null default now(), schema_moved_at timestamptz
);
create table {STATE_SCHEMA}.parts (
    table_schema text not null, table_name text not null, first_block bigint not null,
    before_block bigint, -- none: to the end
    row_count bigint, copied_at timestamptz,
    primary key (table_schema, table_name, first_block)
);
"""
SCHEMA_MOVED = f"update {STATE_SCHEMA}.moves set schema_moved_at = now()"


@dataclass(frozen=True)
class Move:
    """A move that has begun."""

    system: str
    database: str
    schema_digest: str
    schema_moved: bool


def lock(target: Session) -> None:
    """Be the only one who moves into this database, as long as this session lives."""
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        held = target.execute("select pg_try_advisory_lock(%s)", (LOCK,)).fetchone()
        if held and held[0]:
            return
        if time.monotonic() > deadline:
            raise TerminalError("another `sonik migrate-postgres` is moving into this target: wait for it, or end it")
        time.sleep(0.1)


def end_leftovers(target: Session, application: str) -> int:
    """End the sessions that a killed move or its tools left, and return how many there were. Hold the lock first."""
    found = target.execute(
        "select count(pg_terminate_backend(pid, 10000)) from pg_stat_activity "
        "where application_name = %s and datname = current_database() and pid <> pg_backend_pid()",
        (application,),
    ).fetchone()
    return found[0] if found else 0


def begun(target: Session) -> Move | None:
    """Return the move that the target is in the middle of, if it is."""
    known = target.execute("select to_regclass(%s) is not null", (f"{STATE_SCHEMA}.moves",)).fetchone()
    if not known or not known[0]:
        return None
    row = target.execute(
        f"select source_system, source_database, schema_digest, schema_moved_at is not null from {STATE_SCHEMA}.moves"
    ).fetchone()
    return Move(str(row[0]), str(row[1]), str(row[2]), bool(row[3])) if row else None


def begin(target: Session, source: Server, schema_digest: str) -> None:
    """Record that a move starts."""
    with target.transaction():
        target.execute(_TABLES)
        target.execute(
            f"insert into {STATE_SCHEMA}.moves (source_system, source_database, schema_digest) values (%s, %s, %s)",
            (source.system, source.database, schema_digest),
        )


def check_same(move: Move, source: Server, schema_digest: str | None = None) -> None:
    """Refuse to go on with a move from elsewhere, or of a schema that is another one by now."""
    if (move.system, move.database) != (source.system, source.database):
        raise TerminalError(
            f"the target is in the middle of a move from another database ({move.database}): name that one with "
            "--from, or drop the target database to start over"
        )
    if schema_digest is not None and schema_digest != move.schema_digest:
        raise TerminalError(
            "the source's schema has changed since this move began: drop the target database and start over"
        )


def plan(target: Session, units: list[Unit]) -> list[Part]:
    """Record the parts of units that have none yet; return those that are still to be copied, in the units' order."""
    known = {(row[0], row[1]) for row in target.execute(f"select table_schema, table_name from {STATE_SCHEMA}.parts")}
    fresh = [unit for unit in units if (unit.schema, unit.name) not in known]
    with target.transaction(), target.cursor() as cursor:
        cursor.executemany(
            f"insert into {STATE_SCHEMA}.parts (table_schema, table_name, first_block, before_block) "
            "values (%s, %s, %s, %s)",
            [(unit.schema, unit.name, first, last) for unit in fresh for first, last in ranges(unit.pages)],
        )
    return _missing(target, units)


def _missing(target: Session, units: list[Unit]) -> list[Part]:
    by_name = {(unit.schema, unit.name): unit for unit in units}
    rows = target.execute(
        f"select table_schema, table_name, first_block, before_block from {STATE_SCHEMA}.parts "
        "where copied_at is null order by first_block"
    ).fetchall()
    parts: dict[Unit, list[Part]] = {unit: [] for unit in units}
    for schema, name, first, last in rows:
        unit = by_name[str(schema), str(name)]
        parts[unit].append(Part(unit, first, None if last is None else last))
    return [part for unit in units for part in parts[unit]]


def copied(target: Session, part: Part, rows: int) -> None:
    """Record a part as copied, in the transaction that copied it."""
    done = target.execute(
        f"update {STATE_SCHEMA}.parts set row_count = %s, copied_at = now() "
        "where table_schema = %s and table_name = %s and first_block = %s and copied_at is null",
        (rows, part.unit.schema, part.unit.name, part.first),
    )
    if done.rowcount != 1:
        raise TerminalError(f"{part.unit.label} from block {part.first} was copied by somebody else meanwhile")


def forget(target: Session, unit: Unit) -> Part:
    """Empty a unit and replace its parts by one, in the caller's transaction, which then copies and records it."""
    target.execute(sql.SQL("truncate {}").format(unit.relation))
    target.execute(
        f"delete from {STATE_SCHEMA}.parts where table_schema = %s and table_name = %s", (unit.schema, unit.name)
    )
    target.execute(
        f"insert into {STATE_SCHEMA}.parts (table_schema, table_name, first_block) values (%s, %s, 0)",
        (unit.schema, unit.name),
    )
    return Part(unit, 0, None)


def finish(target: Session) -> None:
    """Remove every trace of the move."""
    target.execute(f"drop schema if exists {STATE_SCHEMA} cascade")
