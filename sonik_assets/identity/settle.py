"""Clusters of today -> entities: their ids, canonical ids and first sight; the map and redirects that follow.

Pure but for the minting of ids, which the caller passes in. The rules of ids are in `entity_ids.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import polars as pl

from sonik_assets.identity.entity_ids import Assignment, assign
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.linking import canonical_ids, with_own_id
from sonik_assets.identity.store import Before


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
) -> Settled:
    """Give the clusters (`members`: row, cluster, linked_by) of prepared records their entities."""
    rows = records.select("row", *REF, "entity_type", "first_seen_at").join(members, on="row")
    rows = rows.sort("cluster", "row")
    clusters = rows.group_by("cluster", maintain_order=True).agg(_ref().alias("refs"))
    previous = dict(before.entity_map.select(_ref(), "entity_id").iter_rows())
    moves = assign(clusters["refs"].to_list(), previous, set(before.entities["entity_id"]), mint)
    ids = clusters.select("cluster", pl.Series("entity_id", moves.ids, pl.String))
    rows = rows.join(ids, on="cluster")
    named = canonical_ids(strong.select("row", "entity_type", "scheme", "value"), members)
    entities = _first_seen(rows, before).join(named.join(ids, on="cluster"), on="entity_id", how="left")
    columns = ["entity_id", "entity_type", "canonical_scheme", "canonical_id", "first_seen_at"]
    return Settled(
        rows.select(*REF, "row", "entity_type", "entity_id", "linked_by"),
        with_own_id(entities).select(columns),
        moves,
    )


def entity_map(before: Before, present: pl.DataFrame, *parts: Settled) -> pl.DataFrame:
    """Return the map: the members, and deleted records (not `present`) with the id they would come back to."""
    moved = {old: new for part in parts for old, new in part.moves.redirects.items()}
    gone = before.entity_map.join(present, on=list(REF), how="anti")
    gone = gone.with_columns(pl.col("entity_id").replace(moved))
    columns = [*REF, "entity_id", "entity_type", "linked_by"]
    return pl.concat([*(part.members.select(columns) for part in parts), gone.select(columns)])


def redirects(before: Before, *parts: Settled) -> pl.DataFrame:
    """Return all redirects, none of them to an id that is redirected itself."""
    moved = {old: new for part in parts for old, new in part.moves.redirects.items()}
    old = before.redirects.filter(~pl.col("old_id").is_in(list(moved)))
    new = pl.DataFrame(list(moved.items()), {"old_id": pl.String, "new_id": pl.String}, orient="row")
    return pl.concat([old.with_columns(pl.col("new_id").replace(moved)), new.with_columns(reason=pl.lit("merged"))])


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


def _ref() -> pl.Expr:
    """Return a record's ref: with its type, for an id never passes from one type to another."""
    return pl.concat_str("entity_type", *REF, separator="/")
