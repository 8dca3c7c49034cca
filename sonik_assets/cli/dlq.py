"""The commands about dead letters: dlq list, dlq replay. What a letter is, `sonik_assets.raw` knows."""

import json
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import typer

from resources.errors import TerminalError
from resources.settings import Settings
from sonik_assets.cli import read, show


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Dead letters: records that broke the contract.")
    group.command("list")(list_letters)
    group.command("replay")(replay_letters)
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


def replay_letters(
    ids: Annotated[
        list[UUID] | None, typer.Argument(help="Letters, as `dlq list --json` names them; default all.")
    ] = None,
    source: Annotated[str | None, typer.Option(help="Only of this source, as scraper.")] = None,
    table: Annotated[str | None, typer.Option(help="Only of this table, as event_listings.")] = None,
    repaired: Annotated[
        Path | None, typer.Option("--with", help="NDJSON of repaired records: {id, payload}, as `dlq list --json`.")
    ] = None,
) -> None:
    """Judge dead letters again and load those that are good now: after a contract was corrected, or with repairs."""
    from sonik_assets.cli import loading
    from sonik_assets.raw import replay

    mended = _repaired(repaired) if repaired else None
    wanted = ids or ([UUID(id) for id in mended] if mended else None)
    load_id = loading.new_id()
    with read.postgres() as pg:
        done = replay.letters(Settings.from_env(), pg, load_id, ids=wanted, source=source, table=table, repaired=mended)
        loading.tell(pg, load_id, list(done))
    if not done:
        print("nothing to replay: `sonik dlq list` shows what waits")
        return
    for relation, counts in done.items():
        print(
            f"{relation}: {counts.read:,} good now ({counts.written:,} rows changed), {counts.rejected:,} still refused"
        )
    if any(counts.written for counts in done.values()):
        print(loading.NEXT)


def _repaired(path: Path) -> dict[str, str]:
    """Return letter id -> record of a file of repairs."""
    found = {}
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            row = json.loads(line)
            payload = row["payload"]
            found[str(UUID(row["id"]))] = payload if isinstance(payload, str) else json.dumps(payload)
        except (ValueError, KeyError, TypeError) as error:
            raise TerminalError(
                f"{path}:{number} is no repair {{id, payload}}: {error}; nothing was replayed"
            ) from error
    return found


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
