"""The commands about resolution as a whole: identity diff, train, matchers, adopt, held, acknowledge; and visitor."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resources.errors import TerminalError
from sonik_assets.cli import deciding, read, show

if TYPE_CHECKING:
    from sonik_assets.identity.trials import Tried

Kind = Annotated[str, typer.Argument(metavar="TYPE", help="As venue.")]
CASES = 20
Anonymous = Annotated[str, typer.Argument(metavar="ANONYMOUS_ID", help="The visitor.")]
User = Annotated[str, typer.Argument(metavar="USER", help="The user's record id.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="Resolution: try, train and adopt matchers; runs that are held.")
    for command in (diff, train, matchers, adopt, held, acknowledge):
        group.command(command.__name__)(command)
    app.add_typer(group, name="identity")
    visitor = typer.Typer(no_args_is_help=True, help="Anonymous visitors and the users that they are.")
    visitor.command("undo")(undo)
    visitor.command("redo")(redo)
    app.add_typer(visitor, name="visitor")


def diff(
    link: Annotated[list[str] | None, typer.Option(help="TYPE=0.97: link from this probability on.")] = None,
    matcher: Annotated[list[str] | None, typer.Option(help="With this version, as `identity matchers` lists.")] = None,
    train: Annotated[list[str] | None, typer.Option(help="With one trained now on this type's records; kept.")] = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Try a full run, with other thresholds or matchers if you say so: what would change; it changes nothing."""
    from sonik_assets.identity import matchers, trials
    from sonik_assets.identity.resolve import Options, resolve
    from sonik_assets.identity.schemes import LINKING
    from sonik_assets.serving import identity

    links = dict(_threshold(text) for text in link or [])
    for kind in (*(train or []), *links):
        _known(kind)
    with read.postgres() as pg:
        given = trials.others(pg, links, matcher or [], train or [])
        in_use = set(matchers.versions(pg).values())
        used = {**matchers.in_use(pg, list(LINKING)), **{kind: each.matcher for kind, each in given.items()}}
        pg.commit()  # the trial is a transaction of its own
        report = resolve(pg, options=Options(full=True, trial=True, matchers=used))
        found = identity.difference(pg, report, CASES)
    if as_json:
        show.as_json({**found, "trained": {kind: each.kept for kind, each in given.items() if each.trained}})
        return
    by = "".join(f"; {kind}: link from {each.matcher.link:g}" for kind, each in given.items())
    _differences(f"a full run{by}", found)
    for each in given.values():
        if each.trained:
            print(f"{each.kept} is trained" + ("; it is in use already" if each.kept in in_use else _KEPT))
    _next(given, in_use, changing=bool(found["counts"]))


_KEPT = " and kept; it is not in use"


def _differences(title: str, found: dict[str, Any]) -> None:
    show.table(title, found["counts"], empty=f"{title}: nothing would change")
    if not found["counts"]:
        return
    show.table("for instance", [_case(row) for row in found["cases"]], empty="", wrap={"which"})
    total = sum(row["entities"] for row in found["counts"])
    if total > len(found["cases"]):
        print(f"  ... and {total - len(found['cases']):,} more")


def _next(given: "dict[str, Tried]", in_use: set[str], *, changing: bool) -> None:
    """Print what was written, and how to put to use what was tried: another matcher, or a threshold that matters."""
    adopted = [
        f"`sonik identity adopt {each.kept}{'' if each.link is None else f' --link {each.link:.15g}'}`"
        for each in given.values()
        if each.kept not in in_use or (changing and each.link is not None)
    ]
    kept = any(each.trained and each.kept not in in_use for each in given.values())
    said = [f"nothing {'else ' if kept else ''}was written"] if changing else []
    if adopted:
        said.append(f"next: {', '.join(adopted)}, then `sonik run`")
    if said:
        print("; ".join(said))


def train(kind: Kind) -> None:
    """Train a matcher on all records of a type; it is kept, and in use only once it is adopted."""
    from sonik_assets.identity.matchers import trained

    _known(kind)
    with read.postgres() as pg:
        version = trained(pg, kind).version
    print(f"{version} is kept\nnext: `sonik identity diff --matcher {version}`, `sonik identity adopt {version}`")


def matchers(*, as_json: read.Json = False) -> None:
    """List the matchers there are, and which are in use."""
    from sonik_assets.serving import identity

    with read.postgres() as pg:
        found = identity.matchers(pg)
    if as_json:
        show.as_json(found)
        return
    shown = [
        {"version": row["version"], "link": row["link"], "review": row["review"], "made": row["made_at"].date(),
         "in use since": row["adopted_at"].date() if row["in_use"] else None}
        for row in found
    ]  # fmt: skip
    show.table("matchers", shown, empty="no matcher yet: the first run trains them, `sonik run`")
    for row in found:
        if row["broken"]:
            print(f"{row['version']}: {row['broken']}; next: `sonik identity train {row['kind']}`, then adopt it")


def adopt(
    version: Annotated[str, typer.Argument(help="As `identity matchers` lists it.")],
    link: Annotated[
        float | None, typer.Option(help="Link from this probability on: a new version.", min=0, max=1)
    ] = None,
) -> None:
    """Put a matcher to use; the next run compares everything anew."""
    from sonik_assets.identity import trials

    with read.postgres() as pg:
        used = trials.adopt(pg, version, link)
    print(f"{used.version} is in use: link from {used.link:g}, review from {used.review:g}")
    print("next: `sonik run`, which compares everything anew")


def held(*, as_json: read.Json = False) -> None:
    """Show the run that would have changed too much, why, and its worst cases."""
    from sonik_assets.serving import identity

    with read.postgres() as pg:
        found = identity.held(pg)
    if as_json:
        show.as_json(found)
        return
    if found is None:
        print("no run is held")
        return
    print(f"held {found['at']:%Y-%m-%d %H:%M}: {'; '.join(found['reasons'])}\n")
    rank: Counter[tuple[str, str]] = Counter()
    for row in found["worst"]:
        kind = (row["type"], row["change"])
        row["rank"] = rank[kind] = rank[kind] + 1
    found["worst"].sort(key=lambda row: row["rank"])  # some of each
    worst = [{**row, "which": f"{row['name'] or 'new'}\n{row['entity']}"} for row in found["worst"]]
    shown = [{name: row[name] for name in ("type", "change", "count", "which")} for row in worst]
    show.table("worst cases", shown, empty="no case is listed", wrap={"which"}, limit=CASES)
    if found["acknowledged_by"]:
        print(f"acknowledged by {found['acknowledged_by']}: {_AS_MUCH}\nnext: `sonik run`")
    else:
        print("next: mend the source, or `sonik identity acknowledge` and `sonik run`")


_AS_MUCH = "the next run may change as much, up to 10 % more"


def acknowledge(by: deciding.By = None) -> None:
    """Let the held run through: the next one may change as much as it does, up to 10 % more, and nothing else."""
    from sonik_assets.identity import guard

    name = deciding.who(by)
    if not name:
        raise TerminalError("who lets it through? set SONIK_USER or give --by")
    with read.postgres() as pg:
        reasons = guard.acknowledge(pg, name)
    if reasons:
        print(f"{name} lets it through: {'; '.join(reasons)}\n{_AS_MUCH}\nnext: `sonik run`")
    else:
        print("no run is held: nothing to acknowledge")


def undo(anonymous_id: Anonymous, user: User, reason: deciding.Reason = "", by: deciding.By = None) -> None:
    """Take the link of a visitor to a user back, for good, with the user's other accounts; what it did is nobody's."""
    from sonik_assets.identity import visitors

    with read.postgres() as pg:
        accounts = visitors.undo(pg, anonymous_id, user, _named(by), reason)
    others = [account for account in accounts if account != user]
    more = f", nor {', '.join(others)}: the same person" if others else ""
    print(f"visitor {anonymous_id} is not user {user}{more}\n{deciding.NEXT}")


def redo(anonymous_id: Anonymous, user: User, by: deciding.By = None) -> None:
    """Give a link that was taken back again, with the user's other accounts."""
    from sonik_assets.identity import visitors

    with read.postgres() as pg:
        first, *others = visitors.redo(pg, anonymous_id, user, _named(by))
    more = f", and {', '.join(others)}: the same person" if others else ""
    print(f"visitor {anonymous_id} may be user {first} again{more}\n{deciding.NEXT}")


def _named(by: str | None) -> str:
    name = deciding.who(by)
    if not name:
        raise TerminalError("a decision needs the name of who decides: set SONIK_USER or give --by")
    return name


def _threshold(text: str) -> tuple[str, float]:
    kind, _, number = text.partition("=")
    try:
        least = float(number)
    except ValueError:
        least = -1.0
    if not 0 < least < 1:
        raise typer.BadParameter(f"--link {text!r} must be TYPE=PROBABILITY, as venue=0.97")
    return kind, least


def _known(kind: str) -> None:
    from sonik_assets.identity.schemes import LINKING

    if kind not in LINKING:
        raise typer.BadParameter(f"no type {kind}; there are {', '.join(LINKING)}")


def _case(row: dict[str, Any]) -> dict[str, Any]:
    name, record = row["name"], row["record"]
    which = f"{name or record} {row['entity_id'] if name else ''}".rstrip()
    if row["new_id"]:
        target = f"{row['new_name']} {row['new_id']}" if row["new_name"] else record
        which += f"\n{'into' if row['kind'] == 'merged' else 'loses'} {target}"
    return {"change": row["kind"], "type": row["entity_type"], "which": which}
