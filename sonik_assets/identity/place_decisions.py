"""A person says which place a look-up means, or that it is none: the records that ask have that id at once. Writes.

The choice is kept by `places/`, and later runs find it there; what it links is decided as everywhere.
"""

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.stores import tables
from sonik_assets.identity import holdings, inbox, places
from sonik_assets.identity.decisions import Done, deciding, settle
from sonik_assets.identity.holdings import Seen
from sonik_assets.identity.identifiers import MENTIONS, REF, identifiers, prepare
from sonik_assets.identity.places.queries import lacking
from sonik_assets.identity.schemes import PHASES

_LOOKED_UP = """
select query ->> 'name', coalesce((select array_agg(one ->> 'place_id') from jsonb_array_elements(answer) as one), '{}')
from identity.places_cache where query_hash = %s and query_hash not like 'place_id:%%'
"""


def choose(connection: psycopg.Connection, query_hash: str, place_id: str | None, by: str, reason: str = "") -> Done:
    """Note the choice and give the records that ask the place's id, or (None) none, and settle them.

    Raises TerminalError where there is no such look-up, the place is none of its candidates, nobody decides, or staging
    is missing.
    """
    with deciding(connection) as done:
        name = _name(connection, query_hash, place_id)
        places.decide(connection, query_hash, place_id, by, reason)
        seen = _asking(connection, name, query_hash, place_id)
        held = holdings.live(connection, list(PHASES[0]), seen, full=False)
        tables.sync(connection, "identity.identifiers", [*REF, "scheme", "value"], held.rows, delete=False)
        settle(connection, seen.mentions.select(pl.concat_str(*REF, separator="/")).to_series().to_list(), done)
    return done


def _name(connection: psycopg.Connection, query_hash: str, place_id: str | None) -> str:
    row = connection.execute(_LOOKED_UP, [query_hash]).fetchone()
    if row is None:
        raise TerminalError(f"there is no look-up {query_hash}: `sonik review list` names those that wait")
    if place_id is not None and place_id not in row[1]:
        known = ", ".join(row[1]) or "none: it found nothing"
        raise TerminalError(f"{place_id} is no candidate of this look-up; candidates: {known}")
    return str(row[0])


def _asking(connection: psycopg.Connection, name: str, query_hash: str, place_id: str | None) -> Seen:
    """Return what the records say today whose question this is, and the place's id with it."""
    columns = {**MENTIONS, **inbox.EXTRA}
    named = inbox.read_where(connection, "mentions", columns, sql.SQL("name = {}").format(sql.Literal(name)))
    said = places.unstated(prepare(named), places.retired(connection))
    asked = lacking(said).filter(pl.col("query_hash") == query_hash)
    mentions = said.join(asked, on="row", how="semi")
    stated, refused = identifiers(mentions)
    found = asked.select("row", scheme=pl.lit("google_places_id"), value=pl.lit(place_id, pl.String)).drop_nulls()
    return Seen(mentions, holdings.with_places(stated, mentions, found), mentions.select(REF).clear(), refused)
