"""The stage: staging -> identifiers, clusters, entity ids, event keys, visitors; one transaction, one lock.

The order only; each step is a pure module of its own, reading and writing is in `store.py`.
"""

from collections import Counter
from dataclasses import dataclass, field
from functools import partial

import polars as pl
import psycopg

from resources.errors import TerminalError
from resources.places import Places
from resources.stores.tables import Counts
from sonik_assets.identity import events, store, visitors
from sonik_assets.identity.identifiers import MENTIONS, REF, identifiers, prepare
from sonik_assets.identity.linking import link_mentions
from sonik_assets.identity.places import Found, look_up, uncontradicted
from sonik_assets.identity.settle import entity_map, redirects, settle
from sonik_assets.identity.tables import ensure_tables, lock


@dataclass(frozen=True)
class Report:
    """What a run did: for people, in the metadata of the assets."""

    mentions: int
    unresolved: int
    refused: dict[str, int]
    weak: int
    entities: dict[str, int]
    changes: dict[str, int]
    warnings: dict[str, int]
    places: dict[str, int]
    evidence: int
    evidence_unused: int
    written: dict[str, Counts] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)


def resolve(connection: psycopg.Connection, places: Places | None = None) -> Report:
    """Resolve everything and commit. Raises TerminalError where staging is missing or has become empty."""
    with connection.transaction():
        ensure_tables(connection)
        lock(connection)
        return _resolve(connection, places)


def _resolve(connection: psycopg.Connection, places: Places | None) -> Report:
    before = store.before(connection)
    mentions = prepare(store.staging(connection, "mentions", MENTIONS))
    happenings = store.staging(connection, "event_mentions", events.EVENT_MENTIONS)
    evidence = store.staging(connection, "visitor_evidence", visitors.EVIDENCE)
    _guard(before, mentions)
    mint = partial(store.mint, connection)
    found = look_up(connection, mentions, places)
    known, refused = _known(mentions, found)
    linked = link_mentions(mentions, known.select("row", "scheme", "value"))
    known = _mark_weak(known, linked.weak)
    things = settle(before.part(event=False), mentions, linked.members, known.filter(~pl.col("weak")), mint)
    times = events.event_times(_with_venue(happenings, things.members), _venues(mentions, things.members))
    shows = _as_mentions(happenings, times)
    shows_known = _known_keys(shows)
    joined = link_mentions(shows, shows_known.select("row", "scheme", "value"))
    happened = settle(before.part(event=True), shows, joined.members, shows_known, mint)
    decided = store.Decided(
        identifiers=pl.concat([part.drop("row", "first_seen_at") for part in (known, shows_known)]),
        entity_map=entity_map(before, pl.concat([mentions.select(REF), shows.select(REF)]), things, happened),
        entities=pl.concat([things.entities, happened.entities]),
        redirects=redirects(before, things, happened),
        event_times=times.join(happened.members.select(*REF, "entity_id"), on=list(REF)),
        visitors=_visitors(evidence, things.members),
        changes=[*things.moves.changes, *happened.moves.changes],
    )
    written = store.write(connection, decided)
    return Report(
        mentions=mentions.height + happenings.height,
        unresolved=mentions.height - things.members.height,
        refused=refused,
        weak=linked.weak.height,
        entities=_count(decided.entities["entity_type"]),
        changes=dict(Counter(change.kind for change in decided.changes)),
        warnings=_count(times["warning"].drop_nulls()),
        places={"asked": found.asked, "ambiguous": found.ambiguous, "unknown": found.unknown},
        evidence=evidence.height,
        evidence_unused=_unused(evidence, decided.visitors),
        written=written,
        rows={name: getattr(decided, name).height for name in ("identifiers", "entity_map", "visitors")},
    )


def _guard(before: store.Before, mentions: pl.DataFrame) -> None:
    if before.entities.height and not mentions.height:
        raise TerminalError(
            f"staging.mentions is empty though {before.entities.height} entities live:"
            " check the sources and the staging models, then run again"
        )


def _known(mentions: pl.DataFrame, found: Found) -> tuple[pl.DataFrame, dict[str, int]]:
    normal, refused = identifiers(mentions)
    looked_up = uncontradicted(found.ids, normal, mentions)
    known = pl.concat([normal, looked_up]).unique(maintain_order=True)
    return known.join(mentions.select("row", *REF, "entity_type", "first_seen_at"), on="row"), refused


def _mark_weak(known: pl.DataFrame, weak: pl.DataFrame) -> pl.DataFrame:
    marked = known.join(weak.with_columns(weak=True), on=["entity_type", "scheme", "value"], how="left")
    return marked.with_columns(pl.col("weak").fill_null(value=False))


def _venues(mentions: pl.DataFrame, members: pl.DataFrame) -> dict[str, events.Venue]:
    return events.venues(mentions, members.select("row", "entity_id"))


def _with_venue(happenings: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    venues = members.filter(pl.col("entity_type") == "venue").select(*REF, venue_id="entity_id")
    at = ["venue_source", "venue_table", "venue_record_id"]
    return happenings.join(venues, left_on=at, right_on=list(REF), how="left")


def _as_mentions(happenings: pl.DataFrame, times: pl.DataFrame) -> pl.DataFrame:
    """Give events the columns of prepared mentions: each is a record of its own, linked by its key alone."""
    own = happenings.select(*REF, "first_seen_at", entity_type=pl.lit("event"), embedded=pl.lit(value=False))
    empty = {"name_key": pl.String, "city_key": pl.String, "latitude": pl.Float64, "longitude": pl.Float64}
    return (
        own.join(times.select(*REF, "event_key"), on=list(REF))
        .sort(REF)
        .with_columns(pl.lit(None, kind).alias(name) for name, kind in empty.items())
        .with_row_index("row")
    )


def _known_keys(shows: pl.DataFrame) -> pl.DataFrame:
    keyed = shows.filter(pl.col("event_key").is_not_null())
    scheme, weak = pl.lit("event_key").alias("scheme"), pl.lit(value=False).alias("weak")
    return keyed.select("row", scheme, pl.col("event_key").alias("value"), *REF, "entity_type", "first_seen_at", weak)


def _visitors(evidence: pl.DataFrame, members: pl.DataFrame) -> pl.DataFrame:
    users = members.filter((pl.col("source") == "mongo") & (pl.col("table_name") == "users"))
    return visitors.spans(evidence).join(users.select("entity_id", user_record="record_id"), on="user_record")


def _unused(evidence: pl.DataFrame, found: pl.DataFrame) -> int:
    """Count evidence of users that are no records; what merely repeats a known link is not lost."""
    key = ["anonymous_id", "user_record"]
    return evidence.join(found.select(key).unique(), on=key, how="anti").height


def _count(values: pl.Series) -> dict[str, int]:
    return dict(Counter(values.to_list()).most_common())
