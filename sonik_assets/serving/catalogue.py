"""The catalogue of named graph queries: one `queries/<name>.cypher` each, described by its comment header.

Header lines are `// key: value`. A parameter is `// param: <name> <kind> [= default] — <meaning>`, where kind is
`text`, `int(least..most)`, `half_life`, or a thing that may be given by name (`venue`, `event`, `entity`, ...).
`scope` names who may ask and, after a dash, why the others may not. How a query is run is not here (`graph.py`).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resources.errors import TerminalError
from sonik_assets.serving import decay

FOLDER = Path(__file__).parent / "queries"
HEADER = re.compile(r"^// (\w+): (.*)$", re.MULTILINE)
PARAM = re.compile(
    r"^(?P<name>\w+) (?P<kind>\w+)(?:\((?P<least>\d+)\.\.(?P<most>\d+)\))?(?: = (?P<default>\S+))? — (?P<meaning>.+)$"
)
SCOPES = ("staff", "agent", "organizer")
REACHES = ("hops", "search", "whole")
TIMEOUT_MS = {"hops": 1_000, "search": 2_000, "whole": 20_000}
"""The server's limit for each statement of a query, by how far the query reaches."""
STATEMENTS = 3
"""A whole question, however many statements it sends, may take as long as so many of them."""


@dataclass(frozen=True)
class Param:
    """One parameter of a query; without a default it must be given. `least` and `most` are an int's bounds."""

    name: str
    kind: str
    default: str | None
    meaning: str
    least: int | None = None
    most: int | None = None


@dataclass(frozen=True)
class Query:
    """A named query.

    `reach`: `hops` around one thing, a `search` along edges, or the `whole` graph. `runner` says who runs it: `plain`
    sends it once, as it is. `ids`: columns that hold the id of something, with its kind. `sampled`: what is only
    sampled, in a row whose column `sampled` is true.
    """

    name: str
    graph: str
    answers: str
    example: str
    params: tuple[Param, ...]
    scopes: frozenset[str]
    closed: str
    reach: str
    runner: str
    ids: Mapping[str, str]
    sampled: str
    text: str

    @property
    def timeout_ms(self) -> int:
        """Return the server's limit for one statement."""
        return TIMEOUT_MS[self.reach]

    @property
    def question_ms(self) -> int:
        """Return the limit for all statements together."""
        return STATEMENTS * self.timeout_ms

    def arguments(self, given: Mapping[str, str]) -> dict[str, str]:
        """Return a text for every parameter; raises TerminalError for a missing or unknown one."""
        known = {param.name: param.default for param in self.params}
        if unknown := sorted(given.keys() - known.keys()):
            raise TerminalError(f"query {self.name} has no parameter {', '.join(unknown)}; try: {self.example}")
        if missing := [name for name, default in known.items() if default is None and name not in given]:
            raise TerminalError(f"query {self.name} needs --param {missing[0]}=...; try: {self.example}")
        return {name: given.get(name, default or "") for name, default in known.items()}


@cache
def catalogue() -> Mapping[str, Query]:
    """Return all named queries by name."""
    return {path.stem: parse(path.stem, path.read_text()) for path in sorted(FOLDER.glob("*.cypher"))}


def named(name: str) -> Query:
    """Return one query; raises TerminalError with the names there are."""
    if name not in catalogue():
        raise TerminalError(f"there is no query {name}; there are: {', '.join(catalogue())}")
    return catalogue()[name]


def parse(name: str, text: str) -> Query:
    """Read a query file; raises TerminalError if its header is incomplete or its scopes are not told."""
    pairs = HEADER.findall(text)
    heads = dict(pairs)
    params = [PARAM.match(value) for key, value in pairs if key == "param"]
    if not {"answers", "graph", "example", "scope", "reach"} <= heads.keys() or not all(params):
        raise TerminalError(
            f"query file {name}.cypher: the header needs answers, graph, scope, reach, example and readable params"
        )
    names, _, closed = heads["scope"].partition(" — ")
    query = Query(
        name=name,
        graph=heads["graph"],
        answers=heads["answers"],
        example=heads["example"],
        params=tuple(_param(found) for found in params if found),
        scopes=frozenset(names.split(", ")),
        closed=closed,
        reach=heads["reach"],
        runner=heads.get("runner", "plain"),
        ids=dict(value.split() for key, value in pairs if key == "id"),
        sampled=heads.get("sampled", ""),
        text=decay.expand("\n".join(line for line in text.splitlines() if not line.startswith("//"))),
    )
    _judge(query)
    return query


def _param(found: "re.Match[str]") -> Param:
    least, most = (int(found[side]) if found[side] else None for side in ("least", "most"))
    return Param(found["name"], found["kind"], found["default"], found["meaning"], least, most)


def _judge(query: Query) -> None:
    """Refuse a file that would be open to somebody without saying how."""
    if not query.scopes <= set(SCOPES) or (query.scopes < set(SCOPES) and not query.closed):
        raise TerminalError(f"query file {query.name}.cypher: scope names {SCOPES}, and says why for who is left out")
    if "organizer" in query.scopes and "$own" not in query.text:
        raise TerminalError(f"query file {query.name}.cypher: an organizer may only ask of the events in $own")
    if query.reach not in REACHES:
        raise TerminalError(f"query file {query.name}.cypher: reach is one of {REACHES}")
