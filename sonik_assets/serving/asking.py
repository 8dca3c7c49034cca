"""One question being asked: its query, bound arguments and scope, and the ways a runner may send statements.

Every statement is read-only, has the query's time limit, and binds its parameters. All together have one, too.
"""

import json
import math
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError, TransientError
from sonik_assets.graph import cypher
from sonik_assets.graph.positions import GENERATIONS
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
    """A query with everything bound. `things`: what the arguments of kinds with names mean.

    `until`: the moment (`time.monotonic`) past which no further statement is sent.
    """

    pg: "Connection[Any]"
    client: "FalkorDB"
    scope: Scope
    query: Query
    things: Mapping[str, Thing]
    bound: Mapping[str, object]
    until: float = math.inf

    def rows(self, text: str | None = None, *, graph: str | None = None, **more: object) -> list[dict[str, Any]]:
        """Send the query's own text, or another one of its runner's, and return its rows.

        Raises TransientError past the time limit of the statement, or of the whole question.
        """
        known = {**self.bound, **more}
        sent = self.query.text if text is None else text
        chosen = {name: value for name, value in known.items() if f"${name}" in sent}
        try:
            asked = self.client.select_graph(graph or self.query.graph)
            return cypher.columns(asked, sent, timeout_ms=self._timeout_ms(), **chosen)
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

    def generation(self) -> str | None:
        """Return which build of the graph answers; node numbers of another build mean other nodes."""
        from redis.exceptions import NoPermissionError, RedisError

        try:
            found = self.client.connection.hget(GENERATIONS, self.query.graph)
        except NoPermissionError as error:
            raise TerminalError(
                f"query {self.query.name}: this login to FalkorDB may not read {GENERATIONS}; ask as user sonik"
            ) from error
        except RedisError as error:
            raise TransientError(f"FalkorDB does not answer for {GENERATIONS}: {error}; run `sonik up`") from error
        return found.decode() if isinstance(found, bytes) else found

    def _timeout_ms(self) -> int:
        """Return what the next statement may take: never 0, which would be no limit."""
        left = (self.until - time.monotonic()) * 1000
        if left < 1:
            seconds = self.query.question_ms // 1000
            raise TransientError(
                f"query {self.query.name} took too long: over {seconds} s in all; ask for less, or try again"
            )
        return int(min(self.query.timeout_ms, left))

    def visible(self, kind: str, ids: set[str]) -> set[str]:
        """Return those ids that the scope sees."""
        return graph_scope.visible(self.pg, self.scope, kind, ids)
