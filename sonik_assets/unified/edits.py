"""Corrections of entities by staff, claimants and owners: writes and reads `ops.edits`.

Who may edit what and what a value may be is the database's own affair (migration 0007_unified): nothing here can get
around it. Which value survives is dbt's (`told_attributes`, macros/survivorship.sql). Rules: docs/survivorship.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import psycopg
from psycopg import errors
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from resources.errors import TerminalError

ROLES = ("staff", "claimant", "owner")

type Connection = psycopg.Connection[Any]
type Role = Literal["staff", "claimant", "owner"]

# Records of their own first: they are there to stay, a listing's mention is not.
_RECORD = """
select r.ref from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
where m.entity_id = %s order by m.attached, r.embedded, r.ref limit 1
"""
_APPEND = """
insert into ops.edits (entity_ref, attribute, value, role, edited_by, reason)
values (%(ref)s, %(attribute)s, %(value)s, %(role)s, %(by)s, nullif(%(reason)s, ''))
returning entity_ref, attribute, value, role, edited_by, reason, at
"""
# Of a merged entity two records can carry an edit of one attribute: the newest holds.
_STANDING = """
select distinct on (e.attribute) e.entity_ref, e.attribute, e.value, e.role, e.edited_by, e.reason, e.at
from identity.entity_map as m
inner join ops.standing_edits as e on e.entity_ref = concat_ws('/', m.source, m.table_name, m.record_id)
where m.entity_id = %s order by e.attribute, e.at desc, e.seq desc
"""
_EDITED = """
select e.entity_ref from identity.entity_map as m
inner join ops.standing_edits as e on e.entity_ref = concat_ws('/', m.source, m.table_name, m.record_id)
where m.entity_id = %s and e.attribute = %s order by e.seq
"""


@dataclass(frozen=True)
class Edit:
    """A row of the log. `value` is null where an edit was taken back. `at`: UTC."""

    entity_ref: str
    attribute: str
    value: Any
    role: str
    edited_by: str
    reason: str | None
    at: Any


def edit(
    connection: Connection, entity: str, values: Mapping[str, Any], by: str, role: Role = "staff", reason: str = ""
) -> list[Edit]:
    """Write what attributes of an entity (id) are, all of them or none; None takes an attribute's edit back.

    `by`: of a claimant or owner the user's id in MongoDB. The next build of `unified.entities` shows it. Raises
    TerminalError where the role may not edit an attribute, a value cannot be one, or there is nothing to take back.
    """
    if not by:
        raise TerminalError("an edit needs the name of who edits: set SONIK_USER or give --by")
    if role not in ROLES:
        raise TerminalError(f"{role} is no role: give {', '.join(ROLES)}")
    found = connection.execute(_RECORD, [entity]).fetchone()
    if found is None:
        raise TerminalError(f"no record stands for {entity} today: `sonik entity history {entity}` shows why")
    bound = {"role": role, "by": by, "reason": reason}
    try:
        with connection.transaction(), connection.cursor(row_factory=class_row(Edit)) as cursor:
            return [
                _append(cursor, {**bound, "ref": ref, "attribute": attribute, "value": value})
                for attribute, value in values.items()
                for ref in ([found[0]] if value is not None else _edited(connection, entity, attribute))
            ]
    except errors.CheckViolation as error:
        raise TerminalError(str(error.diag.message_primary)) from error


def standing(connection: Connection, entity: str) -> list[Edit]:
    """Return the edits of an entity that hold, by attribute."""
    with connection.cursor(row_factory=class_row(Edit)) as cursor:
        return cursor.execute(_STANDING, [entity]).fetchall()


def _edited(connection: Connection, entity: str, attribute: str) -> list[str]:
    """Return the records of an entity that carry an edit of the attribute: it is taken back from each."""
    refs = [row[0] for row in connection.execute(_EDITED, [entity, attribute])]
    if not refs:
        raise TerminalError(f"nobody has edited {attribute} of {entity}: there is nothing to take back")
    return refs


def _append(cursor: psycopg.Cursor[Edit], row: Mapping[str, Any]) -> Edit:
    value = None if row["value"] is None else Jsonb(row["value"])
    written = cursor.execute(_APPEND, {**row, "value": value}).fetchone()
    if written is None:
        raise TerminalError(f"the edit of {row['attribute']} was not written")
    return written
