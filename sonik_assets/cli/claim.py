"""The commands about who owns a thing: claim submit, verify, reject, revoke, list. Rules: docs/claims.md."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resources.errors import TerminalError
from sonik_assets.cli import deciding, read, show, telling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg import Connection

    from sonik_assets.unified.claims import Ending, Event

Entity = Annotated[str, typer.Argument(help="An id, or a name.")]
Evidence = Annotated[str, typer.Option(help="What was seen: a sentence, or a JSON object.")]
User = Annotated[str | None, typer.Option(help="Whose claim, where two claims met in one entity.")]
_NEXT = {
    "pending": "next: `sonik claim verify {id} --evidence TEXT` or `sonik claim reject {id} --reason TEXT`",
    "claimed": "next: `sonik claim revoke {id} --reason TEXT` if it turns out wrong",
    "unclaimed": "next: anyone may ask again: `sonik claim submit {id} USER --method METHOD`",
}


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Who owns a venue, organization, artist, brand or person's page.")
    for name, command in (
        ("submit", submit),
        ("verify", verify),
        ("reject", reject),
        ("revoke", revoke),
        ("list", list_open),
    ):
        group.command(name)(command)
    app.add_typer(group, name="claim")


def submit(
    entity: Entity,
    user: Annotated[str, typer.Argument(help="The user's id in MongoDB.")],
    method: Annotated[str, typer.Option(help="How it will be verified: instagram_dm, email, phone.")],
    evidence: Evidence = "",
    by: deciding.By = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Ask for an entity in the name of a user: it is pending until someone verifies or rejects it, 30 days at most."""
    from sonik_assets.unified import claims

    with read.postgres() as pg:
        id = _entity(pg, entity)
        done = claims.submit(pg, id, user, method, deciding.who(by), _evidence(evidence))
        _tell(pg, id, done, as_json=as_json)


def verify(
    entity: Entity,
    evidence: Evidence = "",
    reason: deciding.Reason = "",
    by: deciding.By = None,
    user: User = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Say that the user who asked for an entity owns it: it is claimed by their person."""
    _end("verify", entity, by, reason, evidence, user, as_json=as_json)


def reject(
    entity: Entity,
    evidence: Evidence = "",
    reason: deciding.Reason = "",
    by: deciding.By = None,
    user: User = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Say that the user who asked for an entity does not own it, or has taken it back: it is unclaimed."""
    _end("reject", entity, by, reason, evidence, user, as_json=as_json)


def revoke(
    entity: Entity,
    evidence: Evidence = "",
    reason: deciding.Reason = "",
    by: deciding.By = None,
    user: User = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Take an entity from its owner: it is unclaimed."""
    _end("revoke", entity, by, reason, evidence, user, as_json=as_json)


def list_open(
    status: Annotated[str | None, typer.Option(help="Only pending, or only claimed.")] = None,
    limit: read.Limit = 50,
    *,
    as_json: read.Json = False,
) -> None:
    """List the open claims: those that wait first, the oldest first."""
    from sonik_assets.unified import claims

    if status not in (None, "pending", "claimed"):
        raise typer.BadParameter(f"{status!r} is no state of an open claim: give pending or claimed")
    with read.postgres() as pg:
        found = claims.open_claims(pg, status, limit)
    if as_json:
        show.as_json(found)
        return
    empty = f"no claim is {status or 'open'}; `sonik claim submit ENTITY USER --method METHOD` makes one"
    show.table("claims", [_row(each) for each in found], empty=empty, wrap={"what"})
    if any(each["contested"] for each in found):
        print("two claims met in one entity: `sonik claim reject ID --user USER` or `revoke` ends one of them\n")
    if any(each["status"] == "pending" for each in found):
        print("next: `sonik claim verify ID --evidence TEXT` or `sonik claim reject ID --reason TEXT`")


def _end(
    event: "Ending",
    entity: str,
    by: str | None,
    reason: str,
    evidence: str,
    user: str | None,
    *,
    as_json: bool,
) -> None:
    from sonik_assets.unified import claims

    with read.postgres() as pg:
        id = _entity(pg, entity)
        done = claims.end(pg, event, id, deciding.who(by), reason, _evidence(evidence), user=user)
        _tell(pg, id, done, as_json=as_json)


def _entity(pg: "Connection[Any]", text: str) -> str:
    from sonik_assets.serving import identity

    return identity.entity_id(pg, text)


def _evidence(text: str) -> "Mapping[str, Any] | None":
    if not text.strip():
        return None
    if not text.lstrip().startswith("{"):
        return {"text": text}
    try:
        return dict(json.loads(text))
    except ValueError as error:
        raise TerminalError(f"--evidence {text!r} begins like JSON and is none: {error}") from error


def _tell(pg: "Connection[Any]", id: str, done: "Event", *, as_json: bool) -> None:
    """Commit and print what the entity is now."""
    from dataclasses import asdict

    from sonik_assets.serving import identity

    pg.commit()  # told only once it is done
    if as_json:
        show.as_json({"entity_id": id, **asdict(done)})
        return
    said = {
        "submit": f"asked for by user {done.user_id}, to be verified by {done.method}",
        "verify": f"owned by user {done.user_id}",
    }.get(done.event, f"{done.event}: user {done.user_id}" + (f", {done.reason}" if done.reason else ""))
    known = identity.names(pg, [id])
    print(f"{known.get(id, '')} {id}\n  is {done.status}: {said}, says {done.decided_by}")
    print(_NEXT[done.status].format(id=id))


def _row(claim: dict[str, Any]) -> dict[str, Any]:
    who = f"user {claim['user_id']}" + (f" by {claim['method']}" if claim["method"] else "")
    lines = [claim["name"] or claim["entity_ref"], claim["entity_id"], who]
    lines += ["two claims met in it"] if claim["contested"] else []
    return {"status": claim["status"], "what": "\n".join(lines), "since (UTC)": telling.instant(claim["at"])}
