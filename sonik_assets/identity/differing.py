"""Which changed records say anything else than before of what resolution looks at: only from those a change spreads.

A listing whose description changed names the same club, artists and organizer as before: they are not asked again.
"""

from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from sonik_assets.identity import memory
from sonik_assets.identity.identifiers import REF
from sonik_assets.identity.profiles import PROFILES

_HELD: dict[str, Any] = dict.fromkeys((*REF, "scheme", "value", "reused_from"), pl.String)
_LIVE = sql.SQL("{} and t.valid_to is null").format(memory.IN_CHANGED)
_OWN = sql.SQL("t.key in (select concat_ws('/', source, table_name, record_id) from changed_refs)")


def differing(
    connection: psycopg.Connection,
    mentions: pl.DataFrame,
    compared: pl.DataFrame,
    held: pl.DataFrame,
    gone: pl.DataFrame,
) -> pl.DataFrame:
    """Return REF of what is new, gone or says something else than is remembered; before that is brought up to date.

    mentions: profiles.MENTIONS; compared: profiles.PROFILES; held: holdings.HELD; gone: REF.
    """
    known = pl.concat([mentions.select(REF), gone.select(REF), held.select(REF)]).unique()
    memory.stage_refs(connection, known)
    was = memory.select(
        connection, "mentions", dict.fromkeys((*REF, "entity_type", "key"), pl.String), memory.IN_CHANGED
    )
    profiles = memory.select(connection, "profiles", PROFILES, _OWN)
    before = memory.select(connection, "identifiers", _HELD, _LIVE)
    now = held.filter(pl.col("valid_to").is_null()).select(list(_HELD))
    new = mentions.join(was, on=[*REF, "entity_type", "key"], how="anti")
    own = mentions.filter(~pl.col("embedded"))
    other = own.join(compared.join(profiles, on=list(PROFILES), how="semi", nulls_equal=True), on="key", how="anti")
    # Of others than those that were read, `held` has only the values that they share with these.
    read = before.join(pl.concat([mentions.select(REF), gone.select(REF)]), on=list(REF), how="semi")
    parts = [new, other, gone, _only(now, before), _only(read, now), _verifying(mentions, now)]
    return pl.concat([part.select(REF) for part in parts]).unique()


def _only(one: pl.DataFrame, other: pl.DataFrame) -> pl.DataFrame:
    return one.join(other, on=list(_HELD), how="anti", nulls_equal=True)


def _verifying(mentions: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """Return the venues' mentions with a handle: when they were last written says since when it is verified."""
    handles = now.filter(pl.col("scheme") == "instagram_url")
    return mentions.filter(pl.col("entity_type") == "venue").join(handles, on=list(REF), how="semi")
