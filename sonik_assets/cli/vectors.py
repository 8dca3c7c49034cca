"""`sonik vectors`: the versions of the vector tables, going back to one, and their upkeep."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonik_assets.cli import show
from sonik_assets.cli.read import Json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from resources.settings import Settings

TableName = Annotated[str, typer.Argument(help="entities, events, content or concepts.")]
Erase = Annotated[bool, typer.Option("--erase", help="Leave nothing on the disk but the present rows.")]


def register(app: typer.Typer) -> None:
    """Add the group."""
    group = typer.Typer(no_args_is_help=True, help="Versions and upkeep of the vector tables.")
    group.command("versions")(versions)
    group.command("restore")(restore)
    group.command("upkeep")(upkeep)
    app.add_typer(group, name="vectors")


def versions(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables; all without any.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """List the versions that runs left in the last week, newest first."""
    from resources.settings import Settings
    from resources.stores import lance_versions
    from sonik_assets.vectors.upkeep import existing

    settings = Settings.from_env()
    rows: list[dict[str, Any]] = [
        {"table": name, **version._asdict()}
        for name in _named(settings, tables or ())
        for version in lance_versions.versions(existing(settings, name))
    ]
    if as_json:
        show.as_json(rows)
        return
    show.table("versions", rows, empty="no run has left a version yet: `sonik run`")
    if rows:
        print("Go back to one with `sonik vectors restore TABLE TAG`.")


def restore(table: TableName, tag: Annotated[str, typer.Argument(help="As `versions` lists it.")]) -> None:
    """Make the rows of an earlier run the present ones. The next run brings the table up to date again."""
    from resources import embedded
    from resources.settings import Settings
    from sonik_assets.vectors.upkeep import go_back

    settings = Settings.from_env()
    (name,) = _named(settings, [table])
    rows = go_back(settings, embedded.endpoints(settings).postgres, name, tag)
    print(
        f"{name} is as {tag} left it: {rows:,} rows. The next run compares it with PostgreSQL and brings it up to date;"
    )
    print("to keep it, turn the sensors `change_feed` and `follow` off in Dagster.")


def upkeep(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables; all without any.")] = None, *, erase: Erase = False
) -> None:
    """Bring indexes up to date and remove old versions, as every night."""
    from dataclasses import asdict

    from resources import embedded
    from resources.settings import Settings
    from sonik_assets.vectors import upkeep as keeping

    settings = Settings.from_env()
    keep = keeping.erase_deleted if erase else keeping.upkeep
    postgres = embedded.endpoints(settings).postgres
    show.table("upkeep", [asdict(keep(settings, postgres, name)) for name in _named(settings, tables or ())], empty="")
    print(f"{keeping.sweep(settings, postgres, at_once=erase):,} vectors of texts that no table has were removed.")


def _named(settings: "Settings", tables: "Sequence[str]") -> list[str]:
    """Return these tables, or all that there are; raises TerminalError for an unknown one."""
    from resources.errors import TerminalError
    from resources.stores import lancedb
    from sonik_assets.vectors.documents import TABLES

    if unknown := [name for name in tables if name not in TABLES]:
        raise TerminalError(f"there is no vector table {unknown[0]!r}: {', '.join(TABLES)}")
    if tables:
        return list(tables)
    there = set(lancedb.table_names(lancedb.connect(settings.lancedb_uri)))
    return [name for name in TABLES if name in there]
