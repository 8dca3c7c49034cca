"""Things named inside other records without an identifier -> the entity that is meant, or nothing, or a question. Pure.

A listing's venue, an event's artist. They are attached to entities and make none; all mentions of one profile (`key`)
mean the same. What a person decided for one of them holds for all.
"""

import polars as pl

ATTACHED = {
    **dict.fromkeys(("key", "entity_id", "linked_by", "ref"), pl.String),
    "score": pl.Float64,
}
"""`ref`: the record that it was found to be like; `linked_by`: `decision`, `name` or `likeness`."""
DOUBTS = {**dict.fromkeys(("key", "ref", "reason"), pl.String), "score": pl.Float64}


SURE = 0.7
"""A named mention is attached from this probability on, where nothing else comes near: it merges nothing, and most
things that are named are known. Two records become one only from the matcher's own, much higher threshold."""
NEAR = 0.2
"""An entity less than this below the likeliest is a rival."""


def attach(
    named: pl.DataFrame, records: pl.DataFrame, pairs: pl.DataFrame, decisions: pl.DataFrame, twins: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return ATTACHED and DOUBTS, at most one row a key in each.

    named: key, entity_type, name_key, city_key, address. records: ref, entity_type, name_key, city_key, entity_id
    (records of their own that share a name with one of these). pairs: key, ref, entity_id, probability. decisions:
    key, ref, entity_id, judgement. twins: entity_id, twin: entities that may be one, so that they are no rivals.
    """
    refused = decisions.filter(pl.col("judgement") == "different").select("key", "entity_id")
    decided = _decided(decisions)
    open_ = named.join(decided, on="key", how="anti")
    allowed = pairs.join(refused, on=["key", "entity_id"], how="anti").join(open_, on="key", how="semi")
    alike = _best(allowed, twins)
    sure = (pl.col("score") >= SURE) & (pl.col("rivals") == 0)
    likely = alike.filter(sure).with_columns(linked_by=pl.lit("likeness"))
    by_name = _by_name(open_, records).join(refused, on=["key", "entity_id"], how="anti")
    by_name = by_name.join(likely, on="key", how="anti")
    doubts = alike.filter(~sure).join(by_name, on="key", how="anti")
    several = pl.when(pl.col("rivals") > 0).then(pl.lit("several are as likely")).otherwise(pl.lit("doubtful"))
    columns = list(ATTACHED)
    return (
        pl.concat([part.select(columns).cast(ATTACHED) for part in (decided, likely, by_name)]),  # type: ignore[arg-type]
        doubts.with_columns(reason=several).select(list(DOUBTS)).cast(DOUBTS),  # type: ignore[arg-type]
    )


def _decided(decisions: pl.DataFrame) -> pl.DataFrame:
    same = decisions.filter(pl.col("judgement") == "same").sort("key", "ref").unique("key", keep="first")
    return same.select("key", "entity_id", pl.lit("decision").alias("linked_by"), "ref", pl.lit(1.0).alias("score"))


def _best(pairs: pl.DataFrame, twins: pl.DataFrame) -> pl.DataFrame:
    """Return key, entity_id, ref, score of the likeliest entity, and how many others are as likely (`rivals`)."""
    ranked = pairs.sort("key", pl.col("probability").neg(), "ref")
    entities = ranked.unique(["key", "entity_id"], keep="first", maintain_order=True)
    best = entities.unique("key", keep="first", maintain_order=True).rename({"probability": "score"})
    others = entities.join(best.select("key", best="entity_id", score="score"), on="key").filter(
        (pl.col("entity_id") != pl.col("best")) & (pl.col("probability") > pl.col("score") - NEAR)
    )
    rivals = others.join(twins, left_on=["best", "entity_id"], right_on=["entity_id", "twin"], how="anti")
    counted = rivals.group_by("key").agg(rivals=pl.len().cast(pl.Int64))
    return (
        best.join(counted, on="key", how="left", maintain_order="left")
        .with_columns(pl.col("rivals").fill_null(0))
        .select("key", "entity_id", "ref", "score", "rivals")
    )


def _by_name(named: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """Return the keys whose name one entity of the type has; of venues one of that city, if no address is given."""
    is_venue = pl.col("entity_type") == "venue"
    open_ = named.filter(~is_venue | pl.col("address").is_null())
    pairs = open_.join(records, on=["entity_type", "name_key"], suffix="_known")
    near = pairs.filter(~is_venue | (pl.col("city_key") == pl.col("city_key_known")))
    unique = (
        near.sort("key", "ref")
        .group_by("key", maintain_order=True)
        .agg(pl.col("entity_id").n_unique().alias("entities"), pl.col("entity_id").first(), pl.col("ref").first())
    )
    return unique.filter(pl.col("entities") == 1).select(
        "key", "entity_id", pl.lit("name").alias("linked_by"), "ref", pl.lit(1.0).alias("score")
    )
