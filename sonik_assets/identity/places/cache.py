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
from sonik_assets.identity.judgements import MODEL

TABLES = """
alter table identity.places_cache
    add column if not exists origin text, -- who answered; null: nobody yet
    add column if not exists status text,
    add column if not exists refresh_at timestamptz, -- found: check the id; else: ask again
    add column if not exists decided_by text,
    add column if not exists decided_at timestamptz,
    add column if not exists decided_reason text,
    -- Another answer than before, of which unchanged records that ask (or hold the id) have not heard.
    add column if not exists news boolean not null default false;
alter table identity.places_cache drop constraint if exists places_cache_status_check;
alter table identity.places_cache add constraint places_cache_status_check
    check (status in ('waiting', 'found', 'ambiguous', 'doubtful', 'none', 'gone', 'invalid'));
create index if not exists places_cache_place_id on identity.places_cache (place_id);
create index if not exists places_cache_expires_at on identity.places_cache (expires_at);
create index if not exists places_cache_alias_of on identity.places_cache (alias_of) where alias_of is not null;
create index if not exists places_cache_origin on identity.places_cache (origin);
create index if not exists places_cache_refresh_at on identity.places_cache (refresh_at);
create index if not exists places_cache_news on identity.places_cache (query_hash) where news;
create index if not exists places_cache_retired on identity.places_cache (place_id, status)
    where status in ('gone', 'invalid');
"""

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
    c.decided_by is null
        and (c.origin is distinct from %(origin)s or c.status <> 'found' and coalesce(c.refresh_at <= now(), false))
from unnest(%(hashes)s::text[]) as asked (query_hash)
join identity.places_cache as c using (query_hash)
left join identity.places_cache as i on i.query_hash = 'place_id:' || c.place_id
where c.status <> 'waiting'
""")
_KEEP = """
insert into identity.places_cache as c (
    query_hash, query, origin, status, place_id, answer, candidates, expires_at, refresh_at
)
select query_hash, query, origin, status, place_id, answer, candidates, expires_at, refresh_at from places_answers
on conflict (query_hash) do update set
    query = excluded.query, origin = excluded.origin, status = excluded.status, place_id = excluded.place_id,
    answer = excluded.answer, candidates = excluded.candidates, expires_at = excluded.expires_at,
    refresh_at = excluded.refresh_at, alias_of = null, looked_up_at = now(),
    news = c.news or (
        excluded.place_id is distinct from case when c.status = 'found' then coalesce(c.alias_of, c.place_id) end
        and exists (select from identity.places_asked as a where a.query_hash = c.query_hash)
    )
where c.decided_by is null
"""
# An id that is found lives, whatever was said of it before.
_REVIVE = """
update identity.places_cache set
    status = 'found', alias_of = null, looked_up_at = now(), refresh_at = now() + interval '12 months', news = true
where place_id = any(%s) and starts_with(query_hash, 'place_id:') and status in ('gone', 'invalid')
"""
_RETIRED = sql.SQL("""
select place_id, status from identity.places_cache
where status in ('gone', 'invalid') and starts_with(query_hash, 'place_id:') order by 1
""")
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
    place_id = %(place_id)s, alias_of = null, decided_by = %(by)s, decided_at = now(), decided_reason = %(reason)s,
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
    """Return KNOWN of the questions that were answered; `due`: time is up, or `origin` is not who answered."""
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
        cursor.execute(_REVIVE, [answers["place_id"].drop_nulls().unique().to_list()])
        cursor.execute("drop table places_answers")


def retired(connection: psycopg.Connection) -> pl.DataFrame:
    """Return `place_id` and `status` of ids that are none (any more), whoever states them: gone, or invalid."""
    return tables.read(connection, _RETIRED, dict.fromkeys(("place_id", "status"), pl.String))


def blank(connection: psycopg.Connection) -> int:
    """Forget what the register lent for a time that is over, all but the ids; return the number of answers."""
    return connection.execute(_BLANK).rowcount


def decide(connection: psycopg.Connection, query_hash: str, place_id: str | None, by: str, reason: str = "") -> None:
    """Note a person's answer: that place, or (None) none; it holds over every later look-up, until decided anew.

    Raises TerminalError where the question was never looked up, or nobody decides.
    """
    if not by or by == MODEL:
        raise TerminalError("a decision needs the name of who decides: set SONIK_USER or give --by")
    bound = {"query_hash": query_hash, "place_id": place_id, "by": by, "reason": reason or None}
    if not connection.execute(_DECIDE, bound).rowcount:
        raise TerminalError(f"there is no look-up {query_hash}: take the hash from the review")
    if place_id is not None:
        connection.execute(_REVIVE, [[place_id]])


def aliases(connection: psycopg.Connection) -> pl.DataFrame:
    """Return `scheme`, `value`, `alias_of`: ids that name the place which today has the id `alias_of`."""
    return tables.read(connection, _ALIASES, dict.fromkeys(("scheme", "value", "alias_of"), pl.String))


def mark_verified(connection: psycopg.Connection) -> int:
    """Note on identifiers when Google last knew their id, in the caller's transaction; return how many changed."""
    return connection.execute(_VERIFY).rowcount
