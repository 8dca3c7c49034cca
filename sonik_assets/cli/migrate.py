"""The command that moves a database from an older PostgreSQL to a newer one: migrate-postgres.

It shows what `resources.migration` reports and does, and decides nothing.
"""

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonik_assets.cli import show

if TYPE_CHECKING:
    from resources.migration.move import Outcome, Stage
    from resources.migration.report import Report

From = Annotated[
    str, typer.Option("--from", envvar="SONIK_MIGRATE_FROM", help="URL of the older database; it is only read.")
]
To = Annotated[str, typer.Option("--to", envvar="SONIK_MIGRATE_TO", help="URL of the new one; made where missing.")]
Jobs = Annotated[int, typer.Option(help="So many sessions copy at once.", min=1, max=64)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for programs; progress goes nowhere.")]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("migrate-postgres")(migrate_postgres)


def migrate_postgres(
    source: From,
    target: To,
    jobs: Jobs = 2,
    *,
    check: Annotated[bool, typer.Option("--check", help="Only report what is in the way.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Only compare rows after a move.")] = False,
    create_roles: Annotated[
        bool, typer.Option("--create-roles", help="Create missing roles, without passwords.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Move a database from PostgreSQL 15 to 17 into 18, verified row by row. The same command goes on after a stop."""
    if check and verify:
        raise typer.BadParameter("choose one of --check and --verify")
    if check:
        _check(source, target, as_json=as_json)
    elif verify:
        _verify(source, target, jobs, as_json=as_json)
    else:
        _move(source, target, jobs, create_roles=create_roles, as_json=as_json)


def _check(source: str, target: str, *, as_json: bool) -> None:
    from resources.migration import report

    found = report.check(source, target)
    if as_json:
        show.as_json(_report(found))
    else:
        _print_report(found)
        print(_verdict(found))
    if found.blocked:
        raise typer.Exit(1)


def _report(found: "Report") -> dict[str, Any]:
    findings = [
        {"severity": str(each.severity), "area": each.area, "found": each.found, "fix": each.fix}
        for each in found.findings
    ]
    servers = {
        side: {"url": each.name, "version": each.version}
        for side, each in (("source", found.source), ("target", found.target))
    }
    return {**servers, "blocked": bool(found.blocked), "findings": findings}


def _print_report(found: "Report") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table("", "area", box=box.SIMPLE)
    for column in ("found", "what to do"):
        table.add_column(column, overflow="fold")
    order = ("blocks", "warns", "notes")
    for each in sorted(found.findings, key=lambda finding: order.index(finding.severity)):
        table.add_row(str(each.severity), each.area, each.found, each.fix)
    Console(markup=False, highlight=False).print(table)


def _verdict(found: "Report") -> str:
    if found.blocked:
        return f"blocked by {len(found.blocked)}: put that right, then run --check again"
    return "nothing is in the way: run the same command without --check (stop writing to the source before)"


def _move(source: str, target: str, jobs: int, *, create_roles: bool, as_json: bool) -> None:
    from resources.migration.move import move

    with _Shown(quiet=as_json) as shown:
        done = move(source, target, jobs=jobs, create_roles=create_roles, tell=shown.tell)
    if as_json:
        show.as_json(_outcome(done))
    else:
        print(_next(done))


def _outcome(done: "Outcome") -> dict[str, Any]:
    stages = [{"stage": each.name, "seconds": round(each.seconds, 3), "said": each.said} for each in done.stages]
    return {
        "source": done.source.name,
        "target": done.target.name,
        "resumed": done.resumed,
        "tables": done.tables,
        "rows": done.rows,
        "copied": done.copied,
        "repaired": done.repaired,
        "stages": stages,
    }


def _next(done: "Outcome") -> str:
    from resources.migration.findings import counted

    moved = f"{counted(done.rows, 'row')} in {counted(done.tables, 'table')}"
    return (
        f"moved and verified: {moved} from PostgreSQL {done.source.major} to "
        f"{done.target.major}\nnext: point programs to {done.target.name} (SONIK_POSTGRES_URL), set the passwords of "
        "roles there, and keep the old server until they work; what was written to it since the move began is not "
        "in the new one (--verify tells)"
    )


def _verify(source: str, target: str, jobs: int, *, as_json: bool) -> None:
    from resources.migration.findings import counted
    from resources.migration.move import verify_only

    with _Shown(quiet=as_json) as shown:
        compared, differences = verify_only(source, target, jobs=jobs, tell=shown.tell)
    if as_json:
        tables = [
            {"table": each.unit.label, "source_rows": each.source.rows, "target_rows": each.target.rows,
             "same": each.same}
            for each in compared
        ]  # fmt: skip
        show.as_json({"same": not differences, "differences": differences, "tables": tables})
    elif differences:
        print("\n".join(differences))
    else:
        rows = sum(each.source.rows for each in compared)
        print(f"all is the same: {counted(rows, 'row')} in {counted(len(compared), 'table')}")
    if differences:
        raise typer.Exit(1)


class _Shown:
    """Progress on stderr: on a terminal a live line for the stage at work; everywhere one line a finished stage."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.status import Status

        self.console = Console(file=sys.stderr, quiet=quiet, highlight=False)
        self.status = Status("starting", console=self.console)

    def __enter__(self) -> "_Shown":
        self.status.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.status.stop()

    def tell(self, stage: "Stage") -> None:
        """Take a stage's beginning, advance or end."""
        from rich.markup import escape

        if stage.said:
            rows = f"{stage.done:>11,} rows" if stage.done else " " * 16
            self.console.print(
                f"  [cyan]{stage.name:<8}[/] {rows} {stage.seconds:7.1f} s  {escape(stage.said)}", soft_wrap=True
            )
        elif stage.total:
            self.status.update(f"{stage.name}: {stage.done:,} of about {stage.total:,} rows")
        else:
            self.status.update(stage.name)
