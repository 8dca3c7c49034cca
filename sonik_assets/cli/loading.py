"""The commands that load without a run: lake replay, reconcile, circuit close; and how Dagster hears of it."""

import os
import uuid
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resources.errors import TerminalError
from resources.settings import Settings
from sonik_assets.cli import read

if TYPE_CHECKING:
    import psycopg

    from resources.sources.catalogue import SourceTable

NEXT = "next: the daemon of `sonik ui` takes the change on, or `sonik run` does it now"
Table = Annotated[str, typer.Argument(help="As directus.venues.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    lake = typer.Typer(no_args_is_help=True, help="The lake: every extract as it was read.")
    lake.command("replay")(replay_lake)
    app.add_typer(lake, name="lake")
    app.command("reconcile")(reconcile)
    circuit = typer.Typer(no_args_is_help=True, help="Circuit breakers: which sources are left alone, and why.")
    circuit.command("close")(close_circuit)
    app.add_typer(circuit, name="circuit")


def replay_lake(
    table: Table,
    partitions: Annotated[str | None, typer.Option(help="Days FROM..TO (UTC); all by default.")] = None,
) -> None:
    """Load a table's days from the lake again, without asking the source."""
    from sonik_assets.cli.days import parse
    from sonik_assets.partitions import FIRST_DAY
    from sonik_assets.raw import replay

    source = _table(table)
    days = parse(partitions) if partitions else (FIRST_DAY, date.max.isoformat())
    first, last = (None if days[0] == FIRST_DAY else date.fromisoformat(days[0])), date.fromisoformat(days[1])
    load_id = new_id()
    with read.postgres() as pg:
        counts = replay.lake_days(Settings.from_env(), pg, source, (first, last), load_id)
        tell(pg, load_id, [source.relation])
    print(
        f"{source.relation}: {counts.read:,} rows of the lake, {counts.written:,} changed, {counts.rejected:,} refused"
    )
    if counts.written:
        print(NEXT)


def reconcile(
    tables: Annotated[list[str] | None, typer.Argument(help="As directus.venues; default all that are live.")] = None,
    *,
    acknowledge: Annotated[bool, typer.Option(help="Delete even more than the guard allows.")] = False,
) -> None:
    """Compare all ids of live sources with ours: delete what they lack, read what we lack."""
    from resources import sources
    from resources.sources.catalogue import TABLES
    from sonik_assets.raw import extract

    settings = Settings.from_env()
    wanted = [_table(name) for name in tables] if tables else [t for t in TABLES if sources.live(settings, t)]
    if not wanted:
        raise TerminalError("no source is read live: set DIRECTUS_URL, TWENTY_URL or MONGO_URL (see .env.example)")
    load_id = new_id()
    with read.postgres() as pg:
        for source in wanted:
            counts = extract.reconcile(settings, pg, source, load_id, acknowledged=acknowledge)
            unread = f", {counts.unread:,} never read: backfill their days" if counts.unread else ""
            print(f"{source.relation}: {counts.gone:,} deleted, {counts.read - counts.gone:,} read again{unread}")
            tell(pg, load_id, [source.relation])
    print(NEXT)


def close_circuit(source: Annotated[str, typer.Argument(help="As directus.")]) -> None:
    """Let a source be asked again at once."""
    from sonik_assets.raw import circuit

    with read.postgres() as pg:
        closed = circuit.close(pg, source)
    print(f"{source} is asked again" if closed else f"{source} had not failed: `sonik doctor` shows every circuit")


def new_id() -> str:
    """Return the id of a load outside of Dagster's runs."""
    return f"load-{uuid.uuid4()}"


def tell(connection: "psycopg.Connection[Any]", load_id: str, relations: list[str]) -> None:
    """Tell Dagster which partitions the load changed, so that automation takes the change on."""
    import dagster as dg

    from resources import embedded
    from resources.sources.catalogue import table
    from sonik_assets.cli.servers import variables
    from sonik_assets.partitions import clamp
    from sonik_assets.raw import replay
    from sonik_assets.runs import open_instance

    settings = Settings.from_env()
    os.environ |= variables(settings, embedded.endpoints(settings).dagster_postgres)
    with open_instance() as instance:
        for relation in relations:
            days = {clamp(day) for day in replay.days_of(connection, table(relation), load_id)}
            for day in sorted(days):
                version = {"dagster/data_version": load_id}
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(relation.split("."), partition=day, tags=version)
                )


def _table(name: str) -> "SourceTable":
    from resources.sources.catalogue import TABLES, table

    try:
        return table(name)
    except KeyError as error:
        known = ", ".join(f"{each.source}.{each.name}" for each in TABLES)
        raise typer.BadParameter(f"no table {name}; there are {known}") from error
