"""A run hears what the register says: of what changed, of what waited, and of ids that are none any more.

The order only. An unchanged record to which an answer is news is read again, as if it had changed: what follows for it
is decided as everywhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
import psycopg

from resources.places import Places
from sonik_assets.identity import inbox
from sonik_assets.identity.identifiers import MENTIONS, REF, identifiers, prepare
from sonik_assets.identity.places import asked, cache
from sonik_assets.identity.places.lookup import Found, ids, look_up
from sonik_assets.identity.places.queries import KINDS, lacking

NEVER_GIVEN = "place id: never given by Google"


@dataclass(frozen=True)
class Said:
    """What sources say. `mentions`: prepared; `stated`: row, scheme, value; `refused`: reason -> count."""

    mentions: pl.DataFrame
    stated: pl.DataFrame
    refused: Mapping[str, int]


@dataclass(frozen=True)
class Heard:
    """`said`: what sources say, with the records read again, without ids that are none; `ids`: row, scheme, value.

    `found`: the look-up; `rows`: of `lacking`, all who ask; `changed`: REF of what was read and of what is gone.
    """

    said: Said
    ids: pl.DataFrame
    found: Found
    rows: pl.DataFrame
    changed: pl.DataFrame

    def counts(self) -> dict[str, int]:
        """Return counts of questions, for the report."""
        told = self.found
        return {
            "asked": told.asked, "ambiguous": told.ambiguous, "doubtful": told.doubtful, "unknown": told.unknown,
            "waiting": told.waiting,
        }  # fmt: skip


def hear(connection: psycopg.Connection, said: Said, gone: pl.DataFrame, places: Places | None, *, full: bool) -> Heard:
    """Look up what lacks a Places id. `said`: everything (`full`) or what changed; `gone`: REF of what is no more.

    Outside of a transaction, as `look_up`; raises as that.
    """
    said = _with(said, _again(connection, said, gone, full=full))  # of ids that were checked before
    none = cache.retired(connection)
    found = look_up(connection, unstated(said.mentions, none), places, None if full else gone)
    again, now = _again(connection, said, gone, full=full), cache.retired(connection)
    rows, told = found.rows, found.ids
    if again.height or not now.equals(none):
        said = _with(said, again)
        rows = lacking(unstated(said.mentions, now))
        told = ids(rows, cache.known(connection, rows["query_hash"].unique().to_list(), None))
    changed = pl.concat([said.mentions.filter(pl.col("entity_type").is_in(KINDS)).select(REF), gone.select(REF)])
    return Heard(_heeding(said, now), told, found, rows, changed)


def remember(connection: psycopg.Connection, heard: Heard, *, full: bool) -> None:
    """Note who asks what and what waits, in the transaction in which the run decides."""
    refs = heard.said.mentions.select("row", *REF)
    asking = heard.rows.join(refs, on="row").select(*REF, "query_hash")
    unanswered = heard.found.rows.join(heard.found.done, on="query_hash", how="anti")
    asked.remember(connection, asking, unanswered, heard.changed, full=full)


def unstated(mentions: pl.DataFrame, none: pl.DataFrame) -> pl.DataFrame:
    """Return prepared mentions as if they did not state the ids of `cache.retired`."""
    stale = pl.col("google_place_id").str.strip_chars().is_in(none["place_id"].to_list())
    return mentions.with_columns(google_place_id=pl.when(~stale).then("google_place_id"))


def _again(connection: psycopg.Connection, said: Said, gone: pl.DataFrame, *, full: bool) -> pl.DataFrame:
    """Return rows of staging.mentions that were not read yet; where all were, none."""
    read = pl.concat([said.mentions.select(REF), gone.select(REF)])
    return pl.DataFrame() if full else asked.with_news(connection, read)


def _with(said: Said, again: pl.DataFrame) -> Said:
    """Return what is said with more rows of staging.mentions."""
    if again.is_empty():
        return said
    mentions = prepare(pl.concat([said.mentions.select([*MENTIONS, *inbox.EXTRA]), again]))
    return Said(mentions, *identifiers(mentions))


def _heeding(said: Said, none: pl.DataFrame) -> Said:
    stale = (pl.col("scheme") == "google_places_id") & pl.col("value").is_in(none["place_id"].to_list())
    dropped = said.stated.filter(stale).join(none, left_on="value", right_on="place_id")
    never = dropped.filter(pl.col("status") == "invalid").height
    refused = {**said.refused, NEVER_GIVEN: never} if never else said.refused
    return Said(said.mentions, said.stated.filter(~stale), refused)
