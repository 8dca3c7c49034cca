"""The claim funnel: submit, verify, reject, revoke, expire; who may edit what. Writes and reads `ops.claims`.

Which event may follow which, and the columns of `unified.entities`, are the database's own affair (migration
0006_claims): nothing here can get around it. Claims from files are in `claim_files.py`. Rules: docs/claims.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import errors
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from resources.errors import TerminalError

METHODS = ("instagram_dm", "email", "phone")
"""How a claim may be verified."""
EXPIRES_AFTER = 30
"""Days after which a request that nobody verified ends."""

type Connection = psycopg.Connection[Any]
type Ending = Literal["verify", "reject", "revoke"]
type Role = Literal["staff", "claimant", "owner", "visitor"]

# Records of their own first: they are there to stay, a listing's mention is not.
_RECORD = """
select r.ref from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
where m.entity_id = %s and not m.attached and not exists (select from identity.repeats as o where o.ref = r.ref)
order by r.embedded, r.ref limit 1
"""
_APPEND = """
insert into ops.claims (id, claim_id, entity_ref, user_id, method, event, evidence, decided_by, reason)
values (
    uuidv7(), %(claim_id)s, %(entity_ref)s, %(user_id)s, %(method)s, %(event)s, %(evidence)s, %(by)s,
    nullif(%(reason)s, '')
)
returning claim_id::text, event, entity_ref, user_id, method, status, at, decided_by, reason
"""
_STANDING = """
select claim_id::text, entity_ref, user_id from ops.claims_of(array[%(entity)s::uuid])
where %(user)s::text is null or user_id = %(user)s order by status, at, seq limit 1
"""
_OPEN = """
select
    c.entity_id::text, e.entity_type, e.name, c.status, c.user_id, c.claimant::text as claimant, c.method, c.at,
    c.claim_id::text, c.entity_ref, count(*) over (partition by c.entity_id) > 1 as contested
from ops.claims_of() as c
left join unified.entities as e on e.id = c.entity_id
where %(status)s::text is null or c.status = %(status)s
order by c.status desc, c.at, c.seq
limit %(limit)s
"""
_LOG = """
select l.event, l.status, l.user_id, l.method, l.evidence, l.decided_by, l.reason, l.at, l.entity_ref,
    l.claim_id::text, l.seq
from identity.entity_map as m
inner join ops.claims as l on l.entity_ref = concat_ws('/', m.source, m.table_name, m.record_id)
where m.entity_id = %s order by l.seq
"""
# By the person, not the account: a user's second account is merged with the first.
_ROLE = """
select case c.status when 'claimed' then 'owner' else 'claimant' end
from ops.claims_of(array[%(entity)s::uuid]) as c
where c.user_id = %(user)s or c.claimant = (select entity_id from ops.entity_of('mongo/users/' || %(user)s))
order by c.status limit 1
"""


@dataclass(frozen=True)
class Event:
    """A row of the log as it was written. `status`: the entity's after it. `at`: UTC."""

    claim_id: str
    event: str
    entity_ref: str
    user_id: str
    method: str | None
    status: str
    at: Any
    decided_by: str
    reason: str | None


def submit(
    connection: Connection, entity: str, user: str, method: str, by: str, evidence: Mapping[str, Any] | None = None
) -> Event:
    """Ask for an entity (id) in the name of a user (id in MongoDB): it is pending then.

    Raises TerminalError where the user is unknown, the method is none of METHODS, nobody may own such a thing, or
    somebody has asked before.
    """
    user = user.removeprefix("mongo/users/")
    if method not in METHODS:
        raise TerminalError(f"{method} is no way to verify a claim: give {', '.join(METHODS)}")
    if connection.execute("select from ops.entity_of('mongo/users/' || %s)", [user]).fetchone() is None:
        raise TerminalError(f"there is no user {user}: give the id of a user in mongo/users that a run has seen")
    record = connection.execute(_RECORD, [entity]).fetchone()
    if record is None:
        raise TerminalError(f"no record stands for {entity} today: `sonik entity history {entity}` shows why")
    values = {"claim_id": None, "entity_ref": record[0], "user_id": user, "method": method}
    return _append(connection, {**values, "event": "submit"}, by, "", evidence)


def end(
    connection: Connection,
    event: Ending,
    entity: str,
    by: str,
    reason: str = "",
    evidence: Mapping[str, Any] | None = None,
    *,
    user: str | None = None,
) -> Event:
    """Verify or reject an entity's pending claim, or revoke the claim of its owner; `user`: which, where two meet.

    Raises TerminalError where it has no such claim.
    """
    found = connection.execute(_STANDING, {"entity": entity, "user": user}).fetchone()
    if found is None:
        whose = f" of user {user}" if user else ""
        raise TerminalError(f"{entity} is unclaimed: there is no claim{whose} to {event}; `sonik claim list`")
    values = dict(zip(("claim_id", "entity_ref", "user_id"), found, strict=True))
    return _append(connection, {**values, "method": None, "event": event}, by, reason, evidence)


def expire_old(connection: Connection, days: int = EXPIRES_AFTER) -> int:
    """End the requests that nobody verified within so many days; return how many."""
    with connection.transaction():
        (count,) = connection.execute("select ops.expire_claims(make_interval(days => %s))", [days]).fetchone() or (0,)
    return int(count)


def open_claims(connection: Connection, status: str | None = None, limit: int = 50) -> list[dict[str, Any]]:
    """Return the open claims, pending ones first, each the oldest first; `contested`: two of one entity."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_OPEN, {"status": status, "limit": limit}).fetchall()


def log(connection: Connection, entity: str) -> list[dict[str, Any]]:
    """Return all that was ever logged of the records of an entity, the oldest first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_LOG, [entity]).fetchall()


def role_of(connection: Connection, entity: str, user: str) -> Role:
    """Return what a user is to an entity: its owner, its claimant, or a visitor; who is staff is known elsewhere."""
    found = connection.execute(_ROLE, {"entity": entity, "user": user}).fetchone()
    return found[0] if found else "visitor"


def may_edit(connection: Connection, role: Role, claim_status: str, attribute: str) -> bool:
    """Tell whether a role may edit an attribute of an entity in this state; the table ops.edit_rules says so."""
    found = connection.execute("select ops.may_edit(%s, %s, %s)", [role, claim_status, attribute]).fetchone()
    return bool(found and found[0])


def _append(
    connection: Connection, values: Mapping[str, Any], by: str, reason: str, evidence: Mapping[str, Any] | None
) -> Event:
    """Write a row of the log; the database sets the entity's columns in the same transaction, or refuses both."""
    if not by:
        raise TerminalError("a claim needs the name of who decides: set SONIK_USER or give --by")
    bound = {**values, "by": by, "reason": reason, "evidence": None if evidence is None else Jsonb(dict(evidence))}
    try:
        with connection.transaction(), connection.cursor(row_factory=class_row(Event)) as cursor:
            written = cursor.execute(_APPEND, bound).fetchone()
    except errors.CheckViolation as error:
        raise TerminalError(str(error.diag.message_primary)) from error
    if written is None:  # only while a file is being read, which leaves out what may not be
        raise TerminalError("the claim was left out: this session is reading a file of claims")
    return written
