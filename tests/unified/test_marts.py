"""The marts: built on empty tables by one run of dbt with all their unit tests, then held against references in Python.

Hand-worked cases are beside the models (`dbt_project/models/marts/**/*.yml`).
"""

import math
import os
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resources import embedded
from resources.embedded.urls import with_database
from sonik_assets.migrations import migrate
from sonik_assets.serving import entities, events, leads
from sonik_assets.unified import dbt
from tests.support.attribution_reference import expected_conversions, visits_of
from tests.support.dbt_sql import macro, model

# What the marts read of the stage before them.
INPUTS = """
create table unified.events (id uuid primary key, name text, venue_id uuid, organizer_id uuid, starts_at timestamptz,
  ends_at timestamptz, local_date date, status text, is_draft bool, genres text[], city text, ticket_url text,
  ticket_link text, price_min numeric, price_max numeric, currency text);
create table unified.entities (id uuid primary key, entity_type text, name text, claim_status text, metadata jsonb);
create table unified.entity_identifiers (entity_id uuid primary key, domain text, instagram_url text, email text);
create table unified.event_artists (event_id uuid, artist_id uuid);
create table unified.purchases (id uuid primary key, person_id uuid, event_id uuid, amount numeric, currency text,
  status text, at timestamptz);
create table unified.relationships (type text, from_id uuid, to_id uuid, at timestamptz);
create table unified.opportunities (id uuid, organization_id uuid, stage text, updated_at timestamptz);
create table unified.campaigns (id uuid primary key, channel text);
create table unified.content (id uuid primary key, title text, city text, published_at timestamptz);
create table unified.markets (id uuid primary key, name text, country text);
"""
NOW = datetime(2026, 10, 1, tzinfo=UTC)
PLATFORM = uuid.UUID(int=0)
Connection = psycopg.Connection[Any]


@pytest.fixture(scope="module")
def marts(endpoints: embedded.Endpoints, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """Return a connection to a database whose marts dbt has built of nothing."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(endpoints.postgres, autocommit=True) as server:
        server.execute(f"create database {name} template template0")
        try:
            url = with_database(endpoints.postgres, name)
            with psycopg.connect(url) as connection:
                migrate(connection)
                connection.execute(INPUTS)
                connection.commit()
                _build(url, tmp_path_factory.mktemp("dbt"))
                yield connection
        finally:
            server.execute(f"drop database {name} with (force)")


def _build(url: str, home: Path) -> None:
    with pytest.MonkeyPatch.context() as environment:
        for name in ("HOST", "PORT", "USER", "DATABASE", "SSLMODE"):
            environment.setenv(f"SONIK_DBT_{name}", "")
        environment.setenv("DBT_ENV_SECRET_SONIK_PASSWORD", "")
        environment.setenv("DBT_TARGET_PATH", "")
        dbt.point_at(url, home)
        where = ["--project-dir", str(dbt.PROJECT), "--profiles-dir", str(dbt.PROJECT), "--log-path", str(home)]
        command = [dbt.EXECUTABLE, "--no-use-colors", "build", *where, "--select", "fqn:sonik.marts"]
        command += ["--exclude", "conflicts"]  # reads identity, which is not here: test_survivorship has it
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stdout


@contextmanager
def undone(pg: Connection) -> Iterator[None]:
    """Take back what the block writes."""
    try:
        yield
    finally:
        pg.rollback()


def test_unit_tests_and_contracts_hold(marts: Connection) -> None:
    tables = marts.execute(
        "select t.relname, exists (select from pg_constraint where conrelid = t.oid and contype = 'p')"
        " from pg_class as t where t.relnamespace = 'marts'::regnamespace and t.relkind = 'r'"
    ).fetchall()
    assert {name for name, has_key in tables if has_key} >= {
        "whats_on",
        "organizer_leads",
        "attribution",
        "virality",
        "promoter_conversion",
        "content_ideas",
    }
    assert all(has_key for _, has_key in tables)


# Attribution

CHANNELS = ("a", "b", "c", "d")
QUARTERS = st.integers(0, 4 * 24 * 3)  # quarters of an hour before the purchase: some fold into one visit
JOURNEY = st.tuples(st.booleans(), st.lists(st.tuples(st.sampled_from(CHANNELS), QUARTERS), max_size=6))


def _write(pg: Connection, journeys: list[tuple[bool, list[tuple[str, int]]]]) -> None:
    """Write journeys as interactions of people, or of browsers where nobody paid, and as purchases."""
    for number, (pays, touches) in enumerate(journeys):
        person = uuid.UUID(int=number + 1) if pays or number % 2 else None
        for place, (channel, quarters) in enumerate(touches):
            pg.execute(
                "insert into unified.interactions (id, person_id, anonymous_id, channel, kind, at, properties)"
                " values (%s, %s, %s, %s, 'page_view', %s, '{}')",
                [
                    uuid.UUID(int=number * 100 + place),
                    person,
                    f"browser {number}",
                    channel,
                    NOW - timedelta(hours=quarters / 4),
                ],
            )
        if pays:
            pg.execute(
                "insert into unified.purchases values (gen_random_uuid(), %s, null, %s, 'MXN', 'completed', %s)",
                [person, Decimal("33.33") * (number + 1), NOW],
            )


def _fill(pg: Connection, *names: str) -> None:
    for name in names:
        pg.execute(f"delete from marts.{name}")
        pg.execute(f"insert into marts.{name} {model(name)}")


@settings(max_examples=40)
@given(st.lists(JOURNEY, min_size=1, max_size=8))
def test_attribution_is_that_of_a_reference(
    marts: Connection, journeys: list[tuple[bool, list[tuple[str, int]]]]
) -> None:
    with undone(marts):
        _write(marts, journeys)
        _fill(marts, "touchpoints", "channel_effects", "attribution")
        rows = marts.execute("select model, channel, conversions, revenue from marts.attribution").fetchall()
    won = [visits_of(touches) for pays, touches in journeys if pays]
    lost = [visits_of(touches) for pays, touches in journeys if not pays and touches]
    expected = expected_conversions(won, lost) if any(won) else {(name, "direct"): len(won) for name in _MODELS if won}
    found = {(name, channel): float(conversions) for name, channel, conversions, _ in rows}
    assert found == pytest.approx(expected, abs=1e-9)
    # to the digit, not nearly
    money = sum((Decimal("33.33") * (number + 1) for number, (pays, _) in enumerate(journeys) if pays), Decimal(0))
    for name in _MODELS if won else ():
        assert sum(row[2] for row in rows if row[0] == name) == len(won)
        assert sum(row[3] for row in rows if row[0] == name) == money
    assert all(row[2] > 0 for row in rows)


_MODELS = ("first", "last", "linear", "time_decay", "position", "markov")


def test_made_up_channels_do_not_make_the_chain_grow(marts: Connection) -> None:
    journeys = [(n % 3 == 0, [(f"made up {n}", 9), (f"also made up {n}", 3)]) for n in range(300)]
    with undone(marts):
        _write(marts, journeys)
        _fill(marts, "touchpoints", "channel_effects", "attribution")
        effects = marts.execute("select count(*), count(distinct removal_effect) from marts.channel_effects").fetchone()
        sums = marts.execute("select distinct sum(conversions) from marts.attribution group by model").fetchall()
    assert effects
    assert effects[0] == 600
    assert effects[1] <= 51
    assert sums == [(100,)]


# Referrals

EDGES = st.lists(st.tuples(st.integers(1, 8), st.integers(1, 8)), max_size=30)  # who brings whom, in order of time


def _forest(edges: list[tuple[int, int]]) -> dict[int, int]:
    """Return who was brought by whom: the first who did, unless one had brought others before."""
    parents: dict[int, int] = {}
    began: set[int] = set()
    for referrer, visitor in edges:
        if referrer == visitor:
            continue
        began.add(referrer)
        if visitor not in parents and visitor not in began:
            parents[visitor] = referrer
    return parents


def _above(parents: dict[int, int], one: int) -> list[int]:
    """Return who is above somebody in the tree."""
    return [parents[one], *_above(parents, parents[one])] if one in parents else []


@settings(max_examples=40)
@given(EDGES)
def test_referral_trees_are_those_of_a_reference(marts: Connection, edges: list[tuple[int, int]]) -> None:
    with undone(marts):
        for number, (referrer, visitor) in enumerate(edges):
            marts.execute(
                "insert into unified.interactions (id, person_id, referrer_id, kind, at, properties)"
                " values (%s, %s, %s, 'referral', %s, '{}')",
                [uuid.UUID(int=number), uuid.UUID(int=visitor), uuid.UUID(int=referrer), NOW + timedelta(hours=number)],
            )
        _fill(marts, "referrals", "spreaders", "event_traffic", "virality")
        referrals = marts.execute("select person_id, referrer_id from marts.referrals").fetchall()
        reached = marts.execute("select person_id, reached, generations from marts.spreaders").fetchall()
        tree = marts.execute("select referred, depth, largest_tree, trees from marts.virality").fetchone()
    parents = _forest(edges)
    assert {visitor.int: referrer.int for visitor, referrer in referrals} == parents
    above = {one: _above(parents, one) for one in parents}
    below = Counter(each for line in above.values() for each in line)
    assert {person.int: count for person, count, _ in reached} == below
    roots = {line[-1] for line in above.values()}
    depth = max(map(len, above.values()), default=0)
    assert tree == (len(parents), depth, max((below[one] + 1 for one in roots), default=0), len(roots))


def test_a_chain_is_reached_for_32_generations(marts: Connection) -> None:
    with undone(marts):
        marts.execute(
            "insert into marts.referrals (subject_id, visitor_id, scope, referrer_id, at, acted)"
            " select %s, lpad(n::text, 32, '0')::uuid, 'platform', lpad((n - 1)::text, 32, '0')::uuid, now(), true"
            " from generate_series(2, 500) as n",
            [PLATFORM],
        )
        _fill(marts, "spreaders")
        found = marts.execute("select max(reached), max(generations) from marts.spreaders").fetchone()
    assert found == (32, 32)


# Reading

NIGHT = date(2026, 10, 1)


def _season(pg: Connection, size: int) -> None:
    """Write so many events in 25 cities, 50 a day, and as many leads."""
    pg.execute(
        "insert into marts.whats_on (event_id, event_name, city, latitude, longitude, starts_at, local_date, status,"
        " genres, artists) select gen_random_uuid(), 'Event ' || n, 'Ciudád ' || mod(n, 25), mod(n, 60) - 30,"
        " mod(n, 97) - 100,"
        " %(night)s + n / 50 * interval '1 day', %(night)s + n / 50, 'scheduled',"
        " array[(array['techno', 'salsa', 'house'])[1 + mod(n, 3)]], '{}' from generate_series(0, %(last)s) as n",
        {"night": NIGHT, "last": size - 1},
    )
    pg.execute(
        "insert into marts.organizer_leads (organization_id, name, claim_status, events, views, clicks, conversions,"
        " sentence, score) select gen_random_uuid(), n::text, 'unclaimed', 1, n, n, 0, '', n"
        " from generate_series(1, %s) as n",
        [size],
    )
    pg.execute("analyze marts.whats_on, marts.organizer_leads")


def _plan(pg: Connection, sql: str, **bound: object) -> str:
    return "\n".join(line for (line,) in pg.execute("explain " + sql, bound).fetchall())


def test_a_night_in_a_city_and_the_best_leads_have_an_index(marts: Connection) -> None:
    with undone(marts):
        _season(marts, 5000)
        nights = f"select * from marts.whats_on where {events.CONDITIONS['city']} and local_date = %(first)s"
        around = f"select * from marts.whats_on where local_date = %(first)s and {events.CONDITIONS['km']}"
        best = "select name from marts.organizer_leads order by score desc nulls last, organization_id limit 20"
        plans = [
            _plan(marts, nights, city="ciudad 7", first=NIGHT),
            _plan(marts, around, first=NIGHT, latitude=4.6, longitude=-74.1, km=50),
            _plan(marts, best),
        ]
        found = [lead["score"] for lead in leads.leads(marts, limit=3)]
    assert all("Index" in plan and "Seq Scan" not in plan for plan in plans), plans
    assert found == [5000, 4999, 4998]
    assert macro("folded", "city") == entities.folded("city")


def test_events_are_found_by_city_night_and_genre(marts: Connection) -> None:
    with undone(marts):
        _season(marts, 5000)
        found = events.whats_on(marts, city="CIUDAD 7 ", first=NIGHT, last=NIGHT, limit=9, genre="Salsa")
        everything = events.whats_on(marts, city=None, first=NIGHT, last=NIGHT, limit=99)
    assert [row["event_name"] for row in found] == ["Event 7"]
    assert len(everything) == 50


@settings(max_examples=20)
@example(1e-200, -64.0, 668.0)  # nearly nothing, squared, is an underflow, which is an error in PostgreSQL
@given(st.floats(-30, 30), st.floats(-100, -4), st.floats(1, 3000))
def test_events_are_found_by_distance(marts: Connection, latitude: float, longitude: float, km: float) -> None:
    with undone(marts):
        _season(marts, 50)
        near = events.Near(latitude, longitude, km)
        found = events.whats_on(marts, city=None, first=NIGHT, last=NIGHT, limit=99, near=near)
        every = events.whats_on(marts, city=None, first=NIGHT, last=NIGHT, limit=99)
    away = {row["event_id"]: _km(latitude, longitude, row["latitude"], row["longitude"]) for row in every}
    assert {row["event_id"]: row["distance_km"] for row in found} == pytest.approx(
        {event: distance for event, distance in away.items() if distance <= km}, abs=1e-3
    )


def _km(latitude: float, longitude: float, latitude2: float, longitude2: float) -> float:
    """Return the distance by the spherical law of cosines, another formula than the one that is tested."""
    a, b, turn = math.radians(latitude), math.radians(latitude2), math.radians(longitude2 - longitude)
    return 6371.0088 * math.acos(min(1, math.sin(a) * math.sin(b) + math.cos(a) * math.cos(b) * math.cos(turn)))
