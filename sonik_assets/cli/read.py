"""The commands that answer questions: entity show, whatson, search, path, leads, query.

They print what `sonik_assets.serving` returns, as a table or with --json, and decide nothing.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resources.errors import TerminalError
from resources.settings import Settings
from sonik_assets.cli import show

if TYPE_CHECKING:
    from falkordb import FalkorDB
    from psycopg import Connection

    from resources.embedded import Endpoints

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Limit = Annotated[int, typer.Option(help="At most so many rows.", min=1, max=1000)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    entity = typer.Typer(no_args_is_help=True, help="People, venues, organizations, artists, brands, events.")
    entity.command("show")(entity_show)
    app.add_typer(entity, name="entity")
    app.command("whatson")(whatson)
    app.command("search")(search)
    app.command("path")(path)
    app.command("leads")(leads)
    app.command("query")(query)


def entity_show(id: Annotated[str, typer.Argument(help="An id, or a name.")], *, as_json: Json = False) -> None:
    """Show an entity and the source records behind it; the id of a merged one leads to its successor."""
    from sonik_assets.serving import entities

    with _postgres() as pg:
        found = entities.show(pg, id)
    if as_json:
        show.as_json(found)
        return
    records, merged = found.pop("records"), found.pop("merged_from")
    attributes = found.pop("metadata") or {}
    show.pairs(found["name"], {**found, **attributes})
    show.table("source records", records, empty="no source record names this entity")
    if merged:
        show.table("merged into it", merged, empty="")


def whatson(
    city: Annotated[str | None, typer.Option(help="City, accents and case do not matter.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First local date; default today.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last local date.")] = None,
    limit: Limit = 50,
    *,
    as_json: Json = False,
) -> None:
    """List events by city and local date."""
    from sonik_assets.serving import events

    since = first.date() if first else datetime.now().astimezone().date()
    with _postgres() as pg:
        rows = events.whats_on(pg, city=city, first=since, last=last.date() if last else None, limit=limit)
        hint = "" if rows else _elsewhen(*events.extent(pg))
    columns = (
        "local_date",
        "event_name",
        "venue_name",
        "city",
        "artists",
        "price_min",
        "currency",
        "event_id",
    )
    show.rows("what's on", rows, columns=columns, empty=f"nothing on; {hint}", json=as_json)


def _elsewhen(first: date | None, last: date | None, cities: list[str]) -> str:
    if first is None:
        return "there are no events at all: run `sonik run`"
    return f"events are known from {first} to {last}, most in {', '.join(cities)}: try --from {first}"


def search(
    text: Annotated[str, typer.Argument(help="What you look for, in your words.")],
    city: Annotated[str | None, typer.Option(help="Only in this city.")] = None,
    limit: Limit = 10,
    *,
    as_json: Json = False,
) -> None:
    """Search entities, events, articles and concepts by words and by meaning."""
    from sonik_assets.serving.search import search as find

    rows = find(Settings.from_env(), text, city=city, limit=limit)
    empty = f"nothing found for {text!r}; try fewer or other words" + (", or no --city" if city else "")
    columns = ("kind", "name", "city", "local_date", "text", "score", "id")
    show.rows(f"search: {text}", rows, columns=columns, empty=empty, json=as_json)


def path(
    start: Annotated[str, typer.Argument(metavar="FROM", help="An id or a name.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="An id or a name.")],
    *,
    as_json: Json = False,
) -> None:
    """Show the shortest connection between two entities, and why each step holds."""
    rows = _ask("warm_introduction", {"from": start, "to": end})
    columns = ("why", "type", "weight", "source", "to_label", "to_id")
    empty = f"no connection of at most six steps from {start!r} to {end!r}; try a venue or an organizer instead"
    show.rows(f"{start} to {end}: {len(rows)} steps", rows, columns=columns, empty=empty, json=as_json)


def leads(limit: Limit = 20, *, as_json: Json = False) -> None:
    """List the organizers worth calling, with what to tell them."""
    from sonik_assets.serving import leads as serving

    with _postgres() as pg:
        rows = serving.leads(pg, limit=limit)
    columns = ("name", "sentence", "contact_name", "contact_email", "crm_stage", "claim_status", "score")
    show.rows("leads", rows, columns=columns, empty="no organizer yet: run `sonik run`", json=as_json)


def query(
    name: Annotated[str, typer.Argument(help="A query's name; without it they are listed.")] = "",
    param: Annotated[list[str] | None, typer.Option(help="name=value; a thing by its id or name.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Ask the graph a named question."""
    if not name:
        _list_queries(as_json=as_json)
        return
    given = dict(_parameter(text) for text in param or [])
    rows = _ask(name, given)
    show.rows(name, rows, columns=None, empty="no rows; try another parameter, or `sonik query`", json=as_json)


def _list_queries(*, as_json: bool) -> None:
    from sonik_assets.serving.catalogue import catalogue

    rows = [
        {"name": each.name, "graph": each.graph, "answers": each.answers, "example": each.example}
        for each in catalogue().values()
    ]
    show.rows("queries", rows, columns=None, empty="", json=as_json)


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TerminalError(f"--param {text!r} must be name=value")
    return name, value


def _ask(name: str, given: dict[str, str]) -> list[dict[str, Any]]:
    from sonik_assets.serving import graph

    with _postgres() as pg:
        return graph.query(pg, _falkordb(), name, given)


@contextmanager
def _postgres() -> Iterator["Connection[Any]"]:
    from psycopg import errors

    from resources.stores import postgres

    try:
        with postgres.connect(_endpoints().postgres) as connection:
            yield connection
    except (errors.UndefinedTable, errors.InvalidSchemaName) as error:
        raise TerminalError("there is no data yet: run `sonik run` first") from error


def _falkordb() -> "FalkorDB":
    from resources.stores import falkordb

    return falkordb.connect(_endpoints().falkordb)


def _endpoints() -> "Endpoints":
    from resources import embedded

    return embedded.endpoints(Settings.from_env())
