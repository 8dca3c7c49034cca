"""The commands about what waits for a person: review list, show, decide. Rules: docs/review.md."""

from typing import Annotated, Any

import typer

from sonik_assets.cli import deciding, read, show, telling

VERDICTS = ("same", "different", "unsure")
HASH_SHOWN = 12
"""Characters of a look-up's hash: enough to name it."""
Id = Annotated[str, typer.Argument(help="As `review list` names it.")]
_FIELDS = ("name", "address", "city", "country", "phones", "domains", "handles", "emails", "category", "genres",
           "lineup", "venue", "night", "starts_at", "updated_at")  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="What waits for a person: is it one thing or two?")
    group.command("list")(list_waiting)
    group.command("show")(show_item)
    group.command("decide")(decide)
    app.add_typer(group, name="review")


def list_waiting(
    kind: Annotated[str | None, typer.Option("--type", help="Only this type, as venue; or places.")] = None,
    limit: read.Limit = 20,
    *,
    as_json: read.Json = False,
) -> None:
    """List what waits, the most consequential first."""
    from sonik_assets.serving import review

    _known_kind(kind)
    with read.postgres() as pg:
        pairs = review.queue(pg, kind, limit) if kind != "places" else []
        lookups = review.lookups(pg, limit) if kind in (None, "places") else []
        counts = review.waiting(pg)
    if as_json:
        show.as_json({"pairs": pairs, "places": lookups, "waiting": counts})
        return
    if pairs:
        show.table("one thing or two?", [_pair(row) for row in pairs], empty="", wrap={"which"})
    if lookups:
        show.table("which place?", [_lookup(row) for row in lookups], empty="", wrap={"which"})
    print(_summary(kind, counts, len(pairs) + len(lookups)))


def show_item(id: Id, *, as_json: read.Json = False) -> None:
    """Show both sides of a pair and what was compared, or the candidates of a look-up."""
    from sonik_assets.serving import review

    with read.postgres() as pg:
        found = review.item(pg, id)
    if as_json:
        show.as_json(found)
    elif "query" in found:
        _show_lookup(found)
    else:
        _show_pair(found)


def decide(
    id: Id,
    verdict: Annotated[str, typer.Argument(metavar="same|different|unsure|PLACE_ID|none", help="What it is.")],
    reason: deciding.Reason = "",
    by: deciding.By = None,
    *,
    as_json: read.Json = False,
) -> None:
    """Decide a pair (same, different, unsure) or a look-up (a candidate's place id, or none); at once, and for good."""
    from sonik_assets.identity import decisions, place_decisions
    from sonik_assets.identity.judgements import Decision
    from sonik_assets.serving import review

    with read.postgres() as pg:
        pair = review.pair(pg, id)
        if pair:
            if verdict not in VERDICTS:
                raise typer.BadParameter(f"{verdict!r} is no verdict on a pair: give {', '.join(VERDICTS)}")
            given = Decision(pair["left_ref"], pair["right_ref"], verdict, reason)
            done = decisions.judge(pg, given, deciding.who(by))
            text = f"{pair['left_ref']} and {pair['right_ref']}: {verdict}"
        else:
            asked = review.item(pg, id)
            place = None if verdict == "none" else verdict
            done = place_decisions.choose(pg, asked["id"], place, deciding.who(by), reason)
            text = f"{asked['query']['name']}: {verdict}"
        pg.commit()
        if not as_json:
            print(f"{text}, says {deciding.who(by)}")
        deciding.tell(pg, done, "no entity changes by it; later runs keep to it", as_json=as_json)


def _known_kind(kind: str | None) -> None:
    from sonik_assets.serving.entities import ENTITY_KINDS

    if kind is not None and kind not in (*ENTITY_KINDS, "places"):
        raise typer.BadParameter(f"no type {kind}; there are {', '.join(ENTITY_KINDS)}, and places")


def _pair(row: dict[str, Any]) -> dict[str, Any]:
    from sonik_assets.serving.identity import called

    left, right = (called(row[f"{side}_name"], row[f"{side}_city"]) for side in ("left", "right"))
    left_size, right_size = row["left_records"], row["right_records"]
    open_ = f", left open by {row['decided_by']}" if row["decided_by"] != "sonik" else ""
    which = f"{left} [{left_size}]\n{right} [{right_size}]\n{row['id']} {telling.why(row)}{open_}"
    return {"score": row["score"], "type": row["entity_type"], "which": which}


def _lookup(row: dict[str, Any]) -> dict[str, Any]:
    asked = row["query"]
    where = ", ".join(asked[name] for name in ("address", "city", "country") if asked.get(name))
    some = f"{row['candidates']} candidates" if row["candidates"] != 1 else "1 candidate"
    return {"status": row["status"], "which": f"{asked['name']}\n{where}\n{row['id'][:HASH_SHOWN]} {some}"}


def _summary(kind: str | None, counts: dict[str, int], shown: int) -> str:
    wanted = {name: n for name, n in counts.items() if n and kind in (None, name)}
    if not wanted:
        other = "; try without --type" if kind and any(counts.values()) else ""
        return f"nothing waits{f' of type {kind}' if kind else ''}{other}"
    total = sum(wanted.values())
    more = f"  ... and {total - shown:,} more: --limit, --type\n\n" if total > shown else ""
    told = ", ".join(f"{name} {n:,}" for name, n in wanted.items())
    answers = "PLACE_ID|none" if set(wanted) == {"places"} else "same|different|unsure"
    return f"{more}{total:,} wait: {told}\nnext: `sonik review show ID`, `sonik review decide ID {answers}`"


def _show_pair(found: dict[str, Any]) -> None:
    left, right = found["left"] or {}, found["right"] or {}
    rows = [
        {"": name.replace("_", " "), "left": left.get(name), "right": right.get(name)}
        for name in _FIELDS
        if left.get(name) or right.get(name)
    ]
    rows += [
        {"": "record", "left": found["left_ref"], "right": found["right_ref"]},
        {"": "entity", "left": left.get("entity_id"), "right": right.get("entity_id")},
        {"": "stands behind", "left": _behind(left), "right": _behind(right)},
    ]
    show.table(f"{found['entity_type']}: {_state(found)}", rows, empty="", wrap={"left", "right"})
    compared = found["explanation"].get("comparisons", [])
    told = [{name: row[name] for name in ("name", "left", "right", "level", "bits")} for row in compared]
    show.table("compared", told, empty="nothing was compared: no matcher speaks of it", wrap={"left", "right", "level"})
    if compared:
        rest = found["explanation"]
        print(f"  {rest['prior']:+.2f} bits before any comparison, {rest['total']:+.2f} in all: {found['method']}")
        print("  held below the link: a level above says that they may be two\n" if rest.get("doubt") else "")
    print(f"next: sonik review decide {found['id']} same|different|unsure")


def _state(found: dict[str, Any]) -> str:
    score = f"{found['score']:.3f}, " if found["score"] is not None else ""
    if not found["decided_by"]:
        return "no longer in question"
    return f"{score}{found['judgement']}, {telling.why(found)} ({found['decided_by']}, {found['decided_at']:%Y-%m-%d})"


def _behind(side: dict[str, Any]) -> str:
    records = side.get("records") or []
    if side.get("embedded"):
        return f"named by {side['mentions']:,} mentions" + (f"\n{len(records)} records" if records else "")
    more = f"\n... {len(records) - 3} more" if len(records) > 3 else ""
    return "\n".join(records[:3]) + more


def _show_lookup(found: dict[str, Any]) -> None:
    show.pairs(f"{found['query']['name']}: {found['status']}", {**found["query"], "id": found["id"]})
    shown = [_candidate(row) for row in found["answer"] or []]
    show.table("candidates", shown, empty="the register has no candidate", wrap={"which"})
    if found["decided_by"]:
        why = f" ({found['decided_reason']})" if found["decided_reason"] else ""
        print(f"decided by {found['decided_by']}: {found['place_id'] or 'none'}{why}")
    print(f"next: sonik review decide {found['id'][:HASH_SHOWN]} PLACE_ID|none")


def _candidate(row: dict[str, Any]) -> dict[str, Any]:
    """Return a candidate; of an answer whose time is over only the id is left."""
    lines = (row.get("name") or "(expired)", row.get("address"), row["place_id"])
    return {"which": "\n".join(filter(None, lines)), "metres": row.get("metres"), "doubt": row.get("doubt")}
