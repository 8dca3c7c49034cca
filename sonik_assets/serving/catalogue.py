"""The catalogue of named graph queries: one `queries/<name>.cypher` each, described by its comment header.

Header lines are `// key: value`; a parameter is `// param: <name> <kind> [= default] — <meaning>`, where
kind is `text`, `int` or a thing that may be given by name (`venue`, `event`, `entity`, `feature`, ...).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from resources.errors import TerminalError

FOLDER = Path(__file__).parent / "queries"
HEADER = re.compile(r"^// (\w+): (.*)$", re.MULTILINE)
PARAM = re.compile(r"^(?P<name>\w+) (?P<kind>\w+)(?: = (?P<default>\S+))? — (?P<meaning>.+)$")


@dataclass(frozen=True)
class Param:
    """One parameter of a query; without a default it must be given."""

    name: str
    kind: str
    default: str | None
    meaning: str


@dataclass(frozen=True)
class Query:
    """A named query. `runner` says who runs it: `plain` sends it once, as it is."""

    name: str
    graph: str
    answers: str
    example: str
    params: tuple[Param, ...]
    runner: str
    text: str

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
    """Read a query file; raises TerminalError if its header is incomplete."""
    pairs = HEADER.findall(text)
    heads = dict(pairs)
    params = [PARAM.match(value) for key, value in pairs if key == "param"]
    if not {"answers", "graph", "example"} <= heads.keys() or not all(params):
        raise TerminalError(f"query file {name}.cypher: the header needs answers, graph, example and readable params")
    return Query(
        name=name,
        graph=heads["graph"],
        answers=heads["answers"],
        example=heads["example"],
        params=tuple(Param(**found.groupdict()) for found in params if found),
        runner=heads.get("runner", "plain"),
        text="\n".join(line for line in text.splitlines() if not line.startswith("//")),
    )
