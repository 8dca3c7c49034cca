"""The commands that answer questions: entity show, whatson, path, leads, query.

They print what `sonik_assets.serving` returns, and decide nothing: with --json all of it, as a table what a
person reads, so without ids, which no row of a table has room for.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
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
    from sonik_assets.serving.asking import Answer
    from sonik_assets.serving.catalogue import Query
    from sonik_assets.serving.events import Near

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
MOST = 1000
Limit = Annotated[int, typer.Option(help="At most so many rows.", min=1, max=MOST)]
AsScope = Annotated[str, typer.Option("--scope", help="For whom: staff, agent or an organization's uuid.")]
RECORDS_SHOWN = 15
LEADING = ("entity_type", "id", "canonical_id", "canonical_scheme", "claim_status", "claimed_by", "category", "genres")
"""The attributes of an entity that are shown first; times are shown last, the others by name, places together."""
PLACE = ("address", "city", "country", "latitude", "longitude")
TIMES = ("first_seen_at", "updated_at")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("whatson")(whatson)
    app.command("path")(path)
    app.command("leads")(leads)
    app.command("query")(query)


def entity_show(id: Annotated[str, typer.Argument(help="An id, or a name.")], *, as_json: Json = False) -> None:
    """Show an entity and the source records behind it; the id of a merged one leads to its successor."""
    from sonik_assets.serving import entities

    with postgres() as pg:
        found = entities.show(pg, id)
    if as_json:
        show.as_json(found)
        return
    records = [_part(row, "source", "table_name", "record_id", "linked_by") for row in found["records"]]
    show.pairs(found["name"], _attributes(found), _origins(found))
    show.table("source records", records, empty="no source record names this entity", limit=RECORDS_SHOWN)
    if found["merged_from"]:
        show.table("merged into it", found["merged_from"], empty="")


def _attributes(entity: dict[str, Any]) -> dict[str, Any]:
    """Return an entity's attributes in the order a person looks for them."""
    own = {name: value for name, value in entity.items() if name not in ("name", "metadata", "records", "merged_from")}
    every = {**own, **(entity["metadata"] or {})}
    every.pop("provenance", None)
    others = sorted(every.keys() - {*LEADING, *PLACE, *TIMES})
    return {name: every[name] for name in (*LEADING, *PLACE, *others, *TIMES) if name in every}


def _origins(entity: dict[str, Any]) -> dict[str, str]:
    """Return the source that each attribute's value survived from."""
    provenance = (entity["metadata"] or {}).get("provenance", {})
    found = {name: str(origin["source"]) for name, origin in provenance.items()}
    where = found.pop("coordinates", None)
    return {**found, "latitude": where, "longitude": where} if where else found


def _part(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: row[name] for name in names}


def whatson(
    city: Annotated[str | None, typer.Option(help="City, accents and case do not matter.")] = None,
    first: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First local date; default today.")
    ] = None,
    last: Annotated[datetime | None, typer.Option("--to", formats=["%Y-%m-%d"], help="Last local date.")] = None,
    genre: Annotated[str | None, typer.Option(help="Only of this genre.")] = None,
    near: Annotated[str | None, typer.Option(metavar="LAT,LON", help="Only around this place, in degrees.")] = None,
    km: Annotated[float, typer.Option(help="How far around it.", min=0.1, max=500)] = 10,
    limit: Limit = 20,
    *,
    as_json: Json = False,
) -> None:
    """List events by city, place, genre and local date."""
    from sonik_assets.serving import events

    since = first.date() if first else datetime.now().astimezone().date()
    # A table says how many more --limit can show.
    most = limit if as_json else MOST
    with postgres() as pg:
        until, around = last.date() if last else None, _around(near, km)
        rows = events.whats_on(pg, city=city, first=since, last=until, limit=most, genre=genre, near=around)
        hint = "" if rows else _elsewhen(*events.extent(pg))
    if as_json:
        show.as_json(rows)
        return
    shown = [_event(row, with_city=not city) for row in rows]
    empty = f"nothing on; {hint}"
    show.table("what's on", shown, empty=empty, first="event", spare={"artists"}, limit=limit, more="--limit")


def _around(near: str | None, km: float) -> "Near | None":
    """Return the circle that is asked for; wrong usage where the text is no place on earth."""
    from sonik_assets.serving.events import Near

    if near is None:
        return None
    try:
        latitude, longitude = map(float, near.split(","))
    except ValueError:
        raise typer.BadParameter(f"{near!r} is not LAT,LON: give degrees as in --near 6.25,-75.57") from None
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise typer.BadParameter(f"{near} is no place on earth: latitude goes to 90, longitude to 180 degrees")
    return Near(latitude, longitude, km)


def _event(row: dict[str, Any], *, with_city: bool) -> dict[str, Any]:
    return {
        "date": row["local_date"],
        "event": row["event_name"],
        "venue": row["venue_name"],
        **({"city": row["city"]} if with_city else {}),
        "artists": row["artists"],
        **({"km": round(row["distance_km"], 1)} if "distance_km" in row else {}),
        "price from": show.money(row["price_min"], row["currency"]),
    }


def _elsewhen(first: date | None, last: date | None, cities: list[str]) -> str:
    if first is None:
        return "there are no events at all: run `sonik run`"
    return f"events are known from {first} to {last}, most in {', '.join(cities)}: try --from {first}"


def path(
    start: Annotated[str, typer.Argument(metavar="FROM", help="An id or a name.")],
    end: Annotated[str, typer.Argument(metavar="TO", help="An id or a name.")],
    half_life: Annotated[str, typer.Option(help="After so many days a tie counts half.")] = "never",
    scope: AsScope = "staff",
    *,
    as_json: Json = False,
) -> None:
    """Show the shortest connection between two entities, the strongest of several, and why each step holds."""
    answer = _ask("warm_introduction", {"from": start, "to": end, "half_life_days": half_life}, scope)
    rows = answer.rows
    if as_json:
        show.as_json(rows)
        return
    empty = f"no connection of at most six steps from {start!r} to {end!r}; try a venue or an organizer instead"
    steps = [_part(row, "why", "type", "weight", "source") for row in rows]
    show.table(f"{start} to {end}: {len(rows)} steps", steps, empty=empty, wrap={"why"}, spare={"source"})
    _noted(answer)


def leads(limit: Limit = 20, *, as_json: Json = False) -> None:
    """List the organizers worth calling, with what to tell them."""
    from sonik_assets.serving import leads as serving

    with postgres() as pg:
        rows = serving.leads(pg, limit=limit)
    if as_json:
        show.as_json(rows)
        return
    shown = [_part(row, "name", "sentence", "contact_name", "crm_stage", "score") for row in rows]
    show.table("leads", shown, empty="no organizer yet: run `sonik run`", first="name", wrap={"sentence"})


def query(
    name: Annotated[str, typer.Argument(help="A query's name; without it they are listed.")] = "",
    param: Annotated[list[str] | None, typer.Option(help="name=value; a thing by its id or name.")] = None,
    scope: AsScope = "staff",
    *,
    as_json: Json = False,
) -> None:
    """Ask the graph a named question."""
    if not name:
        _list_queries(as_json=as_json)
        return
    given = dict(_parameter(text) for text in param or [])
    answer = _ask(name, given, scope)
    if as_json:
        show.as_json(answer.rows)
        return
    shown = [{key: value for key, value in row.items() if key not in ("id", "sampled")} for row in answer.rows]
    show.table(name, shown, empty="no rows; try another parameter, or `sonik query`")
    _noted(answer)


def _list_queries(*, as_json: bool) -> None:
    from sonik_assets.serving.catalogue import catalogue

    queries = catalogue().values()
    if as_json:
        fields = ("name", "graph", "answers", "example")
        show.as_json([{field: getattr(each, field) for field in fields} | _told(each) for each in queries])
        return
    # No table: an example is there to be copied, whole.
    for each in queries:
        print(f"{each.name} ({each.graph})\n  {each.answers}\n  $ {each.example}\n")


def _told(each: "Query") -> dict[str, Any]:
    return {"scopes": sorted(each.scopes), "params": [asdict(param) for param in each.params]}


def _noted(answer: "Answer") -> None:
    for note in answer.notes:
        print(f"note: {note}")


def _parameter(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise TerminalError(f"--param {text!r} must be name=value")
    return name, value


def _ask(name: str, given: dict[str, str], scope: str) -> "Answer":
    from sonik_assets.serving import graph
    from sonik_assets.serving.scope import parse

    with postgres() as pg:
        return graph.query(pg, _falkordb(), name, given, parse(scope))


@contextmanager
def postgres() -> Iterator["Connection[Any]"]:
    """Connect for a command that reads; raises TerminalError before the first run."""
    from psycopg import errors

    from resources.stores import postgres as store

    try:
        with store.connect(_endpoints().postgres) as connection:
            yield connection
    except (errors.UndefinedTable, errors.InvalidSchemaName) as error:
        raise TerminalError("there is no data yet: run `sonik run` first") from error


def _falkordb() -> "FalkorDB":
    from resources.stores import falkordb

    return falkordb.connect(_endpoints().falkordb)


def _endpoints() -> "Endpoints":
    from resources import embedded

    return embedded.endpoints(Settings.from_env())
