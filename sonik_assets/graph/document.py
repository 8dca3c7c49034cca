"""The tables of docs/graph.md, made from `schema.py`; `python -m sonik_assets.graph.document` writes them.

A test holds the page against them. What the tables do not tell is written by hand around them.
"""

from collections.abc import Iterator, Sequence

from resources.errors import TerminalError
from resources.settings import ROOT
from sonik_assets.graph import schema

PAGE = ROOT / "docs" / "graph.md"
_KINDS = {"bigint": "integer", "float8": "float", "boolean": "boolean", "text[]": "list"}


def nodes_table() -> str:
    """Return the table of labels: graph, label, relation of `unified`, properties beside `id` with their types."""
    rows = (
        (label.graph, f"`{label.name}`", label.relation, _properties(label.properties, point=label.has_point))
        for label in schema.LABELS
    )
    return _table(("graph", "label", "from", "properties beside id"), rows)


def edges_table() -> str:
    """Return the table of edge types: graph, type, labels at both ends, properties beside the common ones."""
    rows = (
        (edge.graph, f"`{edge.name}`", _ends(edge, 0), _ends(edge, 1), _properties(edge.properties))
        for edge in schema.EDGE_TYPES
    )
    return _table(("graph", "type", "from", "to", "more properties"), rows)


def rewritten(page: str) -> str:
    """Return the page with both tables as they must be; TerminalError where it has no place for them."""
    for name, table in (("nodes", nodes_table()), ("edges", edges_table())):
        begin, end = f"<!-- {name}: made from schema.py -->\n\n", f"\n\n<!-- end of {name} -->"
        if page.count(begin) != 1 or page.count(end) != 1:
            raise TerminalError(f"{PAGE.name} has no place for its {name}: put {begin.strip()} and {end.strip()} there")
        before, after = page.split(begin)[0], page.split(end)[1]
        page = before + begin + table + end + after
    return page


def _table(heads: Sequence[str], rows: Iterator[tuple[str, ...]]) -> str:
    lines, last = [_line(heads), "|" + "---|" * len(heads)], None
    for graph, *cells in rows:
        lines.append(_line(("" if graph == last else graph, *cells)))
        last = graph
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return ("| " + " | ".join(cells) + " |").replace("|  |", "| |")


def _ends(edge: schema.EdgeType, side: int) -> str:
    return ", ".join(dict.fromkeys(ends[side] for ends in edge.ends))


def _properties(properties: Sequence[schema.Property], *, point: bool = False) -> str:
    told = [each.name + (f" ({_kind(each)})" if each.type in _KINDS else "") for each in properties]
    return ", ".join([*told, "location (point)"] if point else told)


def _kind(each: schema.Property) -> str:
    return "ms" if "epoch" in each.sql else _KINDS[each.type]


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
