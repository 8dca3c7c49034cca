"""Prepared mentions and their identifiers -> members of clusters, type by type. Pure.

A record of its own always makes an entity. A mention inside another record (an event's organizer) makes one
only by a strong identifier, or joins one by its unique name; else it stays unresolved.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from sonik_assets.identity.clusters import Clusters, link
from sonik_assets.identity.likeness import Likeness
from sonik_assets.identity.schemes import CANONICAL, LINKING, OWN_ID

MEMBERS = {"row": pl.UInt32, "cluster": pl.UInt32, "linked_by": pl.String}


@dataclass(frozen=True)
class Linked:
    """`members`: row, cluster (its smallest row), linked_by. `weak`: entity_type, scheme, value."""

    members: pl.DataFrame
    weak: pl.DataFrame


def link_mentions(mentions: pl.DataFrame, identifiers: pl.DataFrame) -> Linked:
    """Link the mentions type by type; entities of different types never merge."""
    parts = [_link_type(mentions, identifiers, kind) for kind in sorted(LINKING)]
    return Linked(pl.concat(part.members for part in parts), pl.concat(part.weak for part in parts))


def canonical_ids(identifiers: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    """Return `cluster`, `canonical_scheme`, `canonical_id`: the value most records give, then the smallest.

    `identifiers` holds row, entity_type, scheme, value and no weak one, so no two clusters share a value.
    """
    ranks = [(kind, scheme, rank) for kind, all_ in CANONICAL.items() for rank, scheme in enumerate(all_)]
    order = pl.DataFrame(ranks, ["entity_type", "scheme", "rank"], orient="row")
    return (
        identifiers.join(order, on=["entity_type", "scheme"])
        .join(members, on="row")
        .group_by("cluster", "rank", "scheme", "value")
        .len()
        .sort("cluster", "rank", pl.col("len").cast(pl.Int64).neg(), "value")
        .unique("cluster", keep="first", maintain_order=True)
        .select("cluster", canonical_scheme="scheme", canonical_id="value")
    )


def with_own_id(entities: pl.DataFrame) -> pl.DataFrame:
    """Fill the canonical id of entities that no outside register names with their own id."""
    own = pl.col("canonical_id").is_null()
    return entities.with_columns(
        canonical_scheme=pl.when(own).then(pl.lit(OWN_ID)).otherwise("canonical_scheme"),
        canonical_id=pl.coalesce("canonical_id", "entity_id"),
    )


def _link_type(mentions: pl.DataFrame, identifiers: pl.DataFrame, kind: str) -> Linked:
    schemes = LINKING[kind]
    rows = mentions.filter(pl.col("entity_type") == kind).with_row_index("local")
    strong = identifiers.filter(pl.col("scheme").is_in(schemes)).join(rows.select("row", "local"), on="row")
    likeness = Likeness(rows["name_key"].fill_null("").to_list(), list(_points(rows, kind)))
    triples = strong.select("local", "scheme", "value").iter_rows()
    clusters = link(rows.height, triples, schemes, likeness.is_shared)
    weak = pl.DataFrame(sorted(clusters.weak), {"scheme": pl.String, "value": pl.String}, orient="row")
    return Linked(
        _members(rows, strong.join(weak, on=["scheme", "value"], how="anti"), clusters, kind),
        weak.select(pl.lit(kind).alias("entity_type"), "scheme", "value"),
    )


def _points(rows: pl.DataFrame, kind: str) -> Iterator[tuple[float, float] | None]:
    """Yield coordinates of venues: other things have none, or move."""
    for latitude, longitude in rows.select("latitude", "longitude").iter_rows():
        known = kind == "venue" and latitude is not None and longitude is not None
        yield (latitude, longitude) if known else None


def _members(rows: pl.DataFrame, strong: pl.DataFrame, clusters: Clusters, kind: str) -> pl.DataFrame:
    rank = {scheme: position for position, scheme in enumerate(LINKING[kind])}
    how = (
        strong.sort(pl.col("scheme").replace_strict(rank, default=None, return_dtype=pl.Int64))
        .unique("local", keep="first", maintain_order=True)
        .select("local", linked_by="scheme")
    )
    root = rows["row"].gather(clusters.root).alias("cluster")
    placed = rows.with_columns(root).join(how, on="local", how="left", maintain_order="left")
    stands = ~pl.col("embedded") | pl.col("linked_by").is_not_null()
    own = placed.filter(stands).with_columns(pl.col("linked_by").fill_null("record"))
    named = _by_name(own, placed.filter(~stands), kind)
    return pl.concat([own.select(list(MEMBERS)), named]).cast(MEMBERS)  # type: ignore[arg-type]


def _by_name(own: pl.DataFrame, mentioned: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Link mentions without identifier to the one entity of that name (venues: and city)."""
    key = ["name_key", "city_key"] if kind == "venue" else ["name_key"]
    unique = (
        own.group_by(key)
        .agg(pl.col("cluster").unique())
        .filter(pl.col("cluster").list.len() == 1)
        .select(*key, pl.col("cluster").list.first())
    )
    found = mentioned.drop("cluster", "linked_by").join(unique, on=key)
    return found.select("row", "cluster", pl.lit("name").alias("linked_by"))
