"""What somebody may find: the rows of each vector table that are open to a scope, asked of PostgreSQL as that role.

The vector tables know nothing of roles. What may not be seen is left out before anything is ranked, and what is about
to be shown is asked back once more (docs/access.md). Of what may be seen by name only, see `search_names`.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from resources import embedded
from resources.errors import TerminalError
from resources.stores import lancedb, postgres
from sonik_assets.serving.question import folded
from sonik_assets.serving.scope import ROLES, Agent, Organizer, Scope, Staff, scoped
from sonik_assets.serving.vector_tables import Holding
from sonik_assets.serving.wording import Vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Connection

    from resources.settings import Settings

MOST_OWN = 5_000
"""Events that an organizer's search reaches, the latest ones."""
OWN = ("entities", "events")
"""Of which tables an organizer sees anything; what it sees of them, its role decides."""
OWN_EVENTS = """
select id::text, city, genres, case when local_date between '0001-01-01' and '9999-12-31' then local_date end
from unified.events order by local_date desc nulls last, id limit %s
"""
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


@dataclass(frozen=True)
class Reach:
    """The rows of a table that a scope may rank, by a condition (None: all), and what those hold."""

    condition: str | None
    holds: Vocabulary


def reach(settings: "Settings", scope: Scope, held: Mapping[str, Holding]) -> dict[str, Reach]:
    """Return by table what the scope may rank; a table that is closed to it is missing.

    Of entities organizers read kind and name only, and a row's words, vector and city tell of more: they rank none.
    """
    if isinstance(scope, Staff):
        return {name: Reach(None, each.vocabulary) for name, each in held.items()}
    if isinstance(scope, Agent):
        return {name: Reach(NO_PERSON if name == "entities" else None, each.impersonal) for name, each in held.items()}
    if "events" not in held:
        return {}
    with reading(settings) as pg, scoped(pg, scope) as own:
        rows = own.execute(OWN_EVENTS, [MOST_OWN]).fetchall()
    condition = f"document_id in ({', '.join(lancedb.quoted(row[0]) for row in rows)})"
    return {"events": Reach(condition, _vocabulary(rows))} if rows else {}


def _vocabulary(events: Iterable[Sequence[Any]]) -> Vocabulary:
    _, cities, genres, days = zip(*events, strict=True)
    styles = {genre for each in genres for genre in each or () if genre}
    return Vocabulary(
        frozenset(map(folded, filter(None, cities))), frozenset(map(folded, styles)), frozenset(filter(None, days))
    )


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
