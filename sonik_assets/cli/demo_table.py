"""How a run's report looks: a table by stage, the entities and edges it found, and what to try next."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

NEXT = (
    ("whatson --city Recife", "what is on, from the mart"),
    ('search "noche de salsa"', "search by words and by meaning"),
    ("ui", "the Dagster UI: lineage, checks, backfills"),
)


def show(report: dict[str, Any], path: Path | None) -> None:
    """Print the report; `path` is where it was written."""
    console = Console()
    console.print(_stages(report))
    console.print(_things(report))
    written = report["written"]
    if not any(written.values()):
        console.print("[green]Nothing changed: no row rewritten, nothing written to graph or vectors.[/]")
    else:
        console.print(
            f"Written: {written['rows']:,} rows, {written['graph_writes']:,} graph elements, "
            f"{written['lance_versions']} LanceDB versions.",
            highlight=False,
        )
    if report["identity"]:
        changes = ", ".join(f"{count:,} {kind}" for kind, count in sorted(report["identity"].items()))
        console.print(f"Entities: {changes}.", highlight=False)
    console.print(f"Dead letters: {report['dead_letters']} ([bold]{_sonik()} dlq list[/])", highlight=False)
    console.print(f"Done in {report['seconds']} s." + (f" Report: {path}" if path else ""), highlight=False)
    console.print("\nTry next:")
    for command, says in NEXT:
        console.print(f"  [bold]{_sonik() + ' ' + command:<42}[/] {says}", highlight=False)


def _sonik() -> str:
    """Return what to type: the command's name where the shell finds it, else its path from here."""
    here = Path(sys.executable).with_name("sonik")
    found = shutil.which("sonik")
    if found and Path(found).resolve() == here.resolve():
        return "sonik"
    return os.path.relpath(here) if here.is_relative_to(Path.cwd()) else str(here)


def _stages(report: dict[str, Any]) -> Table:
    table = Table(title="Stages", title_justify="left")
    table.add_column("stage")
    table.add_column("rows", justify="right")
    table.add_column("seconds", justify="right")
    for stage, figures in report["stages"].items():
        table.add_row(stage, f"{figures['rows']:,}", f"{figures['seconds']:.1f}")
    checks = report["checks"]
    colour = "red" if checks["failed"] else "green"
    table.add_section()
    table.add_row("checks", f"[{colour}]{checks['passed']} passed, {checks['failed']} failed[/]", "")
    if report["warnings"]:
        table.add_row("warnings", f"[yellow]{', '.join(report['warnings'])}[/]", "")
    return table


def _things(report: dict[str, Any]) -> Table:
    table = Table(title="One truth", title_justify="left")
    for name in ("entities", "", "graph", " ", "vectors", "  "):
        table.add_column(name, justify="left" if name.strip() else "right")
    graph = {"nodes": report["graph"]["nodes"], "edges": report["graph"]["edges"]}
    columns = [list(part.items()) for part in (report["entities"], graph, report["vectors"])]
    for row in range(max(map(len, columns))):
        cells = [column[row] if row < len(column) else ("", "") for column in columns]
        table.add_row(*(f"{text:,}" if isinstance(text, int) else text for cell in cells for text in cell))
    return table
