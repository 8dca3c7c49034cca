"""The table identity.places_cache: answers and ids, as long as the register's terms allow, and people's choices.

SQL only. A row is of a question (its hash), or of an id that was checked (`place_id:` and the id).
"""

from collections.abc import Sequence
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.stores import tables
from resources.stores.copy import copy_frame

TABLES = """
alter table identity.places_cache
    add column if not exists origin text, -- who answered; null: an answer from before origins were kept
    add column if not exists status text
        check (status in ('found', 'ambiguous', 'doubtful', 'none', 'gone')),
    add column if not exists refresh_at timestamptz, -- found: check the id; else: ask again
    add column if not exists decided_by text,
    add column if not exists decided_at timestamptz;
create index if not exists places_cache_place_id on identity.places_cache (place_id);
create index if not exists places_cache_expires_at on identity.places_cache (expires_at);
create index if not exists places_cache_alias_of on identity.places_cache (alias_of) where alias_of is not null;
"""
"""Run after `identity.tables.ensure_tables`; changes nothing that is there."""

KNOWN: dict[str, Any] = {
    **dict.fromkeys(("query_hash", "status", "place_id", "answer"), pl.String),
    "candidates": pl.Int64,
    "due": pl.Boolean,
}
ANSWERS: dict[str, Any] = {
    **dict.fromkeys(("query_hash", "query", "origin", "status", "place_id", "answer"), pl.String),
    "candidates": pl.Int64,
    **dict.fromkeys(("expires_at", "refresh_at"), pl.Datetime("us", "UTC")),
}
_KNOWN = sql.SQL("""
select
    c.query_hash, c.status, coalesce(c.alias_of, i.alias_of, c.place_id), c.answer::text, c.candidates,
    c.status <> 'found' and c.decided_by is null and coalesce(c.refresh_at <= now(), false)
from unnest(%(hashes)s::text[]) as asked (query_hash)
join identity.places_cache as c using (query_hash)
left join identity.places_cache as i on i.query_hash = 'place_id:' || c.place_id
where %(origin)s::text is null or c.origin = %(origin)s or c.decided_by is not null
""")
_KEEP = """
insert into identity.places_cache as c (
    query_hash, query, origin, status, place_id, answer, candidates, expires_at, refresh_at
)
select query_hash, query, origin, status, place_id, answer, candidates, expires_at, refresh_at from places_answers
on conflict (query_hash) do update set
    query = excluded.query, origin = excluded.origin, status = excluded.status, place_id = excluded.place_id,
    answer = excluded.answer, candidates = excluded.candidates, expires_at = excluded.expires_at,
    refresh_at = excluded.refresh_at, alias_of = null, looked_up_at = now()
where c.decided_by is null
"""
# Only ids may be kept for good.
_BLANK = """
update identity.places_cache set
    answer = (
        select jsonb_agg(jsonb_build_object('place_id', one -> 'place_id') order by nth)
        from jsonb_array_elements(answer) with ordinality as a (one, nth)
    ),
    expires_at = null
where expires_at <= now()
"""
_DECIDE = """
update identity.places_cache set
    place_id = %(place_id)s, alias_of = null, decided_by = %(by)s, decided_at = now(),
    status = case when %(place_id)s::text is null then 'none' else 'found' end,
    refresh_at = case when %(place_id)s::text is not null and origin = 'google' then now() + interval '12 months' end
where query_hash = %(query_hash)s and query_hash not like 'place_id:%%'
"""
_ALIASES = sql.SQL("""
select distinct 'google_places_id', place_id, alias_of
from identity.places_cache
where alias_of is not null
order by 2, 3
""")
_VERIFY = """
update identity.identifiers as i set verified_at = c.at
from (
    select place_id, max(looked_up_at) as at from identity.places_cache
    where place_id is not null and origin = 'google' and status = 'found' group by place_id
) as c
where i.scheme = 'google_places_id' and i.value = c.place_id and i.verified_at is distinct from c.at
"""


def known(connection: psycopg.Connection, hashes: Sequence[str], origin: str | None) -> pl.DataFrame:
    """Return KNOWN of the questions that `origin` (None: anybody) or a person has answered; `due`: ask again."""
    return tables.read(connection, _KNOWN, KNOWN, {"hashes": list(hashes), "origin": origin})


def keep(connection: psycopg.Connection, answers: pl.DataFrame) -> None:
    """Write ANSWERS in one transaction; a question that a person has decided keeps the decision."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(
            "create temporary table places_answers on commit drop as"
            f" select {', '.join(ANSWERS)} from identity.places_cache limit 0"
        )
        copy_frame(cursor, sql.Identifier("places_answers"), answers.select(list(ANSWERS)))
        cursor.execute(_KEEP)
        cursor.execute("drop table places_answers")


def blank(connection: psycopg.Connection) -> int:
    """Forget what the register lent for a time that is over, all but the ids; return the number of answers."""
    return connection.execute(_BLANK).rowcount


def decide(connection: psycopg.Connection, query_hash: str, place_id: str | None, by: str) -> None:
    """Note a person's answer: that place, or (None) none; it holds over every later look-up, until decided anew.

    Raises TerminalError where the question was never looked up.
    """
    if not connection.execute(_DECIDE, {"query_hash": query_hash, "place_id": place_id, "by": by}).rowcount:
        raise TerminalError(f"there is no look-up {query_hash}: take the hash from the review")


def aliases(connection: psycopg.Connection) -> pl.DataFrame:
    """Return `scheme`, `value`, `alias_of`: ids that name the place which today has the id `alias_of`."""
    return tables.read(connection, _ALIASES, dict.fromkeys(("scheme", "value", "alias_of"), pl.String))


def mark_verified(connection: psycopg.Connection) -> int:
    """Note on identifiers when Google last knew their id, in the caller's transaction; return how many changed."""
    return connection.execute(_VERIFY).rowcount
