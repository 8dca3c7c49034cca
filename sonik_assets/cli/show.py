"""How answers look on a terminal: a table, pairs, or JSON for programs. Knows nothing of what they mean."""

import json as jsonlib
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]


def rows(title: str, found: Sequence[Row], *, columns: Sequence[str] | None, empty: str, json: bool = False) -> None:
    """Print rows as JSON or as a table of the given columns (default: all of them)."""
    if json:
        as_json(found)
        return
    table(title, found, columns=columns, empty=empty)


def as_json(value: object) -> None:
    """Print a value as JSON; times and dates in ISO form, ids as text."""
    print(jsonlib.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def table(title: str, found: Sequence[Row], *, columns: Sequence[str] | None = None, empty: str) -> None:
    """Print a table, or the sentence that says what to try where there is nothing."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    if not found:
        print(empty)
        return
    names = list(columns or found[0])
    made = Table(title=Text(title), title_justify="left", box=box.SIMPLE)
    for name in names:
        made.add_column(name.replace("_", " "), overflow="fold")
    for row in found:
        # Text, since a name with brackets is not markup
        made.add_row(*(Text(_cell(row.get(name))) for name in names))
    Console().print(made)


def pairs(title: str, values: Row) -> None:
    """Print one thing's attributes, one a line."""
    found = [{"attribute": name, "value": value} for name, value in values.items() if value not in (None, "", [])]
    table(title, found, empty=f"{title}: nothing known")


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return _text(value)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else str(value)


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    return str(value)
