"""The commands about dead letters: dlq list. What a letter is, `sonik_assets.raw.dead_letters` knows."""

from typing import Annotated, Any

import typer

from sonik_assets.cli import read, show


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Dead letters: records that broke the contract.")
    group.command("list")(list_letters)
    app.add_typer(group, name="dlq")


def list_letters(
    source: Annotated[str | None, typer.Option(help="Only of this source, as scraper.")] = None,
    table: Annotated[str | None, typer.Option(help="Only of this table, as event_listings.")] = None,
    limit: read.Limit = 20,
    *,
    as_json: read.Json = False,
) -> None:
    """List dead letters, the newest first: what is wrong, and in which line of which file."""
    from sonik_assets.raw import dead_letters

    with read.postgres() as pg:
        letters = dead_letters.newest(pg, source=source, table=table, limit=limit)
        counts = dead_letters.by_table(pg, source=source, table=table)
    if as_json:
        show.as_json(letters)
        return
    show.table("dead letters", [_letter(row) for row in letters], empty=_none(source, table), wrap={"reason and where"})
    if letters:
        print(_summary(counts, len(letters)))


def _letter(row: dict[str, Any]) -> dict[str, Any]:
    where, _, reason = row["reason"].partition(": ")
    replayed = f" (replayed {row['replayed_at']:%Y-%m-%d})" if row["replayed_at"] else ""
    text = f"{row['source']}.{row['table_name']}: {reason or where}{replayed}"
    return {"failed": row["failed_at"].date(), "reason and where": f"{text}\n{where}" if reason else text}


def _none(source: str | None, table: str | None) -> str:
    wanted = " ".join(f"--{name} {value}" for name, value in (("source", source), ("table", table)) if value)
    return f"no dead letters for {wanted}; try without" if wanted else "no dead letters: every record was readable"


def _summary(counts: list[dict[str, Any]], shown: int) -> str:
    total = sum(row["letters"] for row in counts)
    more = f"  ... and {total - shown:,} more: --limit\n\n" if total > shown else ""
    tables = ", ".join(f"{row['source']}.{row['table_name']} {row['letters']:,}" for row in counts)
    return f"{more}{total:,} in all: {tables}"
