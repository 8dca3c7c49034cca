"""What is on, when and where: reads `marts.whats_on`. Ranking by meaning is in `search.py`."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from sonik_assets.serving.entities import folded

if TYPE_CHECKING:
    from psycopg import Connection

COLUMNS = """event_id, event_name, local_date, starts_at, venue_name, city, country, artists, genres, status,
  price_min, currency, ticket_url, ticket_link, organizer_name, venue_id, latitude, longitude"""
# A condition is there only if it is asked for: so each question has the plan of its own index.
CONDITIONS = {
    "city": f"{folded('city')} = {folded('%(city)s::text')}",
    "first": "local_date >= %(first)s",
    "last": "local_date <= %(last)s",
    "genre": "genres @> array[lower(%(genre)s::text)]",
    # A box first, which has an index: a degree of latitude is 111.2 km, one of longitude less toward the poles.
    "km": """latitude between %(latitude)s - %(km)s / 111.2 and %(latitude)s + %(km)s / 111.2
  and longitude between %(longitude)s - %(km)s / (111.2 * greatest(cosd(%(latitude)s), 0.01))
    and %(longitude)s + %(km)s / (111.2 * greatest(cosd(%(latitude)s), 0.01))
  and ops.distance_km(latitude, longitude, %(latitude)s, %(longitude)s) <= %(km)s""",
}
DISTANCE = ", ops.distance_km(latitude, longitude, %(latitude)s, %(longitude)s) as distance_km"


@dataclass(frozen=True)
class Near:
    """A circle: degrees of its middle (WGS 84) and its radius in km."""

    latitude: float
    longitude: float
    km: float


def whats_on(
    pg: "Connection[Any]",
    *,
    city: str | None,
    first: date | None,
    last: date | None,
    limit: int,
    genre: str | None = None,
    near: Near | None = None,
) -> list[dict[str, Any]]:
    """Return events from `first` to `last` (local dates, both included), the earliest first.

    With `near` only those within its radius, each with its `distance_km`.
    """
    from psycopg.rows import dict_row

    bound = {"city": city, "first": first, "last": last, "genre": genre, "limit": limit, **(vars(near) if near else {})}
    where = " and ".join(sql for name, sql in CONDITIONS.items() if bound.get(name) is not None)
    with pg.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            f"select {COLUMNS}{DISTANCE if near else ''} from marts.whats_on where {where or 'true'}"
            " order by local_date, starts_at, event_name, event_id limit %(limit)s",
            bound,
        ).fetchall()


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
