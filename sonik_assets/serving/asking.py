"""One question being asked: its query, bound arguments and scope, and the ways a runner may send statements.

Every statement is read-only, has the query's time limit, and binds its parameters.
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError
from sonik_assets.graph import cypher
from sonik_assets.serving import graph_scope
from sonik_assets.serving.catalogue import Query
from sonik_assets.serving.entities import Thing
from sonik_assets.serving.scope import Scope

if TYPE_CHECKING:
    from falkordb import FalkorDB
    from psycopg import Connection


@dataclass(frozen=True)
class Answer:
    """Rows, each by column, and what must be known about them: what was sampled, where a search gave up."""

    rows: list[dict[str, Any]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asking:
    """A query with everything bound. `things`: what the arguments of kinds with names mean."""

    pg: "Connection[Any]"
    client: "FalkorDB"
    scope: Scope
    query: Query
    things: Mapping[str, Thing]
    bound: Mapping[str, object]

    def rows(self, text: str | None = None, *, graph: str | None = None, **more: object) -> list[dict[str, Any]]:
        """Send the query's own text, or another one of its runner's, and return its rows."""
        known = {**self.bound, **more}
        sent = self.query.text if text is None else text
        chosen = {name: value for name, value in known.items() if f"${name}" in sent}
        try:
            asked = self.client.select_graph(graph or self.query.graph)
            return cypher.columns(asked, sent, timeout_ms=self.query.timeout_ms, **chosen)
        except cypher.Unencodable as error:
            raise TerminalError(f"query {self.query.name}: {error}; try: {self.query.example}") from error

    def lists(self, text: str | None = None, **more: object) -> list[list[Any]]:
        """Send a text that returns rows of `toJSON(collect(...))`; return a list a column, the rows' one after another.

        Parts between `UNION ALL` are statements of their own, each with the time limit.

        As values of the protocol a million numbers take seconds to read, as JSON a tenth of that.
        """
        parts = (self.query.text if text is None else text).split("UNION ALL")
        with ThreadPoolExecutor(len(parts)) as pool:  # the server answers several statements at once
            rows = list(chain.from_iterable(pool.map(lambda part: self.rows(part, graph=None, **more), parts)))
        columns = zip(*(row.values() for row in rows), strict=True)
        return [list(chain.from_iterable(map(json.loads, column))) for column in columns]

    def visible(self, kind: str, ids: set[str]) -> set[str]:
        """Return those ids that the scope sees."""
        return graph_scope.visible(self.pg, self.scope, kind, ids)
