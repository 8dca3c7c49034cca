"""The commands that find things for words: search, context. They print what `sonik_assets.serving` returns."""

from datetime import date, datetime
from typing import Annotated, Any

import typer

from resources.errors import TransientError
from resources.settings import Settings
from sonik_assets.cli import read, show
from sonik_assets.cli.read import AsScope, Json

Text = Annotated[str, typer.Argument(help="What you look for, in your words.")]
City = Annotated[str | None, typer.Option(help="Only in this city.")]
First = Annotated[datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="Events from this day on.")]
Last = Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Events up to this day.")]
Genre = Annotated[str | None, typer.Option(help="Only of this genre.")]
Kind = Annotated[str | None, typer.Option(help="Only of this kind: event, venue, artist, article, ...")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("search")(search)
    app.command("context")(context)


def search(
    text: Text,
    city: City = None,
    first: First = None,
    last: Last = None,
    genre: Genre = None,
    kind: Kind = None,
    scope: AsScope = "staff",
    limit: Annotated[int, typer.Option(help="At most so many rows.", min=1, max=100)] = 10,
    *,
    as_json: Json = False,
) -> None:
    """Search entities, events, articles and concepts by words and by meaning."""
    from sonik_assets.serving.scope import parse
    from sonik_assets.serving.search import search as find

    given = {"city": city, "date_from": _day(first), "date_to": _day(last), "genre": genre, "kind": kind}
    filters: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    rows = find(Settings.from_env(), parse(scope), text, **filters, limit=limit)
    if as_json:
        show.as_json(rows)
        return
    without = ", ".join(f"no {option}" for option in _options(filters))
    empty = f"nothing found for {text!r}; try fewer or other words" + (f", or {without}" if without else "")
    show.table(f"search: {text}", [_hit(row) for row in rows], empty=empty, first="name", spare={"score"})


def context(
    text: Text,
    tokens: Annotated[int, typer.Option(help="At most about so many tokens.", min=100, max=100_000)] = 1500,
    city: City = None,
    kind: Kind = None,
    scope: AsScope = "staff",
    *,
    as_json: Json = False,
) -> None:
    """Print what is known about a question as text with numbered sources, for a language model."""
    from sonik_assets.serving.context import context as make
    from sonik_assets.serving.scope import parse

    given = {"city": city, "kind": kind}
    filters: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    with read.postgres() as pg:
        found = make(Settings.from_env(), pg, _graphs(), parse(scope), text, tokens=tokens, **filters)
    if as_json:
        show.as_json(found)
        return
    print(found["text"] or f"nothing found for {text!r}; try fewer or other words")
    for note in found["notes"]:
        print(f"note: {note}")


def _graphs() -> Any:
    """Return a client of the graphs, or None while they are away: the context then says so."""
    try:
        return read._falkordb()
    except TransientError:
        return None


def _day(moment: datetime | None) -> date | None:
    return moment.date() if moment else None


def _options(filters: dict[str, Any]) -> list[str]:
    names = {"date_from": "--from", "date_to": "--to"}
    return [names.get(name, f"--{name}") for name in filters]


def _hit(row: dict[str, Any]) -> dict[str, Any]:
    name, text = row["name"] or "", row["text"] or ""
    return {
        "kind": row["kind"],
        "name": name,
        "city": row.get("city"),
        "date": row.get("local_date"),
        "text": text.removeprefix(name).lstrip(". "),  # the text of a thing begins with its name
        "score": row["score"],
    }
