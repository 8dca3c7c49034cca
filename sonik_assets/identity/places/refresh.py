"""Google's ids change: those of twelve months and more are checked, and found to be the same, moved, or gone.

An id that moved becomes an alias of the new one; one that is gone is retired, and its question asked anew; one that
never was an id is retired too, whoever states it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from resources.places import NO_ID, Places, Refreshing

_DUE = """
select coalesce(alias_of, place_id)
from identity.places_cache
where status = 'found' and place_id is not null and refresh_at <= now()
group by 1
order by min(refresh_at), 1
limit %s
"""
# Ids that a source states: nobody knows when they were checked last, unless we did.
_STATED = """
select value
from identity.identifiers as i
where
    scheme = 'google_places_id' and valid_to is null
    and (verified_at is null or verified_at < now() - interval '12 months')
    and not exists (
        select from identity.places_cache as c
        where c.query_hash = 'place_id:' || i.value and (c.status in ('gone', 'invalid') or c.refresh_at > now())
    )
group by value
order by min(verified_at) nulls last, value
limit %s
"""
_REMEMBER = """
insert into identity.places_cache (query_hash, query, origin, status, place_id, candidates)
select 'place_id:' || old, jsonb_build_object('place_id', old), 'google', 'found', old, 1
from unnest(%(old)s::text[]) as asked (old)
on conflict (query_hash) do nothing
"""
# Every row that stood for the id, by itself or as an alias. A decision for an id ends with it. News to who asks, and
# where the id is none any more to all who state it.
_APPLY = """
update identity.places_cache as c set
    status = case
        when n.new is not null then c.status
        when n.never and starts_with(c.query_hash, 'place_id:') then 'invalid'
        else 'gone'
    end,
    alias_of = case when n.new is null then c.alias_of else nullif(n.new, c.place_id) end,
    looked_up_at = now(),
    refresh_at = case when n.new is null then now() else now() + interval '12 months' end,
    decided_by = case when n.new is not null then c.decided_by end,
    decided_at = case when n.new is not null then c.decided_at end,
    decided_reason = case when n.new is not null then c.decided_reason end,
    news = c.news or case
        when starts_with(c.query_hash, 'place_id:') then n.new is null
        else n.new is distinct from n.old
            and exists (select from identity.places_asked as a where a.query_hash = c.query_hash)
    end
from unnest(%(old)s::text[], %(new)s::text[], %(never)s::boolean[]) as n (old, new, never)
where c.status = 'found' and coalesce(c.alias_of, c.place_id) = n.old
"""


@dataclass(frozen=True)
class Refreshed:
    """How many ids are as they were, moved to another id, are gone, and were not answered (the next run's).

    `invalid`: texts that never were an id.
    """

    same: int = 0
    moved: int = 0
    gone: int = 0
    waiting: int = 0
    invalid: int = 0


def refresh(connection: psycopg.Connection, places: Places | None, *, limit: int = 1_000, stated: int = 0) -> Refreshed:
    """Check up to `limit` ids of the cache that are due, and up to `stated` ids that sources state; in one transaction.

    A register whose ids do not change is not asked. Raises TerminalError where it refuses us.
    """
    if not isinstance(places, Refreshing):
        return Refreshed()
    due = [row[0] for row in connection.execute(_DUE, [limit])]
    due += [row[0] for row in connection.execute(_STATED, [stated])] if stated else []
    ids = list(dict.fromkeys(due))
    now = places.refresh(ids)
    with connection.transaction():
        _apply(connection, now)
    told = list(now.values())
    gone, invalid = told.count(None), told.count(NO_ID)
    moved = sum(new not in (None, NO_ID, old) for old, new in now.items())
    return Refreshed(len(now) - moved - gone - invalid, moved, gone, len(ids) - len(now), invalid)


def _apply(connection: psycopg.Connection, now: Mapping[str, str | None]) -> None:
    told = now.values()
    parameters = {"old": list(now), "new": [new or None for new in told], "never": [new == NO_ID for new in told]}
    connection.execute(_REMEMBER, parameters)
    connection.execute(_APPLY, parameters)
