"""Views that stand as the project has them: a run leaves them alone. No Dagster.

A view follows what it reads by itself, and dbt spends 40 ms on making one again: two of the fourteen seconds that a run
over a thousand changes took. `ops.seen` keeps, a view, by which text of the project it was made and how it looks since;
one that another hand has made, replaced or dropped is made again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import psycopg

_MADE = """
select view.name, md5(concat(%(project)s::text, c.reloptions, pg_get_viewdef(c.oid))) as rules
from unnest(%(views)s::text[]) as view (name)
inner join pg_class as c on c.oid = to_regclass(view.name) and c.relkind = 'v'
"""
_STANDING = (
    f"select made.name from ({_MADE}) as made inner join ops.seen as s on s.model = made.name and s.rules = made.rules"
)
_PROTECT = """
select ops.protect(to_regclass(view)) from unnest(%s::text[]) as view where split_part(view, '.', 1) <> 'staging'
"""
_REMEMBER = f"""
insert into ops.seen (model, until, rules)
select made.name, now(), made.rules from ({_MADE}) as made
on conflict (model) do update set until = excluded.until, rules = excluded.rules
"""


def views_of(manifest: Mapping[str, Any]) -> dict[str, set[str]]:
    """Return the views of the project (schema.name), and the views that each reads."""
    nodes = {id: node for id, node in manifest["nodes"].items() if node["config"].get("materialized") == "view"}
    names = {id: f"{node['schema']}.{node['name']}" for id, node in nodes.items()}
    return {
        names[id]: {names[each] for each in node["depends_on"]["nodes"] if each in names} for id, node in nodes.items()
    }


def standing(
    connection: psycopg.Connection[Any], views: Mapping[str, set[str]], project: str, again: Iterable[str] = ()
) -> list[str]:
    """Return those of the views that were made by this text of the project and are as they were, sorted.

    Not those that read one of them that is to be made again: it may have to be dropped, and they with it. Who may read
    them is made sure of, as dbt would. `views`: as of `views_of`; `project`: `dbt.fingerprint()`; `again`: those that
    are made again in any case.
    """
    found = connection.execute(_STANDING, {"views": list(views), "project": project}).fetchall()
    stand = {name for (name,) in found}.difference(again)
    while shaken := {name for name in stand if views[name] & views.keys() - stand}:
        stand -= shaken
    connection.execute(_PROTECT, [sorted(stand)])
    return sorted(stand)


def remember(connection: psycopg.Connection[Any], views: Iterable[str], project: str) -> None:
    """Remember that dbt has made these views by this text of the project."""
    connection.execute(_REMEMBER, {"views": list(views), "project": project})


def leave_alone(views: Iterable[str], tests: Iterable[str] = ()) -> list[str]:
    """Return dbt's arguments that leave views out of what is selected, but not the tests that read them.

    `tests`: what is tested besides the tests that are selected by themselves. dbt would else leave out the tests of
    whatever is left out.
    """
    names, checks = [view.split(".")[1] for view in views], sorted(tests)
    if not names:
        return []
    chosen = ["--select", " ".join(checks)] if checks else []
    return ["--indirect-selection", "empty", *chosen, "--exclude", " ".join(names)]
