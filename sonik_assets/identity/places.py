"""Places ids for mentions that lack one: cached look-ups, so that a second run asks and writes nothing.

One candidate is the place; several are ambiguous and give no id. Who answers is in `resources.places`.
"""

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from resources.places import Place, Places, Query
from resources.stores import tables

_KNOWN = sql.SQL("""
select query_hash, coalesce(alias_of, place_id), candidates
from identity.places_cache
where expires_at is null or expires_at > now()
""")
_CACHE = {"query_hash": pl.String, "place_id": pl.String, "candidates": pl.Int64}
_ASK = {"name": "name", "address": "address", "city": "city", "country": "country_code"}


@dataclass(frozen=True)
class Found:
    """`ids`: row, scheme, value; and how many questions were asked, are ambiguous or answered by none."""

    ids: pl.DataFrame
    asked: int = 0
    ambiguous: int = 0
    unknown: int = 0


def look_up(connection: psycopg.Connection, mentions: pl.DataFrame, places: Places | None) -> Found:
    """Look up prepared venue and organization records without Places id, inside the caller's transaction."""
    nothing = {"row": pl.UInt32, "scheme": pl.String, "value": pl.String}
    if places is None:
        return Found(pl.DataFrame(schema=nothing))
    rows = _lacking(mentions, places.origin)
    known = tables.read(connection, _KNOWN, _CACHE)
    new = rows.join(known, on="query_hash", how="anti").unique("query_hash", maintain_order=True)
    answers = _ask(new, places)
    if answers.height:
        tables.sync(connection, "identity.places_cache", ["query_hash"], answers, delete=False, touch=["looked_up_at"])
    done = pl.concat([known, answers.select(list(_CACHE))])
    found = rows.join(done, on="query_hash").filter(pl.col("place_id").is_not_null())
    here = done.join(rows.unique("query_hash"), on="query_hash", how="semi")["candidates"]
    ids = found.select("row", pl.lit("google_places_id").alias("scheme"), pl.col("place_id").alias("value"))
    return Found(ids.cast(nothing), answers.height, int((here > 1).sum()), int((here == 0).sum()))  # type: ignore[arg-type]


def uncontradicted(ids: pl.DataFrame, stated: pl.DataFrame, mentions: pl.DataFrame) -> pl.DataFrame:
    """Drop looked-up ids that would join organizations which state different domains: namesakes of one city."""
    organizations = mentions.filter(pl.col("entity_type") == "organization").select("row")
    domains = stated.filter(pl.col("scheme") == "domain").join(organizations, on="row")
    several = (
        ids.join(domains.select("row", domain="value"), on="row")
        .group_by("value")
        .agg(pl.col("domain").n_unique())
        .filter(pl.col("domain") > 1)
    )
    namesakes = organizations.join(ids, on="row").join(several, on="value", how="semi")
    return ids.join(namesakes, on=["row", "value"], how="anti")


def _lacking(mentions: pl.DataFrame, origin: str) -> pl.DataFrame:
    """Return `row`, `query` (JSON) and `query_hash` of the records to look up."""
    wanted = mentions.filter(
        pl.col("entity_type").is_in(["venue", "organization"])
        & ~pl.col("embedded")
        & (pl.col("google_place_id").str.strip_chars().replace("", None).is_null())
        & pl.col("name_key").is_not_null()
    ).select("row", "latitude", "longitude", *(pl.col(column).alias(name) for name, column in _ASK.items()))
    queries = [
        json.dumps({"origin": origin, **row}, sort_keys=True, ensure_ascii=False)
        for row in wanted.drop("row").iter_rows(named=True)
    ]
    hashes = [sha256(query.encode()).hexdigest() for query in queries]
    return wanted.select("row").with_columns(
        pl.Series("query", queries, pl.String), pl.Series("query_hash", hashes, pl.String)
    )


def _ask(new: pl.DataFrame, places: Places) -> pl.DataFrame:
    questions = [json.loads(text) for text in new["query"]]
    for question in questions:
        question.pop("origin")
    found = places.find([Query(**question) for question in questions])
    expires = datetime.now(UTC) + places.keeps if places.keeps else None
    rows = [
        (row["query_hash"], row["query"], *_answer(candidates, places), len(candidates), expires)
        for row, candidates in zip(new.iter_rows(named=True), found, strict=True)
        if candidates is not None
    ]
    types: dict[str, Any] = {**_CACHE, "query": pl.String, "answer": pl.String, "expires_at": pl.Datetime("us", "UTC")}
    order = ["query_hash", "query", "place_id", "answer", "candidates", "expires_at"]
    return pl.DataFrame(rows, {name: types[name] for name in order}, orient="row")


def _answer(candidates: list[Place], places: Places) -> tuple[str | None, str]:
    only = candidates[0].place_id if len(candidates) == 1 else None
    # Who lends answers for a time (Google) lets us keep the ids, not the rest.
    kept = [{"place_id": place.place_id} if places.keeps else asdict(place) for place in candidates]
    return only, json.dumps(kept, sort_keys=True, ensure_ascii=False)
