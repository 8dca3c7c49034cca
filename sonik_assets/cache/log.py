"""What the query log says of the cache: hits and saved time by day and kind, and the hottest questions. Reads only."""

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import psycopg

DAYS = 14
HOTTEST = 20

# A hit saved what making answers of its kind took otherwise, less what it took itself.
_BY_DAY = """
with made as (
    select kind, percentile_cont(0.5) within group (order by made_ms) as ms
    from ops.query_log where made_ms is not null and at > now() - make_interval(days => %(days)s) group by kind
)
select (q.at at time zone 'UTC')::date, q.kind, count(*), count(*) filter (where q.hit),
    coalesce(sum(greatest(m.ms - q.ms, 0)) filter (where q.hit), 0)
from ops.query_log as q left join made as m using (kind)
where q.at > now() - make_interval(days => %(days)s)
group by 1, 2 order by 1, 2
"""
_HOTTEST = """
select kind, coalesce(tenant, ''), question, sum(asked)::int8, sum(hits)::int8, avg(made_ms), max(last_asked)
from ops.questions group by 1, 2, 3 order by 4 desc, 1, 2, 3 limit %s
"""


@dataclass(frozen=True)
class Day:
    """Questions of one kind on one day (UTC), how many the cache answered, and the milliseconds that saved."""

    day: date
    kind: str
    asked: int
    hits: int
    saved_ms: float


@dataclass(frozen=True)
class Hot:
    """A question of the last 90 days: how often it was asked, how often the cache answered, and what making took."""

    kind: str
    tenant: str
    question: str
    asked: int
    hits: int
    made_ms: float | None
    last: Any


def days(pg: "psycopg.Connection[Any]") -> list[Day]:
    """Return the last days, by day and kind."""
    return [Day(*row) for row in pg.execute(_BY_DAY, {"days": DAYS})]


def hottest(pg: "psycopg.Connection[Any]") -> list[Hot]:
    """Return the most asked questions of all kinds and tenants, most asked first."""
    return [Hot(*row) for row in pg.execute(_HOTTEST, [HOTTEST])]
