"""Claims that come from files: staging -> the log, in sets; what cannot have been goes to the dead letters.

Which events can be is judged by the database, row by row in the order of their time; nothing here knows the rules.
"""

from typing import Any

import psycopg

_REFUSED = "create temporary table refused_claims (id uuid primary key, reason text not null) on commit drop"
# A record that was refused is not judged again, unless its letter was replayed: then it may be right now.
_NEW = """
create temporary table new_claims on commit drop as
select ops.name_uuid('claims/' || s.record_id) as id, s.*
from staging.stg_sonik__claims as s
where not exists (select from ops.claims as c where c.id = ops.name_uuid('claims/' || s.record_id))
    and not exists (
        select from raw.dead_letters as d
        where d.id = ops.name_uuid('refused/claims/' || s.record_id) and d.replayed_at is null
    )
"""
_UNDATED = "insert into refused_claims select id, 'the claim has no time: give `at`' from new_claims where at is null"
_APPEND = """
insert into ops.claims (id, entity_ref, user_id, method, status, at)
select id, entity_ref, user_id, method, status, at from new_claims where at is not null
order by at, array_position(array['pending', 'claimed'], status) nulls last, id
"""
_BURY = """
insert into raw.dead_letters (id, source, table_name, record_id, payload, reason, error_class, run_id)
select ops.name_uuid('refused/claims/' || n.record_id), 'sonik', 'claims', n.record_id, r.payload::text,
    'ops.claims: ' || f.reason, 'claim', %(run_id)s
from refused_claims as f
inner join new_claims as n using (id)
inner join raw_sonik.claims as r using (record_id)
on conflict (id) do update
set reason = excluded.reason, run_id = excluded.run_id, failed_at = now(), replayed_at = null
"""


def append(connection: psycopg.Connection[Any], run_id: str) -> tuple[int, int]:
    """Append the claims that are new, in one transaction; return how many were written and how many refused."""
    with connection.transaction():
        connection.execute("select ops.claims_alone()")
        connection.execute(_NEW)
        connection.execute(_REFUSED)
        connection.execute(_UNDATED)
        written = connection.execute(_APPEND).rowcount
        refused = connection.execute(_BURY, {"run_id": run_id}).rowcount
        connection.execute("drop table new_claims, refused_claims")
    return written, refused
