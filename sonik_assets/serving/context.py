"""A context for a language model: what a search finds, what is near it in the graphs, as text with numbered sources.

Where hits come from is `search`, edges `context_graph`, sentences `context_facts`, the budget `context_text`. The same
stores and day give the same bytes (docs/search.md).
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError, TransientError
from sonik_assets.serving import answers, context_graph, search_scope
from sonik_assets.serving.context_facts import Fact, edge_facts, fact, rows_of
from sonik_assets.serving.context_graph import Edge, Near, Node
from sonik_assets.serving.context_text import listed, write
from sonik_assets.serving.question import Question
from sonik_assets.serving.scope import Scope, Staff
from sonik_assets.serving.search import VERSION as SEARCH_VERSION
from sonik_assets.serving.search import encoded, hits, whole

if TYPE_CHECKING:
    from falkordb import FalkorDB
    from psycopg import Connection

    from resources.encoders import Vectors
    from resources.settings import Settings

logger = logging.getLogger(__name__)

LEAST, MOST = 100, 100_000
"""Tokens that may be asked for."""
HALF_LIFE_DAYS = 180.0
VERSION = 2
"""Raised when the same data would give another context."""
AWAY = "the graph does not answer: only what the search found is here"


@dataclass(frozen=True)
class _Wanted:
    """What is asked for: the question, how many tokens, and the day that ages are counted from."""

    question: Question
    tokens: int
    on: date
    half_life_days: float | None

    @property
    def now_ms(self) -> int:
        return int(datetime.combine(self.on, time(), UTC).timestamp() * 1000)


def context(
    settings: "Settings",
    pg: "Connection[Any]",
    falkordb: "FalkorDB | None",
    scope: Scope,
    text: str,
    *,
    tokens: int = 1500,
    limit: int = 8,
    on: date | None = None,
    half_life_days: float | None = HALF_LIFE_DAYS,
    cached: bool = True,
    **filters: Any,
) -> dict[str, Any]:
    """Return `text`, `sources` (n, table, id, name, records, url), `tokens`, `left_out` and `notes`.

    Every line of the text ends with the number of its source. `tokens`: 100 to 100,000, counted as `context_text` does.
    `limit`: hits. `filters`: those of `search`. `on`: the day that ages of edges are counted from, today (UTC) unless
    given. Raises as `search`. A graph that is away (`falkordb` None, or silent) is a note, and the answer is not kept.
    """
    search_scope.admit(scope)
    if not LEAST <= tokens <= MOST:
        raise TerminalError(f"{tokens} tokens are not between {LEAST} and {MOST:,}")
    given: dict[str, Any] = {name: whole(value) if isinstance(value, str) else value for name, value in filters.items()}
    question = Question(whole(text), **given, limit=limit)
    wanted = _Wanted(question, tokens, on or datetime.now(UTC).date(), half_life_days)
    versions = (VERSION, SEARCH_VERSION, settings.embedder, settings.embedder_model)
    terms = question.terms(*versions, tokens, wanted.on.isoformat(), half_life_days)
    asked = answers.Asked("context", question.prompt, terms, str(scope))

    def make(vector: "Vectors | None") -> answers.Made:
        made = _made(settings, pg, falkordb, scope, wanted, vector)
        if made.value["notes"]:
            raise _Unfit(made)
        return made

    try:
        answered = answers.answer(settings, asked, lambda: encoded(settings, question), make, cached=cached)
    except _Unfit as unfit:
        value: dict[str, Any] = unfit.made.value
        return value
    found: dict[str, Any] = answered.value
    return found


class _Unfit(Exception):
    """Carries an answer past the cache: it must not be kept, since the next one may be whole."""

    def __init__(self, made: answers.Made) -> None:
        super().__init__()
        self.made = made


def _made(
    settings: "Settings",
    pg: "Connection[Any]",
    falkordb: "FalkorDB | None",
    scope: Scope,
    wanted: _Wanted,
    vector: "Vectors | None",
) -> answers.Made:
    found = hits(settings, scope, wanted.question, vector)
    nodes = {_node(row): max(row["score"], 0.0) for row in found}
    edges, notes = _edges(pg, falkordb, scope, wanted, nodes)
    rows = rows_of(pg, scope, {*nodes, *(end for edge in edges for end in edge.ends)})
    facts = _facts(rows, nodes, edge_facts(pg, scope, edges, rows))
    written = write(facts, wanted.tokens)
    value = {
        "text": written.text,
        "sources": listed(written),
        "tokens": written.tokens,
        "left_out": written.left_out,
        "notes": notes,
    }
    return answers.Made(value, written.names)


def _node(row: Mapping[str, Any]) -> Node:
    """Return a hit's node: of any kind of content the label is one."""
    labels = {"events": "Event", "content": "Content", "concepts": "Concept"}
    return Node(labels.get(row["table"]) or row["kind"].capitalize(), row["document_id"])


def _edges(
    pg: "Connection[Any]", falkordb: "FalkorDB | None", scope: Scope, wanted: _Wanted, nodes: Mapping[Node, float]
) -> tuple[list[Edge], list[str]]:
    """Return edges one and two steps from the hits, the strongest first; what the scope does not see leads nowhere."""
    if falkordb is None:
        return [], [AWAY]
    near = Near(wanted.now_ms, wanted.half_life_days, persons=isinstance(scope, Staff))
    try:
        first = _seen(pg, scope, context_graph.edges(falkordb, near, nodes, context_graph.FIRST))
        further = {end: edge.strength for edge in reversed(first) for end in edge.ends if end not in nodes}
        second = _seen(pg, scope, context_graph.edges(falkordb, near, further, context_graph.SECOND))
    except TransientError as error:
        logger.warning("context without the graph: %s", error)
        return [], [AWAY]
    known = {(edge.start, edge.type, edge.end) for edge in first}
    return [*first, *(edge for edge in second if (edge.start, edge.type, edge.end) not in known)], []


def _seen(pg: "Connection[Any]", scope: Scope, edges: Sequence[Edge]) -> list[Edge]:
    rows = rows_of(pg, scope, {end for edge in edges for end in edge.ends})
    return [edge for edge in edges if all(end.id in rows for end in edge.ends)]


def _facts(rows: Mapping[str, Mapping[str, Any]], nodes: Iterable[Node], told: Sequence[Fact]) -> list[Fact]:
    """Return what is said of the hits, best first; then of each edge, and after it of what it leads to."""
    found = [fact(rows[node.id]) for node in nodes if node.id in rows]
    said = {node.id for node in nodes}
    for each in told:
        found.append(each)
        new = sorted(id for id in each.about - said if id in rows)
        found += [fact(rows[id]) for id in new]
        said |= set(new)
    return found
