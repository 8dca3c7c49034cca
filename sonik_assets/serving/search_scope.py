"""What somebody may find: the rows of each vector table that are open to a scope, asked of PostgreSQL as that role.

The vector tables know nothing of roles. What may not be seen is left out before anything is ranked, and what is about
to be shown is asked back once more (docs/access.md).
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from resources import embedded
from resources.errors import TerminalError
from resources.stores import lancedb, postgres
from sonik_assets.serving.scope import ROLES, Agent, Organizer, Scope, Staff, scoped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from resources.settings import Settings

MOST_OWN = 5_000
"""Rows of a table that an organizer's search reaches, the latest ones."""
OWN = {
    "entities": "select id::text from unified.entities where entity_type <> 'event'"
    " order by updated_at desc, id limit %s",
    "events": "select id::text from unified.events order by local_date desc nulls last, id limit %s",
}
"""Of which tables an organizer sees anything; what it sees of them, its role decides."""
NO_PERSON = "kind <> 'person'"
_SEEN = (
    "select id::text from unified.{table}"
    " where id = any(select t::uuid from unnest(%s::text[]) as t where pg_input_is_valid(t, 'uuid'))"
)

type Row = Mapping[str, Any]


def admit(scope: Scope) -> None:
    """Raise TerminalError for what is no scope: nothing that was left out may mean everybody."""
    if type(scope) not in ROLES:
        raise TerminalError(f"{scope!r} is no scope: give Staff(), Agent() or Organizer(uuid)")


def conditions(settings: "Settings", scope: Scope, tables: Iterable[str]) -> dict[str, str | None]:
    """Return by table the condition that its rows are open to the scope; a table that is closed to it is missing."""
    if isinstance(scope, Staff):
        return dict.fromkeys(tables)
    if isinstance(scope, Agent):
        return {name: NO_PERSON if name == "entities" else None for name in tables}
    found: dict[str, str | None] = {}
    with reading(settings) as pg, scoped(pg, scope) as own:
        for name in OWN.keys() & set(tables):
            ids = [id for (id,) in own.execute(OWN[name], [MOST_OWN]).fetchall()]
            if ids:
                found[name] = f"document_id in ({', '.join(map(lancedb.quoted, ids))})"
    return found


def seen[R: Row](settings: "Settings", scope: Scope, rows: Sequence[R]) -> list[R]:
    """Return those rows (with `table` and `document_id`) whose records the scope sees; staff is not asked about."""
    if isinstance(scope, Staff) or not rows:
        return list(rows)
    wanted: dict[str, set[str]] = {}
    for row in rows:
        if isinstance(scope, Organizer) and row["table"] not in OWN:
            continue
        wanted.setdefault(row["table"], set()).add(row["document_id"])
    with reading(settings) as pg, scoped(pg, scope) as own:
        there = {
            name: {id for (id,) in own.execute(_SEEN.format(table=name), [sorted(ids)]).fetchall()}
            for name, ids in wanted.items()
        }
    return [row for row in rows if row["document_id"] in there.get(row["table"], ())]


def told(scope: Scope, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return of a row what the scope may read: organizers get no more of entities than their kinds and names."""
    if isinstance(scope, Organizer) and row["table"] == "entities":
        return {**row, "text": row["name"] or "", "city": None}
    return dict(row)


@contextmanager
def reading(settings: "Settings") -> "Iterator[Connection[Any]]":
    """Connect to PostgreSQL for one question."""
    with postgres.connect(embedded.endpoints(settings).postgres) as pg:
        yield pg
