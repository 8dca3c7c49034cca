"""`python -m benchmarks.hot_queries POSTGRES_URL`: writes docs/plans.md, the plans of the ten hottest queries.

Run it against a database of about a million source records: plans of a small one say nothing. Arguments are picked from
the data: the city and the night with the most events, the person and the event with the most traffic.
"""

import sys
from dataclasses import dataclass

import psycopg

from resources.settings import ROOT

_PICKED = """
with busiest as (
    select city, local_date, count(*) as n from marts.whats_on where city is not null group by 1, 2
    order by 3 desc, 1, 2 limit 1
),
busy_event as (
    select event_id, count(*) as n from unified.interactions where event_id is not null
    group by 1 order by 2 desc, 1 limit 1
),
busy_person as (
    select person_id, count(*) as n from unified.interactions where person_id is not null
    group by 1 order by 2 desc, 1 limit 1
)
select
    b.city, b.local_date::text, e.event_id::text, p.person_id::text, v.venue_id::text, a.artist_id::text,
    k.entity_type, k.canonical_scheme, k.canonical_id
from busiest as b, busy_event as e, busy_person as p,
    (select venue_id from unified.events where venue_id is not null group by 1 order by count(*) desc, 1 limit 1) as v,
    (select artist_id from unified.event_artists group by 1 order by count(*) desc, 1 limit 1) as a,
    (select * from unified.entities where entity_type = 'venue' and canonical_scheme = 'google_places_id'
     order by canonical_id limit 1) as k
"""
_NAMES = ("city", "night", "event", "person", "venue", "artist", "entity_type", "scheme", "canonical")


@dataclass(frozen=True)
class Query:
    """A query as the platform asks it, its arguments named in braces."""

    title: str
    who: str
    sql: str


QUERIES = (
    Query(
        "What is on in a city on a night",
        "`sonik whatson`, the product",
        """select event_name, starts_at, venue_name, ticket_link from marts.whats_on
where btrim(regexp_replace(normalize(lower(city), nfd), '[\\u0300-\\u036f]', '', 'g'))
    = btrim(regexp_replace(normalize(lower('{city}'), nfd), '[\\u0300-\\u036f]', '', 'g'))
    and local_date >= '{night}' and local_date <= '{night}'
order by local_date, starts_at, event_name, event_id limit 50""",
    ),
    Query(
        "The best leads",
        "`sonik leads`, sales",
        """select name, sentence, contact_name, crm_stage, score from marts.organizer_leads
order by score desc nulls last, organization_id limit 100""",
    ),
    Query(
        "A thing by the id the world knows it by",
        "identity, imports, agents",
        """select id, name from unified.entities
where entity_type = '{entity_type}' and canonical_scheme = '{scheme}' and canonical_id = '{canonical}'""",
    ),
    Query(
        "A venue with its identifiers",
        "`sonik entity show`",
        "select * from unified.venues where id = '{venue}'",
    ),
    Query(
        "What is on at a venue",
        "`sonik entity show`, graph queries that need dates",
        """select id, name, starts_at from unified.events
where venue_id = '{venue}' and local_date >= '{night}' order by local_date limit 20""",
    ),
    Query(
        "Where an artist plays",
        "`sonik entity show`",
        """select e.id, e.name, e.local_date from unified.event_artists as a
inner join unified.events as e on e.id = a.event_id where a.artist_id = '{artist}' order by e.local_date limit 20""",
    ),
    Query(
        "What somebody did in a month",
        "attribution, support; reads one partition",
        """select kind, channel, at from unified.interactions
where person_id = '{person}' and at >= '2026-10-01Z' and at < '2026-11-01Z' order by at""",
    ),
    Query(
        "Traffic of an event by day",
        "organizers; `day` is a virtual column",
        """select day, kind, count(*) from unified.interactions where event_id = '{event}' group by day, kind""",
    ),
    Query(
        "All edges that leave a node, whatever their type",
        "parity checks, repair; a skip scan over (type, from_id)",
        "select type, to_label, to_id, weight from unified.relationships where from_id = '{person}'",
    ),
    Query(
        "All edges that arrive at a node, whatever their type",
        "parity checks, repair; a skip scan over (type, to_id)",
        "select type, from_label, from_id, weight from unified.relationships where to_id = '{event}'",
    ),
)


def main() -> None:
    """Write the page; the only argument is the database."""
    (url,) = sys.argv[1:]
    with psycopg.connect(url, autocommit=True) as connection:
        picked = dict(zip(_NAMES, connection.execute(_PICKED).fetchone() or (), strict=True))  # type: ignore[arg-type]
        (records,) = connection.execute("select count(*) from unified.interactions").fetchone() or (0,)
        parts = [_section(connection, query, picked) for query in QUERIES]
    head = (
        "# Plans of the ten hottest queries\n\nMade by `python -m benchmarks.hot_queries URL` on a database with "
        f"{records:,} interactions; asked twice, the second plan is shown. Why each index is there: "
        "[postgresql-18.md](postgresql-18.md).\n"
    )
    (ROOT / "docs" / "plans.md").write_text("\n".join([head, *parts]))


def _section(connection: psycopg.Connection, query: Query, picked: dict[str, str]) -> str:
    text = query.sql.format(**{name: value.replace("'", "''") for name, value in picked.items()})
    explain = "explain (analyze, costs off, timing off, buffers off) " + text
    for _ in range(2):
        plan = [row[0] for row in connection.execute(explain).fetchall()]  # type: ignore[call-overload]
    lines = "\n".join(plan)
    return f"## {query.title}\n\nAsked by {query.who}.\n\n```sql\n{query.sql}\n```\n```\n{lines}\n```\n"


if __name__ == "__main__":
    main()
