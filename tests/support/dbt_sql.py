"""The SQL of our dbt models and macros without dbt, whose every run takes seconds: for tests that ask often.

Only what the models of `marts` use is known: `ref`, `var` and `config`, and macros that only put text together.
"""

import re
from functools import cache
from typing import Any

import yaml
from jinja2 import Environment, StrictUndefined

from sonik_assets.unified import dbt

MACROS = ("purchases", "payload", "links", "rates", "visitors", "markov", "countries", "words", "engagement")


@cache
def _macros() -> str:
    return "".join((dbt.PROJECT / "macros" / f"{name}.sql").read_text() for name in MACROS)


@cache
def _variables() -> dict[str, Any]:
    project = yaml.safe_load((dbt.PROJECT / "dbt_project.yml").read_text())
    return dict(project["vars"])


def _render(text: str) -> str:
    # The project is trusted: it makes SQL, not pages.
    environment = Environment(undefined=StrictUndefined)  # noqa: S701
    functions: dict[str, Any] = {"ref": _relation, "var": _variables().__getitem__, "config": lambda **_: ""}
    return environment.from_string(_macros() + text).render(**functions).strip()


@cache
def _relation(model: str) -> str:
    folder = next((dbt.PROJECT / "models").rglob(f"{model}.sql")).relative_to(dbt.PROJECT / "models").parts[0]
    return f"{folder}.{model}"


@cache
def model(name: str) -> str:
    """Return the select of a mart."""
    (path,) = (dbt.PROJECT / "models" / "marts").rglob(f"{name}.sql")
    return re.sub(r"^\s+", "", _render(path.read_text()))


@cache
def macro(name: str, *arguments: str) -> str:
    """Return what a macro makes of SQL expressions."""
    return _render("{{ " + f"{name}({', '.join(map(repr, arguments))})" + " }}")
