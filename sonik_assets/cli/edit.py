"""The command that corrects an entity: `sonik entity edit`. Rules: docs/survivorship.md."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resources.errors import TerminalError
from sonik_assets.cli import deciding, read, show, telling

if TYPE_CHECKING:
    from sonik_assets.unified.edits import Edit

Assignments = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ATTRIBUTE=VALUE...", help="JSON, else text; ATTRIBUTE= takes an edit back; none lists what holds."
    ),
]
Role = Annotated[str, typer.Option(help="staff, claimant or owner; of the latter --by is their user's id.")]


def edit(
    entity: Annotated[str, typer.Argument(help="An id, or a name.")],
    assignments: Assignments = None,
    role: Role = "staff",
    reason: deciding.Reason = "",
    by: deciding.By = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Correct attributes of an entity: an edit goes before what every record says, until it is taken back."""
    from dataclasses import asdict

    from sonik_assets.serving import identity
    from sonik_assets.unified import edits

    values = dict(map(_assignment, assignments or ()))
    with read.postgres() as pg:
        id = identity.entity_id(pg, entity)
        if values:
            done = edits.edit(pg, id, values, deciding.who(by), role, reason)  # type: ignore[arg-type]
            pg.commit()  # told only once it is done
        else:
            done = edits.standing(pg, id)
        known = identity.names(pg, [id])
    if as_json:
        show.as_json([{"entity_id": id, **asdict(each)} for each in done])
        return
    title = f"{known.get(id, '')} {id}"
    if not values:
        empty = "nobody has edited it; `sonik entity edit ID ATTRIBUTE=VALUE` does"
        show.table(title, list(map(_row, done)), empty=empty, wrap={"attribute", "by"})
        return
    print(title)
    for each in {each.attribute: each for each in done}.values():
        print(f"  {_told(each)}")
    print("next: `sonik run` shows it, in search, graph and reports too")


def _assignment(text: str) -> tuple[str, Any]:
    """Return (attribute, value): None where the value is empty."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise TerminalError(f"{text!r} is no edit: give ATTRIBUTE=VALUE, or ATTRIBUTE= to take an edit back")
    return name.strip(), _value(value.strip())


def _value(text: str) -> Any:
    if not text:
        return None
    try:
        return json.loads(text, parse_constant=lambda name: name)  # NaN is a name, and no JSON to PostgreSQL
    except ValueError:
        if text[0] in '{["':
            raise TerminalError(f"{text!r} begins like JSON and is none") from None
        return text


def _told(edit: "Edit") -> str:
    if edit.value is None:
        return f"{edit.attribute}: taken back, what its records say holds again"
    return f"{edit.attribute}: {_shown(edit.value)}, says {edit.edited_by} ({edit.role})"


def _row(edit: "Edit") -> dict[str, Any]:
    by = f"{edit.edited_by} ({edit.role})" + (f"\n{edit.reason}" if edit.reason else "")
    return {"attribute": f"{edit.attribute}\n{_shown(edit.value)}", "by": by, "at (UTC)": telling.instant(edit.at)}


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
