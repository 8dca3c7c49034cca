"""Finds things by id or name, and shows an entity with the source records behind it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from resources.errors import TerminalError

if TYPE_CHECKING:
    from psycopg import Connection

ENTITY_KINDS = ("person", "venue", "organization", "artist", "brand", "event")
LABELS = {kind: kind.capitalize() for kind in ENTITY_KINDS}
CANDIDATES = 8

THINGS = """
select id, entity_type as kind, name, metadata ->> 'city' as city from unified.entities
union all
select id, 'feature' as kind, name, null as city from unified.features
"""

FOLLOW = """
with recursive chain as (
  select %(id)s::uuid as id, 0 as depth
  union
  select r.new_id, c.depth + 1 from chain as c join identity.redirects as r on r.old_id = c.id
  where c.depth < 100
)
select id from chain order by depth desc limit 1
"""


@dataclass(frozen=True)
class Thing:
    """Something with an id: an entity or a feature."""

    id: str
    kind: str
    name: str
    city: str | None

    def __str__(self) -> str:
        place = f", {self.city}" if self.city else ""
        return f"{self.name} ({self.kind}{place}) {self.id}"


def folded(sql: str) -> str:
    """Return SQL for a text without accents, case and outer blanks, for comparing what people type."""
    return f"btrim(regexp_replace(normalize(lower({sql}), nfd), '[\\u0300-\\u036f]', '', 'g'))"


def find(pg: "Connection[Any]", text: str, kind: str = "entity") -> Thing:
    """Return the one thing that an id or a name means; raises TerminalError if it is none or several.

    `kind` is an entity type, `entity` for any of them, or `feature`. An id that was merged is followed.
    """
    if not text.strip():
        raise TerminalError(f"which {kind}? give an id or a name; `sonik search WORDS` finds some")
    kinds = list(ENTITY_KINDS) if kind == "entity" else [kind]
    id = _uuid(text)
    found = _by_id(pg, id, kinds) if id else _by_name(pg, text, kinds, f"{folded('name')} = {folded('%(text)s')}")
    if len(found) == 1:
        return found[0]
    if found:
        raise TerminalError(f"{text!r} may be any of: {_listed(found)}; say which by its id")
    raise TerminalError(_unknown_id(pg, id) if id else f"there is no {kind} {text!r}; {_advice(pg, text, kinds)}")


def _unknown_id(pg: "Connection[Any]", id: UUID) -> str:
    """Return what identity knows of an id that the unified tables do not have."""
    (made,) = _rows(pg, "select to_regclass('identity.entities') is not null as identity")
    if not made["identity"]:
        return f"there is no entity with the id {id}: nothing was resolved yet, try `sonik run`"
    known = _rows(
        pg,
        "select exists (select from identity.entities where entity_id = %(id)s) as lives,"
        " exists (select from unified.changes where entity_id = %(id)s) as lived",
        id=str(id),
    )[0]
    if known["lives"]:
        return f"{id} is new: `sonik run` takes it on; `sonik entity explain {id}` shows it now"
    if known["lived"]:
        return f"{id} is gone: `sonik entity history {id}` tells what became of it"
    return f"there is no entity with the id {id}"


def show(pg: "Connection[Any]", text: str) -> dict[str, Any]:
    """Return an entity with its source records and the ids that were merged into it."""
    thing = find(pg, text)
    entity = _rows(
        pg,
        "select id, entity_type, name, canonical_scheme, canonical_id, claim_status, claimed_by, metadata,"
        " first_seen_at, updated_at from unified.entities where id = %(id)s",
        id=thing.id,
    )[0]
    records = _rows(
        pg,
        "select source, table_name, record_id, linked_by, linked_at from identity.entity_map"
        " where entity_id = %(id)s order by source, table_name, record_id",
        id=thing.id,
    )
    merged = _rows(
        pg, "select old_id, reason, at from identity.redirects where new_id = %(id)s order by at", id=thing.id
    )
    return {**entity, "records": records, "merged_from": merged}


def _by_id(pg: "Connection[Any]", id: UUID, kinds: list[str]) -> list[Thing]:
    (followed,) = _rows(pg, FOLLOW, id=str(id))
    return _things(pg, "id = %(id)s", kinds, id=followed["id"])


def _by_name(pg: "Connection[Any]", text: str, kinds: list[str], condition: str) -> list[Thing]:
    return _things(pg, condition, kinds, text=text)


def _things(pg: "Connection[Any]", condition: str, kinds: list[str], **bound: object) -> list[Thing]:
    rows = _rows(
        pg,
        f"select id::text, kind, name, city from ({THINGS}) as things where kind = any(%(kinds)s)"
        f" and {condition} order by name, id limit {CANDIDATES}",
        kinds=kinds,
        **bound,
    )
    return [Thing(**row) for row in rows]


def _advice(pg: "Connection[Any]", text: str, kinds: list[str]) -> str:
    near = _by_name(pg, text, kinds, f"strpos({folded('name')}, {folded('%(text)s')}) > 0")
    return f"did you mean: {_listed(near)}" if near else f"try: sonik search {text!r}"


def _listed(things: list[Thing]) -> str:
    return "; ".join(map(str, things))


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _rows(pg: "Connection[Any]", sql: str, **bound: object) -> list[dict[str, Any]]:
    from psycopg.rows import dict_row

    with pg.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(sql, bound).fetchall()
