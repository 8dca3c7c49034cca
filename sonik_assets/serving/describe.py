"""The list of queries in docs/graph-queries.md, made from the query files; `python -m sonik_assets.serving.describe`.

A test holds the page against them. What is around the list is written by hand.
"""

from resources.errors import TerminalError
from resources.settings import ROOT
from sonik_assets.serving.catalogue import Param, Query, catalogue

PAGE = ROOT / "docs" / "graph-queries.md"
BEGIN, END = "<!-- queries: made from sonik_assets/serving/queries -->\n\n", "\n<!-- end of queries -->"


def listed() -> str:
    """Return the queries as a table, and below it each one's parameters and example."""
    head = "| name | graph | reach | for | answers |\n|---|---|---|---|---|\n"
    return head + "".join(map(_row, catalogue().values())) + "".join(map(_part, catalogue().values()))


def rewritten(page: str) -> str:
    """Return the page with the list as it must be; TerminalError where it has no place for it."""
    if page.count(BEGIN) != 1 or page.count(END) != 1:
        raise TerminalError(f"{PAGE.name} has no place for the list: put {BEGIN.strip()} and {END.strip()} there")
    return page.split(BEGIN)[0] + BEGIN + listed() + END + page.split(END)[1]


def _row(each: Query) -> str:
    scopes = ", ".join(scope for scope in ("staff", "agent", "organizer") if scope in each.scopes)
    return f"| `{each.name}` | {each.graph} | {each.reach} | {scopes} | {each.answers} |\n"


def _part(each: Query) -> str:
    lines = [f"\n### {each.name}\n", f"`{each.example}`\n"]
    lines += [f"- {_param(param)}" for param in each.params]
    lines += [f"- sampled: {each.sampled}"] if each.sampled else []
    lines += [f"- closed to others: {each.closed}"] if each.closed else []
    return "\n".join(lines) + "\n"


def _param(param: Param) -> str:
    bounds = f" {param.least} to {param.most}" if param.least is not None else ""
    default = f", {param.default} if not given" if param.default else ""
    return f"`{param.name}` ({param.kind}{bounds}{default}): {param.meaning}"


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
