"""The life of identifiers: since when a record gives a value, until when, and who had it before. Pure polars.

Here: validity, renames, reuse, and which handles are verified. What links or forbids is decided elsewhere.

The history is in the rows themselves, so that nothing else need be kept: a rename is a value that ends at the
instant at which another of the same record and scheme begins; a reuse, a value that another record ended before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import Any

import polars as pl

from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.likeness import FAR_KM, MOST_NAMES, kilometres
from sonik_assets.identity.normalize.text import alike

_INSTANT = pl.Datetime("us", "UTC")
LIVES: dict[str, Any] = {
    **dict.fromkeys((*REF, "entity_type", "scheme", "value", "name_key"), pl.String),
    "weak": pl.Boolean,
    **dict.fromkeys(("valid_from", "valid_to", "verified_at"), _INSTANT),
}
"""Columns of `Lives.rows`. `name_key`: the name under which the record last gave the value."""

RENAMED = ("instagram_url", "domain", "google_places_id")
"""Schemes of which a thing has one at a time, so that a new value for the old one is a rename."""

REUSED = ("instagram_url", "domain", "google_places_id", "email")
"""Schemes whose registers give a value again once it is free, or that change owners."""

_KEY = [*REF, "scheme", "value"]
_SLOT = [*REF, "entity_type", "scheme"]
_HOLDING = ["entity_type", "scheme", "value"]


@dataclass(frozen=True)
class Lives:
    """Frames, in an order that the input's does not decide.

    `rows`: LIVES, each (record, scheme, value) once, `valid_to` set where the record no longer gives it.
    `renames`: entity_type, scheme, old_value, new_value, REF, at: a record named alike replaced its one value.
    `reused`: entity_type, scheme, value, left_* (former holder), right_* (the record that gives it now, under an
    unlike name), at (since when): opens a review; the right record's value must link nothing.
    """

    rows: pl.DataFrame
    renames: pl.DataFrame
    reused: pl.DataFrame


def lives(
    before: pl.DataFrame,
    now: pl.DataFrame,
    at: datetime,
    verified: pl.DataFrame | None = None,
    examined: pl.DataFrame | None = None,
) -> Lives:
    """Return the lives of all values of `before` and `now`.

    `before`: LIVES as written by the last run (`name_key` may be missing: then a record's name of today stands in),
    of all records or of some, with the other holders of their values. `now`: REF, entity_type, scheme, value (both
    null: the record gives none), name_key, updated_at (null: `at`). `at`: the time of the run. `verified`: what
    `verified_own` returns. `examined`: REF of the records that this run looked at, where that is not all of `before`:
    only they can have given up what is not in `now`.
    """
    seen = _seen(now, at)
    given = seen.drop_nulls("value")
    known = _named(before, given)
    changes = _changes(known, seen, at)
    ended = _ended(known, given, changes, at, examined)
    rows = _rows(known, given, ended, _fresh(known, given, changes), verified)
    return Lives(rows, _renames(rows), _reused(rows))


def verified_own(now: pl.DataFrame) -> pl.DataFrame:
    """Return REF, scheme, value, verified_at of the venues' Instagram handles that two sources agree on.

    `now`: as for `lives`, with latitude and longitude (null: unknown). Two records agree if they are of different
    origin (source, or the provider that begins a scraper's record id), give the handle under alike names, and are
    within 2 km where both have coordinates; the time is the later `updated_at` of the two, the latest of all pairs.
    A handle seen under more spellings or places than one venue has is a chain's, and nobody's own.
    """
    handles = (
        now.filter((pl.col("entity_type") == "venue") & (pl.col("scheme") == "instagram_url"))
        .drop_nulls(["name_key", "updated_at"])
        .with_columns(origin=_origin())
    )
    told = ["value", "origin", "name_key", "latitude", "longitude"]
    views = handles.group_by(told).agg(pl.col("updated_at").max()).sort(told)
    several = (pl.col("origin").n_unique().over("value") > 1) & (pl.len().over("value") <= MOST_NAMES)
    groups = views.filter(several).partition_by("value", maintain_order=True)
    agreed = [view for group in groups for view in _agreed(group)]
    types = {**{name: handles.schema[name] for name in told}, "verified_at": _INSTANT}
    found = pl.DataFrame(agreed, types, orient="row").group_by(told).agg(pl.col("verified_at").max())
    return handles.join(found, on=told, nulls_equal=True).group_by(_KEY).agg(pl.col("verified_at").max()).sort(_KEY)


def _seen(now: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return today's records and values once each, `since` no later than the run."""
    since = pl.min_horizontal(pl.col("updated_at").fill_null(at), pl.lit(at, _INSTANT))
    return (
        now.select(*REF, "entity_type", "scheme", "value", "name_key", since=since)
        .sort(pl.all())
        .unique(_KEY, keep="last", maintain_order=True)
    )


def _named(before: pl.DataFrame, given: pl.DataFrame) -> pl.DataFrame:
    if "name_key" in before.columns:
        return before
    names = given.group_by(REF).agg(pl.col("name_key").max())
    return before.join(names, on=list(REF), how="left", maintain_order="left")


def _ended(
    before: pl.DataFrame, given: pl.DataFrame, changes: pl.DataFrame, at: datetime, examined: pl.DataFrame | None
) -> pl.DataFrame:
    """Return the keys of the values that records gave up, with `valid_to`: when their record changed."""
    held = before.filter(pl.col("valid_to").is_null())
    if examined is not None:
        held = held.join(examined.select(REF).unique(), on=list(REF), how="semi")
    return (
        held.join(given, on=_KEY, how="anti")
        .join(changes, on=list(REF), how="left")
        .select(*_KEY, valid_to=pl.col("changed").fill_null(at))
    )


def _changes(before: pl.DataFrame, today: pl.DataFrame, at: datetime) -> pl.DataFrame:
    """Return REF and `changed`: when a record's values of today replaced those it had.

    The source's clock, unless it stood still: then our own rules read the same record in another way.
    """
    last = before.group_by(REF).agg(last=pl.max_horizontal(pl.col("valid_from").max(), pl.col("valid_to").max()))
    seen = today.group_by(REF).agg(pl.col("since").max()).join(last, on=list(REF))
    return seen.select(
        *REF, changed=pl.when(pl.col("since") > pl.col("last")).then("since").otherwise(pl.lit(at, _INSTANT))
    )


def _rows(
    before: pl.DataFrame, given: pl.DataFrame, ended: pl.DataFrame, fresh: pl.DataFrame, verified: pl.DataFrame | None
) -> pl.DataFrame:
    kept = before.join(ended.rename({"valid_to": "ends"}), on=_KEY, how="left").join(
        given.select(*_KEY, name_now="name_key", gives=pl.lit(value=True)), on=_KEY, how="left"
    )
    old = kept.with_columns(
        valid_to=pl.when(pl.col("gives").is_null()).then(pl.coalesce("valid_to", "ends")),
        name_key=pl.coalesce("name_now", "name_key"),
    )
    rows = pl.concat([_shaped(old), _shaped(fresh)])
    if verified is not None:
        seen = verified.select(*_KEY, seen="verified_at")
        rows = rows.join(seen, on=_KEY, how="left").with_columns(verified_at=pl.coalesce("seen", "verified_at"))
    return _shaped(rows).sort(_KEY)


def _fresh(before: pl.DataFrame, given: pl.DataFrame, changes: pl.DataFrame) -> pl.DataFrame:
    """Return the values that their records give for the first time."""
    new = given.join(before, on=_KEY, how="anti").join(changes, on=list(REF), how="left")
    return new.with_columns(
        valid_from=pl.coalesce("changed", "since"),
        valid_to=pl.lit(None, _INSTANT),
        verified_at=pl.lit(None, _INSTANT),
        weak=pl.lit(value=False),
    )


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(pl.col(name).cast(kind) for name, kind in LIVES.items())


def _renames(rows: pl.DataFrame) -> pl.DataFrame:
    single = rows.filter(pl.col("scheme").is_in(RENAMED))
    ended = _alone(single.filter(pl.col("valid_to").is_not_null()).rename({"valid_to": "at"}))
    begun = _alone(single.rename({"valid_from": "at"}))
    pairs = ended.join(begun, on=[*_SLOT, "at"], suffix="_new").filter(pl.col("value") != pl.col("value_new"))
    return (
        pairs.filter(_alike(pairs, "name_key", "name_key_new"))
        .select("entity_type", "scheme", *REF, "at", old_value="value", new_value="value_new")
        .sort(pl.all())
    )


def _alone(rows: pl.DataFrame) -> pl.DataFrame:
    """Keep values that are their record's only one of the scheme to begin, or to end, at the instant."""
    return rows.filter(pl.len().over([*_SLOT, "at"]) == 1).select(*_SLOT, "at", "value", "name_key")


def _reused(rows: pl.DataFrame) -> pl.DataFrame:
    free = rows.filter(pl.col("scheme").is_in(REUSED))
    # One former holder for each name will do: a value of many records has few names, or is common anyway.
    former = (
        free.filter(pl.col("valid_to").is_not_null())
        .sort("valid_to", *REF)
        .unique([*_HOLDING, "name_key"], keep="last", maintain_order=True)
        .filter(pl.len().over(_HOLDING) <= MOST_NAMES)
        .select(*_HOLDING, "valid_to", "name_key", *(pl.col(name).alias(f"left_{name}") for name in REF))
    )
    holders = free.filter(pl.col("valid_to").is_null()).select(
        *_HOLDING, "name_key", *(pl.col(name).alias(f"right_{name}") for name in REF), at="valid_from"
    )
    pairs = holders.join(former, on=_HOLDING, suffix="_left").filter(
        pl.any_horizontal(pl.col(f"left_{name}") != pl.col(f"right_{name}") for name in REF)
        & (pl.col("at") >= pl.col("valid_to"))
    )
    right = [*_HOLDING, *(f"right_{name}" for name in REF)]
    return (
        pairs.with_columns(alike=_alike(pairs, "name_key", "name_key_left"))
        .filter(~pl.col("alike").any().over(right))
        .sort("valid_to", *(f"left_{name}" for name in REF))
        .unique(right, keep="last", maintain_order=True)
        .select(*_HOLDING, *(f"left_{name}" for name in REF), *(f"right_{name}" for name in REF), "at")
        .sort(pl.all())
    )


def _alike(pairs: pl.DataFrame, left: str, right: str) -> pl.Series:
    """Tell row by row whether the two names are alike; an unknown name is like none."""
    names = pairs.select(left, right)
    known = names.drop_nulls().unique()
    told = known.with_columns(alike=pl.Series([alike(*pair) for pair in known.iter_rows()], dtype=pl.Boolean))
    return names.join(told, on=[left, right], how="left", maintain_order="left")["alike"].fill_null(value=False)


def _origin() -> pl.Expr:
    provider = pl.col("record_id").str.extract("^([^:]+):", 1).fill_null("")
    return pl.concat_str("source", provider, separator="/")


def _agreed(views: pl.DataFrame) -> Iterator[tuple[object, ...]]:
    """Yield the views of one value that another one confirms, each with the later time of the two."""
    for left, right in combinations(views.iter_rows(), 2):
        (_, origin, name, *here, seen), (_, other, named, *there, seen_there) = left, right
        if origin != other and alike(name, named) and _near(here, there):
            for view in (left, right):
                yield (*view[:-1], max(seen, seen_there))


def _near(here: list[float | None], there: list[float | None]) -> bool:
    (a, b), (c, d) = here, there
    if a is None or b is None or c is None or d is None:
        return True
    return kilometres((a, b), (c, d)) <= FAR_KM
