"""What somebody may learn from the graphs: PostgreSQL is asked, as that role (docs/access.md).

The graphs know nothing of roles. Names become ids as the one who asks sees them, an organizer's questions reach its own
events only (`$own`), and the things of an answer are asked back.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError
from sonik_assets.serving import entities
from sonik_assets.serving.catalogue import Query
from sonik_assets.serving.entities import ENTITY_KINDS, Thing, folded
from sonik_assets.serving.scope import ROLES, Agent, Organizer, Scope, Staff, scoped

if TYPE_CHECKING:
    from psycopg import Connection

MOST_OWN = 5_000
"""Events of one organizer that a question reaches, the latest ones."""

NAMES: dict[type[Scope], str] = {Staff: "staff", Agent: "agent", Organizer: "organizer"}
RELATIONS = dict.fromkeys(("entity", *ENTITY_KINDS), "unified.entities") | {
    "feature": "unified.features",
    "module": "unified.code_modules",
    "relationship": "unified.relationships",
}
_FIND = {
    "feature": "select id::text, 'feature' as kind, name, null as city from unified.features where",
    "entity": "select id::text, entity_type as kind, name, null as city from unified.entities"
    " where entity_type = any(%(kinds)s) and",
}


def admit(query: Query, scope: Scope) -> None:
    """Raise TerminalError unless this scope may ask this query."""
    if type(scope) not in ROLES:
        raise TerminalError(f"{scope!r} is no scope: give Staff(), Agent() or Organizer(uuid)")
    if NAMES[type(scope)] not in query.scopes:
        who = ", ".join(sorted(query.scopes))
        raise TerminalError(f"query {query.name} is not for {NAMES[type(scope)]}s, only for {who}: {query.closed}")


def resolve(pg: "Connection[Any]", scope: Scope, wanted: dict[str, tuple[str, str]]) -> dict[str, Thing]:
    """Return the things that (kind, text) mean for this scope; raises TerminalError where it sees none, or several."""
    if not wanted:
        return {}
    with scoped(pg, scope) as reading:
        look = entities.find if isinstance(scope, Staff) else _find
        return {name: look(reading, text, kind) for name, (kind, text) in wanted.items()}


def own_events(pg: "Connection[Any]", scope: Scope) -> list[str] | None:
    """Return the ids of an organizer's events, at most 5,000; None for who is not held to own events."""
    if not isinstance(scope, Organizer):
        return None
    with scoped(pg, scope) as reading:
        sql = f"select id::text from unified.events order by local_date desc nulls last, id limit {MOST_OWN}"
        return [id for (id,) in reading.execute(sql).fetchall()]


def visible(pg: "Connection[Any]", scope: Scope, kind: str, ids: Iterable[str]) -> set[str]:
    """Return those ids that this scope sees; ids that are no uuid are nobody's. Staff sees all without being asked."""
    if isinstance(scope, Staff):
        return set(ids)
    with scoped(pg, scope) as reading:
        sql = (
            f"select id::text from {RELATIONS[kind]}"
            " where id = any(select t::uuid from unnest(%s::text[]) as t where pg_input_is_valid(t, 'uuid'))"
        )
        return {id for (id,) in reading.execute(sql, [sorted(set(ids))]).fetchall()}


def kept(pg: "Connection[Any]", scope: Scope, query: Query, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows all of whose things this scope sees."""
    if isinstance(scope, Staff):
        return rows
    for column, kind in query.ids.items():
        seen = visible(pg, scope, kind, {str(row[column]) for row in rows})
        rows = [row for row in rows if row[column] in seen]
    return rows


def _find(pg: "Connection[Any]", text: str, kind: str) -> Thing:
    """Like `entities.find` for who may not read metadata and merged ids; it tells of nothing that is not seen."""
    kinds = list(ENTITY_KINDS) if kind == "entity" else [kind]
    select = _FIND["feature" if kind == "feature" else "entity"]
    sql = f"{select} (id::text = lower(btrim(%(text)s)) or {folded('name')} = {folded('%(text)s')}) order by id limit 8"
    rows = pg.execute(sql, {"text": text, "kinds": kinds}).fetchall()
    if len(rows) == 1:
        return Thing(*rows[0])
    if rows:
        raise TerminalError(f"{text!r} may be any of: {'; '.join(row[0] for row in rows)}; say which by its id")
    raise TerminalError(f"there is no {kind} {text!r} that you may see; give its id or its whole name")
