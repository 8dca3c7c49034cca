"""How alike records are: scores pairs of profiles that a matcher finds worth comparing, and keeps those that count.

A score is of two profiles and a frozen matcher alone, so only pairs with a changed profile are ever scored again.
Records of their own are compared with each other; what listings name only with records, never among themselves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import psycopg
from psycopg import sql

from resources.stores import tables
from resources.stores.copy import copy_out
from sonik_assets.identity.memory import CANDIDATES, IN_KEYS, select, stage_keys
from sonik_assets.identity.profiles import PROFILES, unpack

if TYPE_CHECKING:
    from sonik_assets.identity.matching.model import Matcher

type Matchers = Mapping[str, "Matcher"]
"""Entity type -> the matcher in use."""

_MATES = """
select {columns} from identity.profiles as t
where t.entity_type = {kind} and {side} and t.blocks && (
    select array_agg(distinct b) from identity.profiles as c cross join lateral unnest(c.blocks) as b
    where c.key in (select key from changed_keys) and c.entity_type = {kind} and {other}
)
"""


@dataclass(frozen=True)
class Sides:
    """Profiles of one type: records of their own, and what other records name."""

    own: pl.DataFrame
    named: pl.DataFrame


def blocked(profiles: pl.DataFrame, matchers: Matchers) -> pl.DataFrame:
    """Add `blocks`, as PostgreSQL writes an array: where the matcher of its type looks for the like of a profile."""
    parts = []
    for (kind,), part in profiles.group_by("entity_type", maintain_order=True):
        if kind in matchers:
            keys = matchers[str(kind)].block_keys(unpack(part)).sort("row")
            parts.append(part.with_columns(keys.select(_array("keys")).to_series().alias("blocks")))
        else:
            parts.append(part.with_columns(blocks=pl.lit("{}")))
    return pl.concat(parts) if parts else profiles.with_columns(blocks=pl.lit("{}"))


def rescore(connection: psycopg.Connection, matchers: Matchers, kinds: Iterable[str], changed: pl.Series | None) -> int:
    """Score all pairs of the types (`changed` is None), or those with a changed key; return how many count."""
    return sum(_rescore(connection, matchers[kind], kind, changed) for kind in kinds if kind in matchers)


def _rescore(connection: psycopg.Connection, matcher: "Matcher", kind: str, changed: pl.Series | None) -> int:
    is_kind = sql.SQL("t.entity_type = {}").format(sql.Literal(kind))
    if changed is None:
        sides = _sides(select(connection, "profiles", PROFILES, is_kind))
        found = _score(matcher, [(sides.own, None), (sides.named, sides.own)], kind)
        tables.sync(connection, "identity.candidates", ["left_key", "right_key"], found, delete=True, within=is_kind)
        return found.height
    stage_keys(connection, changed)
    new = _sides(select(connection, "profiles", PROFILES, is_kind + sql.SQL(" and ") + IN_KEYS))
    old = Sides(*(_mates(connection, kind, embedded=embedded) for embedded in (False, True)))
    comparisons = [
        (new.own, None),
        (new.own, old.own),
        (old.named, new.own),
        (new.named, pl.concat([new.own, old.own])),
    ]
    found = _score(matcher, comparisons, kind)
    touched = sql.SQL("(t.left_key in (select key from changed_keys) or t.right_key in (select key from changed_keys))")
    keys = ["left_key", "right_key"]
    tables.sync(
        connection, "identity.candidates", keys, found, delete=True, within=is_kind + sql.SQL(" and ") + touched
    )
    return found.height


def _sides(profiles: pl.DataFrame) -> Sides:
    return Sides(profiles.filter(~pl.col("embedded")), profiles.filter("embedded"))


def _score(
    matcher: "Matcher", comparisons: Iterable[tuple[pl.DataFrame, pl.DataFrame | None]], kind: str
) -> pl.DataFrame:
    found = [
        _pairs(matcher, left, right) for left, right in comparisons if left.height and (right is None or right.height)
    ]
    pairs = pl.concat(
        [pl.DataFrame(schema={n: CANDIDATES[n] for n in ("left_key", "right_key", "probability")}), *found]
    )
    ordered = pairs.select(
        pl.min_horizontal("left_key", "right_key").alias("left_key"),
        pl.max_horizontal("left_key", "right_key").alias("right_key"),
        pl.lit(kind).alias("entity_type"),
        "probability",
    )
    return ordered.unique(["left_key", "right_key"], keep="any")


def _pairs(matcher: "Matcher", left: pl.DataFrame, right: pl.DataFrame | None) -> pl.DataFrame:
    ours, theirs = unpack(left), None if right is None else unpack(right)
    found = matcher.pairs(ours, theirs)
    other = ours if theirs is None else theirs
    return found.select(
        ours["key"].gather(found["left_row"]).alias("left_key"),
        other["key"].gather(found["right_row"]).alias("right_key"),
        "probability",
    )


def _mates(connection: psycopg.Connection, kind: str, *, embedded: bool) -> pl.DataFrame:
    """Return unchanged profiles that share a block with a changed one: named ones with records only."""
    side = sql.SQL("t.embedded" if embedded else "not t.embedded")
    other = sql.SQL("not c.embedded" if embedded else "true")
    columns = sql.SQL(", ").join(sql.SQL("t.{}").format(sql.Identifier(name)) for name in PROFILES)
    query = sql.SQL(_MATES).format(columns=columns, kind=sql.Literal(kind), side=side, other=other)
    query += sql.SQL(" and t.key not in (select key from changed_keys)")
    return copy_out(connection, query, PROFILES)


def _array(column: str) -> pl.Expr:
    """Return lists of texts as PostgreSQL writes an array."""
    quoted = pl.element().str.replace_all("\\", "\\\\", literal=True).str.replace_all('"', '\\"', literal=True)
    texts = pl.col(column).list.eval(quoted).list.join('","')
    return (
        pl.when(pl.col(column).list.len() > 0).then(pl.format('{{"{}"}}', texts)).otherwise(pl.lit("{}")).alias(column)
    )
