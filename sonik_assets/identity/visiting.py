"""Visitors follow the people: whose spans a run must compute again, and writing them. The rules are in `visitors/`."""

import polars as pl
import psycopg
from psycopg import sql

from resources.stores import tables
from resources.stores.copy import copy_out
from sonik_assets.identity import inbox, visitors

# Evidence that changed, and visitors of users whose entity did.
_CHANGED = sql.SQL("""
select v.anonymous_id from staging.visitor_evidence as v where v.changed_at >= {at}
union
select v.anonymous_id from identity.visitors as v where v.user_record = any({users})
union
select v.anonymous_id from staging.visitor_evidence as v where v.user_record = any({users})
""")
_SCOPED = "select record_id from scope where source = 'mongo' and table_name = 'users'"
_USERS = sql.SQL("""
select m.record_id, e.entity_id::text
from identity.mentions as m inner join identity.entity_map as e using (source, table_name, record_id)
where m.source = 'mongo' and m.table_name = 'users'
""")


def changed(connection: psycopg.Connection, period: inbox.Since) -> list[str]:
    """Return the visitors to look at again, while the temporary table `scope` holds the people."""
    # By value: users are found by their key, a join would read all that there are.
    users = [record_id for (record_id,) in connection.execute(_SCOPED)]
    query = _CHANGED.format(at=sql.Literal(period.at), users=sql.Literal(users))
    found = copy_out(connection, query, {"anonymous_id": pl.String})
    return found["anonymous_id"].to_list()


def follow(connection: psycopg.Connection, period: inbox.Since, again: list[str]) -> tuple[tables.Counts, int, int]:
    """Bring identity.visitors to what the evidence says: of all visitors, or of those to look at `again`.

    Return the rows written, the pieces of evidence read, and how many were of users that are no records.
    """
    if period.at is not None:
        return visitors.recompute(connection, again) if again else tables.Counts(), len(again), 0
    evidence = inbox.read(connection, "visitor_evidence", visitors.EVIDENCE, period)
    users = copy_out(connection, _USERS, visitors.USERS)
    found = visitors.spans(evidence, users, visitors.undone(connection))
    key = ["anonymous_id", "user_record", "evidence_at"]
    unused = evidence.join(users, on="user_record", how="anti").height
    written = tables.sync(connection, "identity.visitors", key, found, delete=True, touch=["linked_at"])
    return written, evidence.height, unused
