"""What commands that decide have in common: who decides, why, and telling what a decision did."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sonik_assets.cli import show

if TYPE_CHECKING:
    from psycopg import Connection

    from sonik_assets.identity.decisions import Done

By = Annotated[str | None, typer.Option("--by", envvar="SONIK_USER", help="Who decides; default the login name.")]
Reason = Annotated[str, typer.Option(help="Why, for those who read it later.")]

TOLD = 20
"""Changes that are told one by one: a venue takes all its events with it."""
NEXT = "next: `sonik run` takes it on to search, graph and reports"
_SAID = {
    "merged": "{old}\n  is now {new}",
    "split": "{new}\n  is split off {old}",
    "created": "{old} lives",
    "tombstoned": "{old} has no records left",
}


def who(by: str | None) -> str:
    """Return who decides: the option, its environment variable, or the login name; empty where none is known."""
    if by:
        return by
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # an account without a name, as in containers
        return ""


def tell(pg: "Connection[Any]", done: "Done", nothing: str, *, as_json: bool = False) -> None:
    """Commit and print what a decision changed, one line each, or the sentence that says why nothing did."""
    from sonik_assets.serving import identity

    pg.commit()  # told only once it is done
    if as_json:
        changes = [dict(zip(("kind", "entity_id", "new_id"), change, strict=True)) for change in done.changes]
        moves = [dict(zip(("old_id", "new_id", "records"), move, strict=True)) for move in done.moves]
        ended = [dict(zip(("event", "entity_ref", "user_id"), claim, strict=True)) for claim in done.ended]
        show.as_json({"changes": changes, "moves": moves, "entities": done.entities, "claims": ended})
        return
    told = {frozenset((old, new)) for _, old, new in done.changes}
    moved = [move for move in done.moves if frozenset(move[:2]) not in told]
    known = identity.names(pg, [id for _, *ids in done.changes for id in ids] + [id for *ids, _ in moved for id in ids])
    for kind, old, new in done.changes[:TOLD]:
        print(_SAID[kind].format(old=_one(known, old), new=_one(known, new)))
    if len(done.changes) > TOLD:
        print(f"  ... and {len(done.changes) - TOLD:,} more: `sonik entity history`")
    for one, other, count in moved[:TOLD]:
        records = "1 record goes" if count == 1 else f"{count:,} records go"
        print(f"{records} from {_one(known, one)}\n  to {_one(known, other)}")
    for event, ref, user in done.ended:
        print(f"the claim of user {user} to {ref} has ended ({event}: merged)")
    print(NEXT if done.changes or moved else nothing)


def _one(known: dict[str, str], id: str | None) -> str:
    return f"{known[id]} {id}" if id in known else str(id)
