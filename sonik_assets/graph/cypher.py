"""Values as Cypher text, and the two ways to send a query: to write, or to read.

FalkorDB takes parameters as literals in front of the query. What a literal cannot carry (NUL, an integer
past 64 bits, a number that is not finite) is refused here, since the server cuts or mangles it silently.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resources.errors import TerminalError, TransientError

if TYPE_CHECKING:
    from falkordb import Graph

INT64 = 2**63


class Unencodable(ValueError):
    """A value that a graph property cannot hold; the message says which and why."""


def literal(value: object) -> str:
    """Write a JSON-like value as a Cypher literal; raises Unencodable."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return _text(value)
        case int():
            return _integer(value)
        case float():
            return _real(value)
        case Mapping():
            return "{" + ",".join(f"{key(str(k))}:{literal(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            return "[" + ",".join(map(literal, value)) + "]"
    raise Unencodable(f"a {type(value).__name__} is no graph value")


def property_literal(value: object) -> str:
    """Write a value that a node or an edge can keep: no map; raises Unencodable."""
    if isinstance(value, Mapping):
        raise Unencodable("a graph property cannot hold a map")
    return literal(value)


def key(name: str) -> str:
    """Quote a property or parameter name; raises Unencodable."""
    if not name or "`" in name or "\0" in name:
        raise Unencodable(f"{name!r} is no property name")
    return f"`{name}`"


def header(parameters: Mapping[str, str]) -> str:
    """Return the text that goes before a query; the values are literals already."""
    return "CYPHER " + " ".join(f"{key(k)}={v}" for k, v in parameters.items()) + " " if parameters else ""


def write(graph: "Graph", query: str, **literals: str) -> list[list[Any]]:
    """Run a writing query whose parameters are given as literals, and return its rows."""
    return _execute(graph, query, header(literals), timeout_ms=None)


def read(graph: "Graph", query: str, *, timeout_ms: int = 60_000, **parameters: object) -> list[list[Any]]:
    """Run a query that may only read, and return its rows."""
    text = header({name: literal(value) for name, value in parameters.items()})
    return _execute(graph, query, text, timeout_ms=timeout_ms)


def columns(graph: "Graph", query: str, *, timeout_ms: int, **parameters: object) -> list[dict[str, Any]]:
    """Like `read`, with each row as a mapping of the names that the query returns."""
    text = header({name: literal(value) for name, value in parameters.items()})
    result = _send(graph, query, text, timeout_ms=timeout_ms)
    names = [_name(column) for column in result.header]
    return [dict(zip(names, row, strict=True)) for row in result.result_set]


def _execute(graph: "Graph", query: str, head: str, *, timeout_ms: int | None) -> list[list[Any]]:
    rows: list[list[Any]] = _send(graph, query, head, timeout_ms=timeout_ms).result_set
    return rows


def _send(graph: "Graph", query: str, head: str, *, timeout_ms: int | None) -> Any:
    from redis.exceptions import ConnectionError as Unreachable
    from redis.exceptions import ResponseError
    from redis.exceptions import TimeoutError as Silent

    try:
        if timeout_ms is None:
            return graph.query(head + query)
        return graph.ro_query(head + query, timeout=timeout_ms)
    except (Unreachable, Silent) as error:
        raise TransientError(f"FalkorDB does not answer for graph {graph.name}: {error}; run `sonik up`") from error
    except ResponseError as error:
        raise _explained(graph.name, query, str(error)) from error


def _explained(graph: str, query: str, reason: str) -> TerminalError | TransientError:
    first = " ".join(query.split())[:120]
    if "empty key" in reason:
        return TransientError(f"graph {graph} is not built yet: run `sonik run`")
    if "timed out" in reason:
        return TransientError(f"graph {graph} took too long for: {first}; ask for less, or try again")
    return TerminalError(f"graph {graph} refused: {first}: {reason}")


def _name(column: Any) -> str:
    name = column[1]
    return name.decode() if isinstance(name, bytes) else str(name)


def _text(value: str) -> str:
    if "\0" in value:
        raise Unencodable("text holds a NUL character")
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _integer(value: int) -> str:
    if not -INT64 <= value < INT64:
        raise Unencodable(f"{value} is past 64 bits")
    return str(value)


def _real(value: float) -> str:
    if not math.isfinite(value):
        raise Unencodable(f"{value} is not a finite number")
    return repr(value)
