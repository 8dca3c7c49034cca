"""What comes last: sequences' values, materialized views' rows, the planner's statistics."""

from typing import Any, LiteralString

import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.migration.catalogue import USER_SCHEMAS
from resources.migration.servers import Session, line
from resources.migration.verify import sequence_values

_VIEWS = f"""
select n.nspname, c.relname from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where c.relkind = 'm' and c.relispopulated and {USER_SCHEMAS} order by c.oid
"""


def set_sequences(source: Session, target: Session) -> int:
    """Let every sequence of the target go on where the source's is now; return how many there are."""
    values = sequence_values(source)
    names = list(values)
    target.execute(
        "select setval(name::regclass, value, called) from unnest(%s::text[], %s::int8[], %s::bool[]) "
        "as each_one (name, value, called)",
        (names, [values[name][0] for name in names], [values[name][1] for name in names]),
    )
    return len(names)


def refresh_views(source: Session, target: Session) -> int:
    """Fill the materialized views that are filled in the source; return how many.

    One may read another, also inside of functions: those that fail are tried again after the others.
    """
    waiting = source.execute(_VIEWS).fetchall()
    count = len(waiting)
    for row in target.execute(_VIEWS).fetchall():
        # A killed attempt filled it, perhaps from rows that have been copied again since.
        target.execute(_refreshing(row, "with no data"))
    while waiting:
        failed = {row: error for row in waiting if (error := _refresh(target, row))}
        if len(failed) == len(waiting):
            (schema, name), error = next(iter(failed.items()))
            raise TerminalError(
                f"the materialized view {schema}.{name} cannot be filled: {line(error)} (from version 17 on its "
                "query sees no search_path: name the schema in the functions that it calls)"
            )
        waiting = list(failed)
    return count


def _refresh(target: Session, row: tuple[Any, ...]) -> psycopg.Error | None:
    try:
        target.execute(_refreshing(row, "with data"))
    except psycopg.Error as error:
        return error
    return None


def _refreshing(row: tuple[Any, ...], how: LiteralString) -> sql.Composed:
    return sql.SQL("refresh materialized view {} " + how).format(sql.Identifier(*row))


def analyze(target: Session) -> None:
    """Collect the planner's statistics, which a move does not carry."""
    target.execute("analyze")
