"""What is on, when and where: reads `marts.whats_on`. Ranking by meaning is in `search.py`."""

from datetime import date
from typing import TYPE_CHECKING, Any

from sonik_assets.serving.entities import folded

if TYPE_CHECKING:
    from psycopg import Connection

WHATS_ON = f"""
select event_id, event_name, local_date, starts_at, venue_name, city, country, artists, genres, status,
  price_min, currency, ticket_url, organizer_name, venue_id, latitude, longitude
from marts.whats_on
where (%(city)s::text is null or {folded("city")} = {folded("%(city)s::text")})
  and (%(first)s::date is null or local_date >= %(first)s)
  and (%(last)s::date is null or local_date <= %(last)s)
order by local_date, starts_at, event_name, event_id
limit %(limit)s
"""


def whats_on(
    pg: "Connection[Any]", *, city: str | None, first: date | None, last: date | None, limit: int
) -> list[dict[str, Any]]:
    """Return events from `first` to `last` (local dates, both included), the earliest first."""
    from psycopg.rows import dict_row

    with pg.cursor(row_factory=dict_row) as cursor:
        bound = {"city": city, "first": first, "last": last, "limit": limit}
        return cursor.execute(WHATS_ON, bound).fetchall()


def extent(pg: "Connection[Any]") -> tuple[date | None, date | None, list[str]]:
    """Return the first and last local date there are events for, and the cities with the most of them."""
    row = pg.execute(
        "select min(local_date), max(local_date),"
        " (select coalesce(array_agg(city), '{}') from"
        " (select city from marts.whats_on where city is not null"
        " group by city order by count(*) desc, city limit 5) as cities)"
        " from marts.whats_on"
    ).fetchone()
    first, last, cities = row or (None, None, [])
    return first, last, cities
