"""What identity asks of claims (`ops.claims`): two things that are both claimed or asked for never become one by rule.

SQL and shapes only; who may claim what is the database's affair (migration 0006_claims), the rule itself is in
`clusters.py` and whoever joins. Where there is no table of claims, nothing is claimed.
"""

from collections.abc import Sequence

import polars as pl
import psycopg
from psycopg import sql

from resources.stores.copy import copy_out
from sonik_assets.identity import memory
from sonik_assets.identity.clusters import BOTH_CLAIMED
from sonik_assets.identity.judgements import MODEL

# Who repeats another record is not looked at: the other stands for it.
_IN_SCOPE = sql.SQL("""
select distinct scope.ref, m.entity_id::text
from ops.open_claims as c
left join identity.repeats as r on r.ref = c.entity_ref
inner join scope on scope.ref = coalesce(r.speaker, c.entity_ref)
inner join identity.mentions as o on o.ref = scope.ref and o.entity_type <> 'event'
left join identity.entity_map as m
    on (m.source, m.table_name, m.record_id) = (o.source, o.table_name, o.record_id)
""")
_RELEASED = f"""
with claimed as (select distinct entity_id from ops.claims_of()),
doubts as (
    select left_ref, right_ref,
        (select entity_id from ops.entity_of(left_ref)) as left_entity,
        (select entity_id from ops.entity_of(right_ref)) as right_entity
    from identity.judgements
    where retired_at is null and explanation ->> 'reason' = '{BOTH_CLAIMED}' and decided_by = '{MODEL}'
)
select unnest(array[left_ref, right_ref]) from doubts
where not coalesce(
    left_entity in (select entity_id from claimed) and right_entity in (select entity_id from claimed), false
)
"""
_STANDING = """
select distinct m.entity_id from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
where r.ref = any(%s) and not m.attached
"""
_END = "select event, entity_ref, user_id from ops.end_merged_claims(%s::uuid[], %s)"


def in_scope(connection: psycopg.Connection) -> pl.DataFrame:
    """Return ref, entity_id (as it was) of the records in the temporary table `scope` that are claimed or asked for."""
    columns = {"ref": pl.String, "entity_id": pl.String}
    return copy_out(connection, _IN_SCOPE, columns) if _known(connection) else pl.DataFrame(schema=columns)


def released(connection: psycopg.Connection) -> pl.DataFrame:
    """Return memory.TOUCHED of the records that only claims kept apart, of which one has ended since."""
    found = [row[0] for row in connection.execute(_RELEASED)] if _known(connection) else []
    return memory.refs(connection, found) if found else pl.DataFrame(schema=memory.TOUCHED)


def end_merged(connection: psycopg.Connection, refs: Sequence[str], by: str) -> list[tuple[str, str, str]]:
    """End all claims but one of the entities that a person is about to make one; return event, record, user of each.

    `refs`: records that stand for them; what is only named inside others merges nothing.
    """
    if not _known(connection):
        return []
    entities = [row[0] for row in connection.execute(_STANDING, [list(refs)])]
    return connection.execute(_END, [entities, by]).fetchall() if len(entities) > 1 else []


def _known(connection: psycopg.Connection) -> bool:
    """Tell whether anything was ever claimed."""
    row = connection.execute("select to_regclass('ops.open_claims') is not null").fetchone()
    if not (row and row[0]):
        return False
    row = connection.execute("select exists (select from ops.claims)").fetchone()
    return bool(row and row[0])
