"""The commands about one entity: show, explain, history, and what people decide of it: merge, split, alias, rekey.

`edit` is in edit.py.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from resources.errors import TerminalError
from sonik_assets.cli import deciding, edit, read, show, telling

if TYPE_CHECKING:
    import polars as pl

Entity = Annotated[str, typer.Argument(help="An id, or a name.")]
LINKS_SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="People, venues, organizations, artists, brands, events.")
    for name, command in (
        ("show", read.entity_show),
        ("explain", explain),
        ("history", history),
        ("merge", merge),
        ("split", split),
        ("alias", alias),
        ("rekey", rekey),
        ("edit", edit.edit),
    ):
        group.command(name)(command)
    app.add_typer(group, name="entity")


def explain(
    id: Entity,
    *,
    every: Annotated[bool, typer.Option("--all", help="List all links and all mentions inside other records.")] = False,
    as_json: read.Json = False,
) -> None:
    """Show what makes an entity's records one: each link, how, how sure, what was compared, and who decided."""
    from sonik_assets.serving import identity

    with read.postgres() as pg:
        found = identity.explanation(pg, identity.entity_id(pg, id), every=every)
    if as_json:
        show.as_json(found)
        return
    most = None if every else LINKS_SHOWN
    wrap = {"record", "link", "compared", "name"}
    title = f"{found['name']} {found['id']}"
    records = [_record(row) for row in found["records"]]
    show.table(title, records, empty="no record stands for it", wrap=wrap, limit=most, more="--all")
    links = [telling.link(row) for row in found["links"]]
    show.table("links", links, empty="one record, so no link\n", wrap=wrap, limit=most, more="--all")
    if found["conflicts"]:
        conflicts = [telling.link(row) for row in found["conflicts"]]
        show.table("apart, or in question", conflicts, empty="", wrap=wrap, limit=most, more="--all")
    if found["weak"]:
        show.table("link nothing", [_weak(row) for row in found["weak"]], empty="", wrap={"value", "why"}, limit=most)
    if found["aliases"]:
        aliases = [_alias(row) for row in found["aliases"]]
        show.table("one value for another", aliases, empty="", wrap={"value", "by"})
    if found["redirects"]:
        show.table("merged into it", found["redirects"], empty="")
    if found["attached"]:
        attached = [_record(row) for row in found["attached"]] if every else found["attached"]
        heading = "named inside other records" + ("" if every else ": --all lists them")
        show.table(heading, attached, empty="", wrap=wrap)


def history(id: Entity, limit: read.Limit = 50, *, as_json: read.Json = False) -> None:
    """Show what happened to an entity, the oldest first: its id, its records, and who judged what."""
    from sonik_assets.serving import identity

    with read.postgres() as pg:
        entity = identity.entity_id(pg, id)
        found, known = identity.history(pg, entity), identity.names(pg, [entity])
    if as_json:
        show.as_json(found[-limit:])
        return
    told = [{"at (UTC)": telling.instant(row["at"]), "what": telling.happened(row)} for row in found]
    title = f"{known.get(entity, '(gone)')} {entity}"
    show.table(title, told[-limit:], empty=f"nothing is known of {id}; try `sonik entity show`", wrap={"what"})
    if len(told) > limit:
        print(f"  ... and {len(told) - limit:,} earlier: --limit\n")


def merge(
    a: Entity,
    b: Entity,
    reason: deciding.Reason = "",
    by: deciding.By = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Make two entities one, for good: the older id stays (a claimed one first), the other leads to it."""
    from sonik_assets.identity import decisions
    from sonik_assets.serving import identity

    with read.postgres() as pg:
        ids = [identity.entity_id(pg, text) for text in (a, b)]
        done = decisions.merge(pg, ids[0], ids[1], deciding.who(by), reason)
        deciding.tell(pg, done, "nothing changed", as_json=as_json)


def split(
    id: Entity,
    refs: Annotated[list[str], typer.Argument(metavar="REF...", help="Records that are another thing.")],
    reason: deciding.Reason = "",
    by: deciding.By = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Make records (source/table/record_id, as explain lists them) another thing, for good; a former id comes back."""
    from sonik_assets.identity import decisions
    from sonik_assets.serving import identity

    with read.postgres() as pg:
        done = decisions.split(pg, identity.entity_id(pg, id), refs, deciding.who(by), reason)
        pg.commit()
        if not as_json:
            known = identity.names(pg, list(done.entities.values()))
            for entity in dict.fromkeys(done.entities.values()):
                mine = sum(other == entity for other in done.entities.values())
                count = f"{mine} record" + ("s" if mine > 1 else "")
                print(f"{count}: {known.get(entity, '')} {entity}" if entity else f"{count}: nothing")
        deciding.tell(pg, done, "nothing but these mentions moved", as_json=as_json)


def alias(
    scheme: Annotated[str, typer.Argument(help="As google_places_id, instagram_url, domain.")],
    value: Annotated[str, typer.Argument(help="The value that is no longer used, or the duplicate.")],
    of: Annotated[str, typer.Argument(help="The value that it stands for.")],
    reason: deciding.Reason = "",
    by: deciding.By = None,
    *,
    undo: Annotated[bool, typer.Option("--undo", help="They are two after all.")] = False,
    as_json: read.Json = False,
) -> None:
    """Note that two identifiers are one thing's: a renamed handle, a duplicate place. They contradict no longer."""
    from sonik_assets.identity import decisions

    with read.postgres() as pg:
        done = (
            decisions.unalias(pg, scheme, value, of, deciding.who(by), reason)
            if undo
            else decisions.alias(pg, scheme, value, of, deciding.who(by), reason)
        )
        pg.commit()
        if not as_json:
            print(f"{scheme} {value} {'no longer stands' if undo else 'stands'} for {of}")
        deciding.tell(pg, done, "no entity changes by it; later runs keep to it", as_json=as_json)


def rekey(
    source: Annotated[str, typer.Argument(help="As scraper.")],
    table: Annotated[str, typer.Argument(help="As venue_info.")],
    file: Annotated[Path, typer.Argument(help="CSV: old_record_id,new_record_id.", exists=True, dir_okay=False)],
    by: deciding.By = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Give records the new ids that their source gave them, before the next run: nobody becomes somebody else."""
    from sonik_assets.identity import rekeying

    pairs = _csv(file)
    with read.postgres() as pg:
        done = rekeying.rekey(pg, source, table, pairs, deciding.who(by))
    if as_json:
        show.as_json(done)
        return
    rows = ", ".join(f"{name} {count:,}" for name, count in done.items())
    count = "1 record has a new id" if pairs.height == 1 else f"{pairs.height:,} records have new ids"
    print(f"{source}.{table}: {count} ({rows})")
    print("next: `sonik run`, which finds the same entities under the new ids")


def _csv(file: Path) -> "pl.DataFrame":
    import polars as pl
    from polars.exceptions import PolarsError

    try:
        return pl.read_csv(file, infer_schema=False)
    except PolarsError as error:
        raise TerminalError(f"{file} is no CSV of old_record_id,new_record_id: {error}") from error


def _record(row: dict[str, Any]) -> dict[str, Any]:
    more = f"\nand {row['repeated']:,} that say the same" if row.get("repeated") else ""
    return {"record": row["ref"] + more, "linked by": row["linked_by"], "name": row["name"]}


def _alias(row: dict[str, Any]) -> dict[str, Any]:
    of = f"stands for {row['alias_of']}" if row["alias_of"] else "stands for no other"
    return {"value": f"{row['scheme']} {row['value']}\n{of}", "by": telling.decided(row)}


def _weak(row: dict[str, Any]) -> dict[str, Any]:
    return {"value": f"{row['scheme']} {row['value']}", "why": row["why"], "records": len(row["records"])}
