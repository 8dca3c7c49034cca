"""Anonymous visitors become known users when they sign in. Pure: evidence -> spans, visitor by visitor.

Linked spans of one visitor never overlap: a person has a visitor from the first evidence (and 30 days before the
visitor's very first sign-in) until another person's.
"""

from typing import Any

import polars as pl

EVIDENCE: dict[str, Any] = {
    "anonymous_id": pl.String,
    "user_record": pl.String,
    "method": pl.String,
    "evidence_at": pl.Datetime("us", "UTC"),
}
"""The columns of staging.visitor_evidence and their types; `method` is `sign_in` or `profile`."""
USERS: dict[str, Any] = {"user_record": pl.String, "entity_id": pl.String}
"""Who each user is: several accounts may be one person."""
PAIR: dict[str, Any] = {"anonymous_id": pl.String, "user_record": pl.String}
"""A link that a person took back."""
SPANS = (*EVIDENCE, "valid_from", "valid_to", "status")
"""What `spans` returns; half-open, UTC; `valid_to` null: still. With users, `entity_id` follows."""

LISTED = "profile"
"""Evidence without a moment of its own: the account lists the visitor, its time is the account's."""
LOOK_BACK = pl.duration(days=30)
"""Of sign-ins only: what a visitor did before an account was made was not shown to be its owner's."""

_VISITOR = "anonymous_id"
_INSTANT = [_VISITOR, "at"]


def spans(
    evidence: pl.DataFrame, users: pl.DataFrame | None = None, undone: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Return SPANS with `status` `linked`, `contested` (two persons at one instant) or `undone`.

    `users` (USERS) tells who a user is, and spans of other users are not returned, though they end those of others;
    without it every user is a person of its own. `undone` (PAIR): links that stay taken back, whose time nobody gets.
    """
    claims = _claims(evidence, users, undone)
    instants = _instants(claims)
    found = claims.join(instants, on=_INSTANT).with_columns(
        status=pl.when("undone")
        .then(pl.lit("undone"))
        .when("contested")
        .then(pl.lit("contested"))
        .otherwise(pl.lit("linked"))
    )
    kept = found.filter(pl.col("entity_id").is_not_null()) if users is not None else found.drop("entity_id")
    names = [*SPANS, *(["entity_id"] if users is not None else [])]
    return kept.sort(_VISITOR, "at", "user_record").select(names)


def _claims(evidence: pl.DataFrame, users: pl.DataFrame | None, undone: pl.DataFrame | None) -> pl.DataFrame:
    """Return who claims a visitor from which instant `at` on: one row an instant, person and `undone`."""
    listed = pl.col("method") == LISTED
    # Where a visitor has signed in, sign-ins alone count.
    rows = evidence.select(list(EVIDENCE)).drop_nulls().filter(~listed | listed.all().over(_VISITOR))
    known = users if users is not None else pl.DataFrame(schema=USERS)
    taken = undone if undone is not None else pl.DataFrame(schema=PAIR)
    claims = (
        rows.join(known.select(list(USERS)), on="user_record", how="left")
        .join(taken.select(list(PAIR)).unique().with_columns(undone=True), on=list(PAIR), how="left")
        .with_columns(
            pl.col("undone").fill_null(value=False),
            person=pl.coalesce("entity_id", pl.concat_str(pl.lit("user "), "user_record")),
        )
    )
    return (
        _moments(claims)
        .sort(*_INSTANT, "evidence_at", "user_record", "method")
        .unique([*_INSTANT, "person", "undone"], keep="first", maintain_order=True)
    )


def _moments(claims: pl.DataFrame) -> pl.DataFrame:
    """Give each claim its instant `at`.

    Sign-ins have one. Lists of accounts speak all from the earliest account on whose link holds: they say that the
    visitor is theirs, not since when, so that two of them contest each other, and one that is undone neither begins nor
    ends what is another's.
    """
    live = pl.col("evidence_at").filter(~pl.col("undone")).min().over(_VISITOR)
    earliest = pl.coalesce(live, pl.col("evidence_at").min().over(_VISITOR))
    return claims.with_columns(at=pl.when(pl.col("method") == LISTED).then(earliest).otherwise("evidence_at"))


def _instants(claims: pl.DataFrame) -> pl.DataFrame:
    """Return the instants at which something changes, with `contested`, `valid_from` and `valid_to`."""
    live = pl.col("person").filter(~pl.col("undone"))
    instants = (
        claims.group_by(_INSTANT)
        .agg(
            contested=live.n_unique() > 1,
            signed=(pl.col("method") != LISTED).any(),
            state=pl.concat_str("undone", "person", separator=" ").sort().str.join("\n"),
        )
        .sort(_INSTANT)
        # After a contested instant anyone's next evidence begins a span.
        .with_columns(settled=pl.when(~pl.col("contested")).then("state"))
    )
    before = pl.col("settled").shift().over(_VISITOR)
    starts = instants.filter((pl.col("state") != before).fill_null(value=True))
    first = pl.col("at") == pl.col("at").min().over(_VISITOR)
    return starts.select(
        *_INSTANT,
        "contested",
        valid_from=pl.when(first & pl.col("signed")).then(pl.col("at") - LOOK_BACK).otherwise("at"),
        valid_to=pl.col("at").shift(-1).over(_VISITOR),
    )
