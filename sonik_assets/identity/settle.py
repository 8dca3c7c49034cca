"""Clusters of today -> entities: their ids, canonical ids and first sight; the map and redirects that follow.

Pure but for the minting of ids, which the caller passes in. The rules of ids are in `entity_ids.py`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from sonik_assets.identity.entity_ids import Assignment, Past, assign
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.linking import canonical_ids, with_own_id

MAP = {**dict.fromkeys((*REF, "entity_id", "entity_type", "linked_by"), pl.String), "attached": pl.Boolean}
"""Columns of identity.entity_map."""
ENTITIES = {
    **dict.fromkeys(("entity_id", "entity_type", "canonical_scheme", "canonical_id"), pl.String),
    "first_seen_at": pl.Datetime("us", "UTC"),
}
REDIRECTS = dict.fromkeys(("old_id", "new_id", "reason"), pl.String)


@dataclass(frozen=True)
class Before:
    """What was decided of the records in scope (deleted ones too), and of the entities they were.

    `entity_map`: MAP; `entities`: ENTITIES; `claimed`: entity ids; `former`: ref, old_id (latest first);
    `live`: entity type -> how many entities there are in all.
    """

    entity_map: pl.DataFrame
    entities: pl.DataFrame
    claimed: frozenset[str]
    former: pl.DataFrame
    live: Mapping[str, int]


@dataclass(frozen=True)
class Settled:
    """`members`: REF, row, entity_type, entity_id, linked_by; `entities`: their rows; `moves`: what changed."""

    members: pl.DataFrame
    entities: pl.DataFrame
    moves: Assignment


def settle(
    before: Before,
    records: pl.DataFrame,
    members: pl.DataFrame,
    strong: pl.DataFrame,
    mint: Callable[[int], Sequence[str]],
    strays: pl.DataFrame,
) -> Settled:
    """Give the clusters (`members`: row, cluster, linked_by) of records their entities.

    records: row, REF, entity_type, first_seen_at; strong: row, entity_type, scheme, value that name a thing; strays:
    repeats.STRAYS, whose former ids their speakers' clusters have a claim to.
    """
    rows = records.select("row", *REF, "entity_type", "first_seen_at").join(members, on="row")
    rows = rows.sort("cluster", "row")
    told = strays.select(_ref().alias("stray"), spoken="speaker")
    brought = rows.join(told, left_on=_plain_ref(), right_on="spoken").select("cluster", ref="stray")
    refs = pl.concat([rows.select("cluster", ref=_ref()), brought])
    clusters = refs.group_by("cluster", maintain_order=True).agg(refs="ref")
    moves = assign(clusters["refs"].to_list(), _past(before), mint)
    ids = clusters.select("cluster", pl.Series("entity_id", moves.ids, pl.String))
    rows = rows.join(ids, on="cluster")
    named = canonical_ids(strong.select("row", "entity_type", "scheme", "value"), members)
    entities = _first_seen(rows, before).join(named.join(ids, on="cluster"), on="entity_id", how="left")
    return Settled(
        rows.select(*REF, "row", "entity_type", "entity_id", "linked_by"),
        with_own_id(entities).select(list(ENTITIES)),
        moves,
    )


def entity_map(
    before: Before, present: pl.DataFrame, settled: Settled, attached: pl.DataFrame, strays: pl.DataFrame
) -> pl.DataFrame:
    """Return MAP: the members, what is attached to them, and deleted records with the id they would come back to.

    `present`: REF of the records that exist; `attached`: REF, entity_type, entity_id, linked_by; `strays`:
    repeats.STRAYS, which go where their speakers go.
    """
    parts = ((settled.members, False), (attached, True))
    placed = pl.concat([part.with_columns(attached=pl.lit(value)).select(list(MAP)) for part, value in parts])
    speakers = placed.select(_plain_ref().alias("speaker"), "entity_id", "linked_by", "attached")
    brought = strays.join(speakers, on="speaker").select(list(MAP))
    known = pl.concat([present.select(REF), strays.select(REF)])
    gone = before.entity_map.join(known, on=list(REF), how="anti").filter(~pl.col("attached"))
    gone = gone.with_columns(pl.col("entity_id").replace(settled.moves.redirects))
    return pl.concat([placed, brought, gone.select(list(MAP))])


def _past(before: Before) -> Past:
    standing = before.entity_map.filter(~pl.col("attached"))
    former = before.former.group_by("ref", maintain_order=True).agg("old_id")
    return Past(
        dict(standing.select(_ref(), "entity_id").iter_rows()),
        set(before.entities["entity_id"]),
        before.claimed,
        dict(former.iter_rows()),
    )


def _first_seen(rows: pl.DataFrame, before: Before) -> pl.DataFrame:
    columns = ["entity_id", "entity_type", "first_seen_at"]
    known = before.entities.select(columns).join(rows.select("entity_id").unique(), on="entity_id", how="semi")
    return (
        pl.concat([rows.select(columns), known])
        .group_by("entity_id", "entity_type")
        .agg(pl.col("first_seen_at").min())
        .with_columns(pl.col("first_seen_at").fill_null(datetime.now(UTC)))
        .sort("entity_id")
    )


def _plain_ref() -> pl.Expr:
    return pl.concat_str(*REF, separator="/")


def _ref() -> pl.Expr:
    """Return a record's ref: with its type, for an id never passes from one type to another."""
    return pl.concat_str("entity_type", *REF, separator="/")
