"""Answers the catalogued graph queries: names become ids, parameters are bound, the scope holds, nothing is written."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError, TransientError
from sonik_assets.serving import graph_scope
from sonik_assets.serving.asking import Answer, Asking
from sonik_assets.serving.catalogue import Param, Query, named
from sonik_assets.serving.entities import ENTITY_KINDS
from sonik_assets.serving.scope import Scope

if TYPE_CHECKING:
    from falkordb import FalkorDB
    from psycopg import Connection

THINGS = ("entity", "feature", *ENTITY_KINDS)
"""Kinds of parameters that may be given by name."""
NEVER = "never"
BY_ID = {"plain", "touched"}
"""Runners that carry no node numbers from one statement to the next."""


def query(
    pg: "Connection[Any]",
    client: "FalkorDB",
    name: str,
    given: Mapping[str, str],
    scope: Scope,
    *,
    now_ms: int | None = None,
) -> Answer:
    """Run a catalogued query for a scope; `now_ms` is the moment that ages are counted from.

    Raises TerminalError for a wrong name or parameter and for who may not ask it, TransientError past the time limit.
    """
    asked = named(name)
    graph_scope.admit(asked, scope)
    return run(asking(pg, client, asked, asked.arguments(given), scope, now_ms=now_ms))


def asking(
    pg: "Connection[Any]",
    client: "FalkorDB",
    asked: Query,
    arguments: Mapping[str, str],
    scope: Scope,
    *,
    now_ms: int | None = None,
) -> Asking:
    """Return the question with its arguments bound."""
    for text in arguments.values():
        _sendable(asked, text)
    wanted = {param.name: (param.kind, arguments[param.name]) for param in asked.params if param.kind in THINGS}
    plain = {
        param.name: bound_value(asked, param, arguments[param.name])
        for param in asked.params
        if param.name not in wanted
    }
    things = graph_scope.resolve(pg, scope, wanted)
    bound = {
        **plain,
        **{name: thing.id for name, thing in things.items()},
        "now_ms": time.time_ns() // 1_000_000 if now_ms is None else now_ms,
    }
    if "$own" in asked.text:
        bound["own"] = graph_scope.own_events(pg, scope)
    return Asking(pg, client, scope, asked, things, bound)


def _sendable(asked: Query, text: str) -> None:
    if "\0" in text:
        raise TerminalError(f"query {asked.name}: a parameter holds a NUL character; try: {asked.example}")
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of a command line that are no UTF-8 arrive as lone surrogates
        raise TerminalError(f"query {asked.name}: a parameter is no UTF-8 text; try: {asked.example}") from None


def run(asked: Asking) -> Answer:
    """Send what was asked, and keep of the answer what the scope may see; TransientError past the whole time limit."""
    timed = replace(asked, until=time.monotonic() + asked.query.question_ms / 1000)
    answer = RUNNERS[asked.query.runner](timed) if asked.query.runner in BY_ID else _of_one_build(timed)
    return Answer(graph_scope.kept(asked.pg, asked.scope, asked.query, answer.rows), answer.notes)


def _of_one_build(asked: Asking) -> Answer:
    """Run what carries node numbers from one statement to the next: once more if the graph was rebuilt meanwhile."""
    before = asked.generation()
    for _ in range(2):
        answer = RUNNERS[asked.query.runner](asked)
        after = asked.generation()
        if after == before:
            return answer
        before = after
    raise TransientError(f"query {asked.query.name}: graph {asked.query.graph} was rebuilt meanwhile, twice; try again")


def _plain(asked: Asking) -> Answer:
    rows = asked.rows()
    sampled = any(row.get("sampled") for row in rows)
    return Answer(rows, (asked.query.sampled,) if sampled else ())


@dataclass(frozen=True)
class _Later:
    """A function of a module that is imported when it is first called."""

    module: str
    function: str

    def __call__(self, asked: Asking) -> Answer:
        found: Answer = getattr(import_module(f"sonik_assets.serving.{self.module}"), self.function)(asked)
        return found


RUNNERS: dict[str, Callable[[Asking], Answer]] = {
    "plain": _plain,
    "warm_introduction": _Later("paths", "warm_introduction"),
    "lead_paths": _Later("paths", "lead_paths"),
    "influencers": _Later("whole_graph", "influencers"),
    "communities": _Later("whole_graph", "communities"),
    "spread": _Later("spread", "spread"),
    "touched": _Later("across", "touched"),
}


def bound_value(asked: Query, param: Param, text: str) -> object:
    """Return what is sent for a parameter that names nothing; raises TerminalError for a text not of its kind."""
    if param.kind == "text":
        return text
    if param.kind == "half_life":
        return None if text == NEVER else _days(asked, text)
    try:
        number = int(text)
    except ValueError:
        raise TerminalError(f"query {asked.name}: {text!r} is no whole number; try: {asked.example}") from None
    if param.least is not None and param.most is not None and not param.least <= number <= param.most:
        raise TerminalError(f"query {asked.name}: {param.name} is from {param.least} to {param.most}, not {number}")
    return number


def _days(asked: Query, text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = 0.0
    if not 0 < days < 1e6:
        raise TerminalError(f"query {asked.name}: {text!r} is no half-life: give days above 0, or {NEVER}")
    return days
