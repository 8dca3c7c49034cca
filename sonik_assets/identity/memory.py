"""What resolution remembers of the records: their mentions, profiles, identifiers and likeness, in PostgreSQL.

SQL and shapes only. What it decided is in `store.py`, how far a change reaches in `scope.py`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from resources.stores import tables
from resources.stores.copy import copy_frame, copy_out
from sonik_assets.identity.identifiers import REF

TOUCHED = dict.fromkeys((*REF, "entity_type"), pl.String)
CANDIDATES = {**dict.fromkeys(("left_key", "right_key", "entity_type"), pl.String), "probability": pl.Float64}

IN_SCOPE = sql.SQL("(t.source, t.table_name, t.record_id) in (select source, table_name, record_id from scope)")
"""A row of a table keyed by REF is of a record in the temporary table `scope`; see `scope.py`."""


# Only what the changed records were: looking at all profiles would cost more than the change.
_ORPHANS = """
with gone as (
    delete from identity.profiles as p
    where p.key in (select key from left_keys) and not exists (select from identity.mentions as m where m.key = p.key)
    returning key
)
delete from identity.candidates as c using gone where c.left_key = gone.key or c.right_key = gone.key
"""
_NOTE_KEYS = sql.SQL("""
create temporary table left_keys on commit drop as select distinct key from identity.mentions as t where {within}
""")
_MARKS = """
create temporary table weak_values (
    entity_type text, scheme text, value text, primary key (entity_type, scheme, value)
) on commit drop;
create temporary table verified_values (
    source text, table_name text, record_id text, scheme text, value text, verified_at timestamptz
) on commit drop;
"""
_VERIFY = """
update identity.identifiers as i set verified_at = v.verified_at from verified_values as v
where (i.source, i.table_name, i.record_id) = (v.source, v.table_name, v.record_id)
    and (i.scheme, i.value) = (v.scheme, v.value)
    and i.verified_at is distinct from v.verified_at
"""
# A weak value is weak by its alias too. Two statements, each a join: one with `exists` looked at all for every row.
_WEAK = (
    """
    insert into weak_values
    select w.entity_type, w.scheme, a.value
    from weak_values as w inner join identity.aliases as a on a.scheme = w.scheme and a.alias_of = w.value
    on conflict do nothing
    """,
    "analyze weak_values",
)
_WEAKEN = """
update identity.identifiers as i set weak = true
from weak_values as w
where not i.weak and (w.entity_type, w.scheme, w.value) = (i.entity_type, i.scheme, i.value)
"""
_STRENGTHEN = """
with strong_values as materialized (
    select distinct i.entity_type, i.scheme, i.value
    from scope inner join identity.identifiers as i using (source, table_name, record_id)
    where i.weak and not exists (
        select from weak_values as w
        where (w.entity_type, w.scheme, w.value) = (i.entity_type, i.scheme, i.value)
    )
)
update identity.identifiers as i set weak = false
from strong_values as s
where i.weak and (s.entity_type, s.scheme, s.value) = (i.entity_type, i.scheme, i.value)
"""
# A reused value names its new holder once a person has judged it and the former one, or when that one is gone.
UNDISPUTED = sql.SQL("""(
    i.reused_from is null
    or not exists (select from identity.mentions as f where f.ref = i.reused_from)
    or exists (
        select from identity.judgements as j
        where j.left_ref = least(i.reused_from, concat_ws('/', i.source, i.table_name, i.record_id))
            and j.right_ref = greatest(i.reused_from, concat_ws('/', i.source, i.table_name, i.record_id))
            and j.retired_at is null and j.decided_by <> 'sonik' and j.judgement <> 'unsure'
    )
)""")
"""Of a row `i` of identity.identifiers."""
IN_KEYS = sql.SQL("t.key in (select key from changed_keys)")
IN_CHANGED = sql.SQL(
    "(t.source, t.table_name, t.record_id) in (select source, table_name, record_id from changed_refs)"
)


def of_kinds(kinds: Sequence[str]) -> sql.Composed:
    """Return a condition on `t`: its entity_type is one of the kinds."""
    return sql.SQL("t.entity_type = any({})").format(sql.Literal(list(kinds)))


def select(
    connection: psycopg.Connection, table: str, columns: Mapping[str, Any], where: sql.Composable
) -> pl.DataFrame:
    """Return columns of identity.<table> (as `t`)."""
    parts = [
        sql.SQL("t.{}::text").format(sql.Identifier(name))
        if kind == pl.String
        else sql.SQL("t.{}").format(sql.Identifier(name))
        for name, kind in columns.items()
    ]
    query = sql.SQL("select {} from {} as t where {}").format(
        sql.SQL(", ").join(parts), sql.Identifier("identity", table), where
    )
    return copy_out(connection, query, columns)


def remember(
    connection: psycopg.Connection,
    mentions: pl.DataFrame,
    profiles: pl.DataFrame,
    identifiers: pl.DataFrame,
    within: sql.Composable,
) -> dict[str, tables.Counts]:
    """Bring what is remembered to what the sources say; `within` limits what the frames speak for.

    mentions: profiles.MENTIONS; profiles: profiles.PROFILES and `blocks`; identifiers: holdings.HELD.
    """
    connection.execute(_NOTE_KEYS.format(within=within))
    written = {
        "mentions": tables.sync(connection, "identity.mentions", REF, mentions, delete=True, within=within),
        "profiles": tables.sync(connection, "identity.profiles", ["key"], profiles, delete=False),
        "identifiers": tables.sync(
            connection,
            "identity.identifiers",
            [*REF, "scheme", "value"],
            identifiers,
            delete=False,
        ),
    }
    if any(counts.total for counts in written.values()):
        connection.execute(_ORPHANS)
    connection.execute("drop table left_keys")
    return written


def keys_of(connection: psycopg.Connection, changed: pl.DataFrame) -> pl.Series:
    """Return the keys of the profiles of the records (REF) that exist."""
    stage_refs(connection, changed)
    query = sql.SQL(
        "select distinct key from identity.mentions inner join changed_refs using (source, table_name, record_id)"
    )
    return copy_out(connection, query, {"key": pl.String})["key"]


def refs(connection: psycopg.Connection, wanted: Sequence[str]) -> pl.DataFrame:
    """Return TOUCHED of the mentions with these refs."""
    query = sql.SQL("select source, table_name, record_id, entity_type from identity.mentions where ref = any({})")
    return copy_out(connection, query.format(sql.Literal(list(wanted))), TOUCHED)


def stage_refs(connection: psycopg.Connection, changed: pl.DataFrame) -> None:
    """Put the records (REF) into the temporary table `changed_refs`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "create temporary table if not exists changed_refs ("
            " source text, table_name text, record_id text, primary key (source, table_name, record_id)"
            ") on commit drop"
        )
        cursor.execute("truncate changed_refs")
        copy_frame(cursor, sql.Identifier("changed_refs"), changed.select(REF).unique())
        cursor.execute("analyze changed_refs")


def mark(connection: psycopg.Connection, weak: pl.DataFrame, verified: pl.DataFrame) -> int:
    """Mark on the records in scope the values that link nothing, and those verified; return how many rows changed.

    weak: entity_type, scheme, value; verified: REF, scheme, value, verified_at.
    """
    with connection.cursor() as cursor:
        cursor.execute(_MARKS)
        copy_frame(cursor, sql.Identifier("weak_values"), weak.select("entity_type", "scheme", "value"))
        copy_frame(cursor, sql.Identifier("verified_values"), verified.select(*REF, "scheme", "value", "verified_at"))
        for statement in _WEAK:
            cursor.execute(statement)
        changed = sum(cursor.execute(statement).rowcount for statement in (_WEAKEN, _STRENGTHEN, _VERIFY))
        cursor.execute("drop table weak_values, verified_values")
    return changed


def stage_keys(connection: psycopg.Connection, keys: pl.Series) -> None:
    """Put keys of profiles into the temporary table `changed_keys`."""
    with connection.cursor() as cursor:
        cursor.execute("create temporary table if not exists changed_keys (key text primary key) on commit drop")
        cursor.execute("truncate changed_keys")
        copy_frame(cursor, sql.Identifier("changed_keys"), keys.alias("key").to_frame().unique())
        cursor.execute("analyze changed_keys")
