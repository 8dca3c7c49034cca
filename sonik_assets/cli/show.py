"""How answers look on a terminal: a table, pairs, or JSON for programs. Knows nothing of what they mean.

A table row is one line: what does not fit ends in an ellipsis, except in columns that may wrap. Short columns
(dates, numbers, kinds) are never cut.
"""

import json as jsonlib
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

Row = Mapping[str, Any]

SHORT = 12
"""Columns whose longest cell has at most so many characters keep their width."""
NARROW = 100
"""Terminals below this width do without a table's spare columns."""


def as_json(value: object) -> None:
    """Print a value as JSON; times and dates in ISO form, ids as text."""
    print(jsonlib.dumps(value, ensure_ascii=False, indent=2, default=_plain))


def table(
    title: str,
    found: Sequence[Row],
    *,
    empty: str,
    first: str = "",
    wrap: Collection[str] = (),
    spare: Collection[str] = (),
    limit: int | None = None,
    more: str = "--json",
) -> None:
    """Print rows, or the sentence that says what to try where there are none.

    Column `first` keeps a quarter of the width, `wrap` may take several lines, `spare` is left out where it is
    narrow. Past `limit` rows a line says how many more there are, and `more`, how to get them.
    """
    from rich.console import Console

    if not found:
        print(empty)
        return
    console = Console()
    names = [name for name in found[0] if name not in spare or console.width >= NARROW]
    made = _empty_table(title)
    columns = {name: _cells([row[name] for row in found[:limit]]) for name in names}
    for name, cells in columns.items():
        _add_column(made, name, cells, values=[row[name] for row in found], wraps=name in wrap)
        if name == first:
            made.columns[-1].no_wrap, made.columns[-1].max_width = True, console.width // 4
    for cells_of_row in zip(*columns.values(), strict=True):
        made.add_row(*(_text(cell, wraps=name in wrap) for name, cell in zip(names, cells_of_row, strict=True)))
    console.print(made)
    if limit is not None and len(found) > limit:
        print(f"  ... and {len(found) - limit:,} more: {more}\n")


def pairs(title: str, values: Row, origins: Mapping[str, str] | None = None) -> None:
    """Print one thing's attributes, one a line; long ones take several. `origins`: where each is from, if told."""
    found = [
        {
            "attribute": name.replace("_", " "),
            "value": _cell(value),
            **({} if origins is None else {"from": origins.get(name, "")}),
        }
        for name, value in values.items()
        if value not in (None, "", [])
    ]
    table(title, found, empty=f"{title}: nothing known", wrap={"value"})


def money(amount: Decimal | float | None, currency: str | None) -> str:
    """Return an amount with thousands and its currency: 67,500 COP; cents only where there are any."""
    if amount is None:
        return ""
    text = f"{amount:,.0f}" if amount == int(amount) else f"{amount:,.2f}"
    return f"{text} {currency}" if currency else text


def _empty_table(title: str) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    return Table(title=Text(title), title_justify="left", box=box.SIMPLE)


def _add_column(made: "Table", name: str, cells: list[str], *, values: list[Any], wraps: bool) -> None:
    numbers = all(value is None or isinstance(value, int | float | Decimal) for value in values)
    made.add_column(
        _text(name.replace("_", " ")),
        justify="right" if numbers else "left",
        no_wrap=not wraps and max(map(len, cells)) <= SHORT,
        overflow="fold" if wraps else "ellipsis",
    )


def _text(cell: str, *, wraps: bool = False) -> Any:
    from rich.text import Text

    # Text, since a name with brackets is not markup
    return Text(cell) if wraps else Text(" ".join(cell.split()), no_wrap=True, overflow="ellipsis")


def _cells(values: list[Any]) -> list[str]:
    """Return a column's texts; its fractions all have as many decimals, none where all are whole."""
    floats = [value for value in values if isinstance(value, float)]
    if not floats:
        return [_cell(value) for value in values]
    whole = all(value.is_integer() for value in floats)
    decimals = 0 if whole else 2 if max(map(abs, floats)) >= 1 else 3
    return [f"{value:,.{decimals}f}" if isinstance(value, float) else _cell(value) for value in values]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.9g}"
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="minutes")
    if isinstance(value, int) and value >= 10_000:  # below, it may be a year
        return f"{value:,}"
    return str(value)


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    return value.isoformat() if isinstance(value, date) else str(value)
