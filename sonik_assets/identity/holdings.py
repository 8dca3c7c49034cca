"""Which identifiers records hold, with their life: what is written to identity.identifiers before anything is linked.

Stated values, looked-up Places ids, renames as aliases. The rules of a life are in `lives.py`.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl
import psycopg
from psycopg import sql

from resources.stores.copy import copy_frame, copy_out
from sonik_assets.identity import memory, places
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.lives import LIVES, Lives, lives
from sonik_assets.identity.normalize.text import alike

HELD = {**{name: kind for name, kind in LIVES.items() if name != "weak"}, "reused_from": pl.String}
"""Columns that are written; `reused_from`: the ref of the holder who gave the value up."""
_BEFORE = sql.SQL("""
select {columns} from identity.identifiers as t
where t.entity_type = any({kinds}) and ({refs} or (t.scheme, t.value) in (select scheme, value from said_values))
""")
# What a person said of a value is not for a run to say again.
_DECIDED = """
delete from new_aliases as n using identity.aliases as a
where a.scheme = n.scheme and a.decided_by <> 'sonik'
    and (a.value = n.value or (a.value = n.alias_of and a.alias_of is not null))
"""
_ALIAS = """
insert into identity.aliases (scheme, value, alias_of, reason)
select scheme, value, alias_of, reason from new_aliases where value <> alias_of
on conflict (scheme, value) do update set alias_of = excluded.alias_of, reason = excluded.reason, at = now()
where aliases.alias_of <> excluded.alias_of
"""
_HOLDERS = sql.SQL("""
select distinct i.source, i.table_name, i.record_id, i.entity_type
from new_aliases as n
inner join identity.aliases as a using (scheme, value)
inner join identity.identifiers as i on i.scheme = n.scheme and i.value in (n.value, n.alias_of)
where a.at = now() and i.valid_to is null
""")
# One step from any old value to the newest, and none from the newest.
_STRAIGHTEN = """
delete from identity.aliases as a using new_aliases as n where a.scheme = n.scheme and a.value = n.alias_of;
update identity.aliases as a set alias_of = n.alias_of from new_aliases as n
where a.scheme = n.scheme and a.alias_of = n.value and a.value <> n.alias_of;
"""


@dataclass(frozen=True)
class Seen:
    """What the sources say. mentions: prepared; stated: row, scheme, value; gone: REF; refused: reason -> count."""

    mentions: pl.DataFrame
    stated: pl.DataFrame
    gone: pl.DataFrame
    refused: dict[str, int]


@dataclass(frozen=True)
class Held:
    """`rows`: HELD of the records seen and gone; `aliased`: TOUCHED, who holds a value that is new as an alias."""

    rows: pl.DataFrame
    aliased: pl.DataFrame


def with_places(stated: pl.DataFrame, mentions: pl.DataFrame, found: pl.DataFrame) -> pl.DataFrame:
    """Add looked-up Places ids: to venues, and to organizations that state no domain of their own.

    Namesakes of one city are found at one address: an organization that states who it is needs no guess.
    """
    stating = stated.filter(pl.col("scheme") == "domain").select("row")
    sure = mentions.filter(pl.col("entity_type") == "organization").join(stating, on="row", how="semi")
    guessed = found.join(sure, on="row", how="anti").select("row", "scheme", "value")
    return pl.concat([stated, guessed.cast(dict(stated.schema))]).unique(maintain_order=True)  # type: ignore[arg-type]


def live(connection: psycopg.Connection, kinds: list[str], seen: Seen, *, full: bool) -> Held:
    """Return what the records seen and gone hold; remember renames and refreshed places as aliases."""
    told = seen.mentions.select("row", *REF, "entity_type", "name_key", "updated_at")
    said = told.join(seen.stated, on="row", how="left")
    examined = pl.concat([seen.mentions.select(REF), seen.gone.select(REF)])
    before = _before(connection, kinds, said, examined, full=full)
    found = lives(before, said.drop("row"), datetime.now(UTC), None, None if full else examined)
    aliased = _alias(connection, found, before)
    left = pl.concat_str(*(f"left_{name}" for name in REF), separator="/")
    reused = found.reused.select(
        *(pl.col(f"right_{name}").alias(name) for name in REF), "scheme", "value", reused_from=left
    ).unique([*REF, "scheme", "value"], keep="first", maintain_order=True)
    # Who else holds a value that is given now may have got it as a reused one, or not any more.
    held = pl.concat(
        [
            found.rows.join(examined, on=list(REF), how="semi"),
            found.rows.join(seen.stated, on=["scheme", "value"], how="semi"),
        ]
    )
    rows = held.unique([*REF, "scheme", "value"], keep="first", maintain_order=True)
    return Held(rows.join(reused, on=[*REF, "scheme", "value"], how="left").select(list(HELD)), aliased)


def _before(
    connection: psycopg.Connection, kinds: list[str], said: pl.DataFrame, examined: pl.DataFrame, *, full: bool
) -> pl.DataFrame:
    if full:
        return memory.select(connection, "identifiers", LIVES, memory.of_kinds(kinds))
    memory.stage_refs(connection, examined)
    with connection.cursor() as cursor:
        cursor.execute("create temporary table if not exists said_values (scheme text, value text) on commit drop")
        cursor.execute("truncate said_values")
        copy_frame(cursor, sql.Identifier("said_values"), said.select("scheme", "value").drop_nulls().unique())
        cursor.execute("analyze said_values")
    columns = sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in LIVES)
    query = _BEFORE.format(columns=columns, kinds=sql.Literal(kinds), refs=memory.IN_CHANGED)
    return copy_out(connection, query, LIVES)


def _alias(connection: psycopg.Connection, found: Lives, before: pl.DataFrame) -> pl.DataFrame:
    """Remember that a renamed value stands for its new one, unless others hold it who are named unlike (a chain).

    Once, when it happens: a value that was given up before is history. Return TOUCHED of the holders of what is new.
    """
    given = before.filter(pl.col("valid_to").is_null()).select(*REF, "scheme", old_value="value")
    happened = found.renames.join(given, on=[*REF, "scheme", "old_value"], how="semi")
    renames = happened.sort("at").unique(["scheme", "old_value"], keep="last", maintain_order=True)
    rows = [
        (scheme, old, new, "renamed")
        for scheme, old, new, names in _with_holders(renames, found.rows).iter_rows()
        if all(alike(one, other) for one in names for other in names)
    ]
    refreshed = [(*alias, "refreshed place") for alias in places.aliases(connection).iter_rows()]
    if not rows and not refreshed:
        return pl.DataFrame(schema=memory.TOUCHED)
    names = dict.fromkeys(("scheme", "value", "alias_of", "reason"), pl.String)
    frame = pl.DataFrame([*rows, *refreshed], names, orient="row").unique(["scheme", "value"], keep="last")
    with connection.cursor() as cursor:
        cursor.execute(
            "create temporary table new_aliases (scheme text, value text, alias_of text, reason text) on commit drop"
        )
        copy_frame(cursor, sql.Identifier("new_aliases"), frame)
        cursor.execute(_DECIDED)
        cursor.execute(_STRAIGHTEN)
        cursor.execute(_ALIAS)
        holders = copy_out(connection, _HOLDERS, memory.TOUCHED)
        cursor.execute("drop table new_aliases")
    return holders


def _with_holders(renames: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Return scheme, old_value, new_value and the names of all who hold either now."""
    holders = rows.filter(pl.col("valid_to").is_null()).select("scheme", "value", "name_key").drop_nulls()
    both = pl.concat(
        [
            renames.select("scheme", "old_value", "new_value").join(
                holders, left_on=["scheme", side], right_on=["scheme", "value"]
            )
            for side in ("old_value", "new_value")
        ]
    )
    return both.group_by("scheme", "old_value", "new_value", maintain_order=True).agg(pl.col("name_key").unique())
