"""The commands about servers: up, down, status, doctor, env, ui.

What they do is in `resources.embedded`; the checks of `doctor` are in `sonik_assets.cli.health`.
"""

import json
import shlex
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resources.settings import ROOT, Settings

if TYPE_CHECKING:
    from resources import embedded


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (up, down, status, doctor, env, ui):
        app.command()(command)


def up() -> None:
    """Start the embedded servers that are not running, and create the databases."""
    from resources import embedded

    settings = Settings.from_env()
    embedded.up(settings)
    _print_status(embedded.status(settings))


def down(*, delete: Annotated[bool, typer.Option("--delete", help="Delete the servers' data too.")] = False) -> None:
    """Stop the embedded servers; the data stays, unless you say otherwise."""
    from resources import embedded

    settings = Settings.from_env()
    if delete:
        embedded.delete(settings)
    else:
        embedded.down(settings)
    print(f"stopped; the servers' data in {settings.home} is {'deleted' if delete else 'kept'}")


def status(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """Show every server and what the stores hold. Exit code 1 if a server does not run."""
    from resources import embedded

    settings = Settings.from_env()
    found = embedded.status(settings)
    up = all(server.running for server in found)
    holds = _contents(settings) if up else None
    if as_json:
        servers = [asdict(server) for server in found]
        print(json.dumps({"home": str(settings.home), "servers": servers, "contents": holds}, indent=2))
    else:
        _print_status(found)
        print(_summary(holds) if up else "start them with `sonik up`")
    if not up:
        raise typer.Exit(1)


def _contents(settings: Settings) -> dict[str, Any] | None:
    """Return what the stores hold; None before the first run."""
    import psycopg

    from resources import embedded
    from resources.stores import falkordb, postgres
    from sonik_assets.contents import contents

    endpoints = embedded.endpoints(settings)
    with postgres.connect(endpoints.postgres) as connection:
        try:
            return contents(settings, connection, falkordb.connect(endpoints.falkordb))
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return None


def _summary(holds: dict[str, Any] | None) -> str:
    if holds is None:
        return "nothing has run yet: try `sonik demo`"
    graph = holds["graph"]
    return (
        f"{sum(holds['entities'].values()):,} entities, {graph['nodes']:,} nodes and {graph['edges']:,} edges, "
        f"{sum(holds['vectors'].values()):,} vectors, {holds['dead_letters']:,} dead letters; "
        f"sources last read {holds['last_extract'] or 'never'}"
    )


def doctor() -> None:
    """Check what sonik needs on this machine, and say how to fix what is missing."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from sonik_assets.cli.health import examine

    table = Table("", "check", box=box.SIMPLE)
    for column in ("found", "fix"):
        table.add_column(column, overflow="fold")
    findings = examine(Settings.from_env())
    for each in findings:
        table.add_row("ok" if each.ok else "FAIL", each.name, each.found, "" if each.ok else each.fix)
    Console().print(table)
    if not all(each.ok for each in findings):
        raise typer.Exit(1)


def env() -> None:
    """Start the servers and print the variables that `dagster` and `dbt` need: eval "$(sonik env)"."""
    from resources import embedded
    from sonik_assets.unified import dbt

    settings = Settings.from_env()
    found = embedded.up(settings)
    needed = variables(settings, found.dagster_postgres) | dbt.by_hand(found.postgres, settings.home)
    for name, value in needed.items():
        print(f"export {name}={shlex.quote(value)}")
    # For `dagster asset list` and the like, which read no workspace.yaml.
    print("export DAGSTER_MODULE_NAME=sonik_assets.definitions")
    print(f'export PATH={shlex.quote(str(Path(sys.executable).parent))}:"$PATH"')


def ui(
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.", min=1, max=65535)] = 3000,
) -> None:
    """Serve the Dagster UI and run its daemon until Ctrl-C; the servers stay up."""
    from resources import embedded
    from sonik_assets.cli import dagster_processes

    settings = Settings.from_env()
    found = embedded.up(settings)
    code = dagster_processes.run(port, variables(settings, found.dagster_postgres))
    raise typer.Exit(code)


def variables(settings: Settings, dagster_postgres: str) -> dict[str, str]:
    """Return what dagster.yaml and the code need in the environment, all paths absolute."""
    return {
        "DAGSTER_HOME": str(ROOT),
        "SONIK_HOME": str(settings.home),
        "SONIK_DAGSTER_POSTGRES_URL": dagster_postgres,
        "SONIK_DAGSTER_FILES": str(settings.home / "dagster"),
    }


def _print_status(servers: list["embedded.ServerStatus"]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("server", "state", "version", "pid", box=box.SIMPLE)
    table.add_column("where", overflow="fold")
    for server in servers:
        state = "running" if server.running else "down"
        kind = "embedded" if server.embedded else "given"
        where = f"{kind}: {server.url}"
        table.add_row(server.name, state, server.version or "", str(server.pid or ""), where)
    Console().print(table)
