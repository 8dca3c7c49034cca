"""Answers the catalogued graph queries: names become ids, parameters are bound, nothing can be written."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError
from sonik_assets.graph import cypher
from sonik_assets.serving.catalogue import Query, named
from sonik_assets.serving.entities import find
from sonik_assets.serving.paths import shortest_path

if TYPE_CHECKING:
    from falkordb import FalkorDB
    from psycopg import Connection

TIMEOUT_MS = 5_000


def query(pg: "Connection[Any]", client: "FalkorDB", name: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
    """Run a catalogued query and return its rows; raises TerminalError for a wrong name or parameter."""
    asked = named(name)
    arguments = asked.arguments(given)
    if asked.runner == "shortest_path":
        start, end = (find(pg, arguments[side]) for side in ("from", "to"))
        return shortest_path(client.select_graph(asked.graph), asked.text, start, end)
    bound = {param.name: _value(pg, asked, param.kind, arguments[param.name]) for param in asked.params}
    return cypher.columns(client.select_graph(asked.graph), asked.text, timeout_ms=TIMEOUT_MS, **bound)


def _value(pg: "Connection[Any]", asked: Query, kind: str, text: str) -> str | int:
    if kind == "text":
        return text
    if kind != "int":
        return find(pg, text, kind).id
    try:
        return int(text)
    except ValueError:
        raise TerminalError(f"query {asked.name}: {text!r} is no whole number; try: {asked.example}") from None
