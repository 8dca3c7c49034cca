"""`sonik demo` and `sonik run`: the whole platform over a folder of exports, with progress and a report."""

import json
import os
import time
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated, Any

import typer

from resources.errors import SonikError, TerminalError
from resources.settings import Settings
from sonik_assets.cli import days

Exports = Annotated[Path | None, typer.Option(help="Folder of exports; SONIK_EXPORTS or sample_data by default.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(demo)
    app.command(name="run")(run_range)


def demo(exports: Exports = None) -> None:
    """Run every stage over all days of the exports, then show what came of it."""
    settings = _settings(exports)
    from resources.sources import exports as folder

    if not settings.any_live:
        folder.check_folder(settings.exports)
    report = _run(settings, days.every(settings))
    from sonik_assets.cli import demo_table

    path = settings.home / "demo_report.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    demo_table.show(report, path)
    _stop_on_failure(report)


def run_range(
    exports: Exports = None,
    partitions: Annotated[str | None, typer.Option(help="Days FROM..TO (UTC); all by default.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Run every stage over a range of days, in one run."""
    settings = _settings(exports)
    from resources.sources import exports as folder

    if not settings.any_live:
        folder.check_folder(settings.exports)
    report = _run(settings, days.parse(partitions) if partitions else days.every(settings))
    from sonik_assets.cli import demo_table

    if as_json:
        typer.echo(json.dumps(report, indent=2))
    else:
        demo_table.show(report, None)
    _stop_on_failure(report)


def _settings(exports: Path | None) -> Settings:
    if exports:
        # The run's steps read the environment, in this process and in others.
        os.environ["SONIK_EXPORTS"] = str(exports.absolute())
    return Settings.from_env()


def _run(settings: Settings, span: tuple[str, str]) -> dict[str, Any]:
    from rich.console import Console

    from resources import embedded
    from resources.stores import falkordb, postgres
    from sonik_assets.cli.servers import variables

    console, started = Console(stderr=True, highlight=False), time.monotonic()
    console.print(f"[bold]sonik[/] {_read_from(settings)}, days {span[0]} to {span[1]}")
    endpoints = embedded.up(settings)
    os.environ |= variables(settings, endpoints.dagster_postgres)
    Path(os.environ["SONIK_DAGSTER_FILES"]).mkdir(parents=True, exist_ok=True)
    console.print(
        f"  [cyan]{'servers':<9}[/] PostgreSQL, FalkorDB and Redis are up ({time.monotonic() - started:.1f} s)"
    )
    from sonik_assets import report, runs
    from sonik_assets.cli.progress import Progress

    with postgres.connect(endpoints.postgres) as connection:
        since = report.mark(connection)
    log = settings.home / "logs" / "run.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with runs.open_instance() as instance, log.open("w") as file, redirect_stdout(file), Progress(console) as progress:
        outcome = runs.run(span, progress.step, instance=instance)  # dbt's own lines go to the log
    if not outcome.success and not outcome.metadata.get("unified/entities"):
        raise TerminalError(_why(outcome.reasons, log))
    with postgres.connect(endpoints.postgres) as connection:
        found = report.report(settings, connection, falkordb.connect(endpoints.falkordb), outcome, since)
    return {**found, "days": list(span), "seconds": round(time.monotonic() - started, 2)}


def _why(reasons: str, log: Path) -> str:
    if "no_unacknowledged_upheaval" in reasons:
        return (
            "the run is held, and wrote nothing of identity: it would change too much;"
            " `sonik identity held` shows what: mend the source, or let it through with `sonik identity acknowledge`"
        )
    return f"the run failed: {reasons}; nothing was half-written: mend the cause and run again (dbt's log: {log})"


def _read_from(settings: Settings) -> str:
    live = [
        name
        for name, given in (
            ("Directus", settings.directus_url),
            ("Twenty", settings.twenty_url),
            ("MongoDB", settings.mongo_url),
            ("the landing zone", settings.landing_uri),
            ("Kafka", settings.kafka_servers),
        )
        if given
    ]
    return ", ".join([*live, str(settings.exports)])


def _stop_on_failure(report: dict[str, Any]) -> None:
    if report["failed_checks"]:
        raise SonikError(f"checks failed: {', '.join(report['failed_checks'])}; open them with `sonik ui`")
    if not report["success"]:
        raise SonikError(f"the run failed: {report['failures']}; mend the cause and run again")
