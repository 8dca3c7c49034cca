"""A small house with something to decide: resolved once by identifiers and matchers, then copied for each test.

`house` is a copy that a test may change; `seen` one that all tests of a module only read.
"""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import psycopg
import pytest

from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from resources.places import Place
from sonik_assets.identity.inbox import RAW
from sonik_assets.identity.resolve import resolve
from tests.identity.conftest import STAGING, World

__all__ = [
    "AT", "CAFE", "CMS", "LIKE", "LISTED", "OLD", "SHOW", "TAKER", "TWICE", "TWIN", "House", "Register",
    "house", "seen",
]  # fmt: skip

CMS, TWICE = "directus/venues/1", "directus/venues/9"
"""Look like one venue, but one source has both: a person must say, whatever the matcher's score."""
LIKE = "directus/venues/5", "scraper/venue_info/ra:5"
"""One venue by likeness, surely."""
CAFE, TWIN = "directus/venues/2", "scraper/venue_info/ra:3"
"""Two records of one handle, and a venue of two places."""
LISTED = "scraper/event_listings.venue/ra:e"
"""Names the first of these."""
OLD, TAKER = "directus/artists/1", "directus/artists/2"
"""Gave up a handle; took it."""
SHOW = "directus/events/1"
AT = {"address": "Avenida Adolfo López Mateos 88", "city": "Guadalajara", "country": "MX", "phone": "+525539217762"}
SURE = {"city": "Lima", "country": "PE", "phone": "+5114455667", "latitude": -12.12, "longitude": -77.03}

# What dbt makes of it, as far as names are looked up.
_UNIFIED = """
create table unified.entities as
select distinct on (m.entity_id) m.entity_id as id, m.entity_type, p.name, '{}'::jsonb as metadata
from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
inner join identity.profiles as p using (key)
order by m.entity_id, r.embedded, r.ref;
create table unified.features (id uuid, name text);
"""


class Register:
    """Knows two places of one name."""

    origin = "test"
    keeps = None

    def find(self, queries: Any) -> list[list[Place] | None]:
        """Return both for that name."""
        return [[Place("P1", query.name), Place("P2", query.name)] if query.name == "Twin" else [] for query in queries]


class House(World):
    """A world that commands can be sent to."""

    def __init__(self, connection: psycopg.Connection[Any], url: str) -> None:
        super().__init__(connection)
        self.url = url


@pytest.fixture
def house(endpoints: Endpoints) -> Iterator[House]:
    """Return a house of one's own."""
    with _copy(endpoints) as made:
        yield made


@pytest.fixture(scope="module")
def seen(endpoints: Endpoints) -> Iterator[House]:
    """Return a house that nobody changes."""
    with _copy(endpoints) as made:
        yield made


@contextmanager
def _copy(endpoints: Endpoints) -> Iterator[House]:
    original = _original(endpoints.postgres)
    with psycopg.connect(endpoints.postgres, autocommit=True) as admin:
        name = _made(admin, original)
        url = with_database(endpoints.postgres, name)
        with psycopg.connect(url, autocommit=True) as connection:
            yield House(connection, url)
        admin.execute(f"drop database {name} with (force)")


@cache
def _original(postgres: str) -> str:
    """Return the furnished database, made once a process; it goes with its server."""
    with psycopg.connect(postgres, autocommit=True) as admin:
        name = _made(admin, "template0")
    with psycopg.connect(with_database(postgres, name), autocommit=True) as connection:
        _furnish(World(connection))
    return name


def _made(admin: psycopg.Connection[Any], template: str) -> str:
    name = f"test_{uuid.uuid4().hex[:12]}"
    admin.execute(f"create database {name} template {template}")
    return name


def _furnish(world: World) -> None:
    world.connection.execute(STAGING)
    for source, table in RAW:
        world.connection.execute(
            f"create schema if not exists raw_{source};"
            f" create table raw_{source}.{table} (record_id text primary key, changed_at timestamptz default now())"
        )
    world.mention(CMS, "venue", name="Pastelería Joaquina", **AT)
    world.mention(TWICE, "venue", name="Joaquina Pastelería", **AT)
    for ref in LIKE:
        world.mention(ref, "venue", name="Peña Sinfonía Barranco", address="Jirón Unión 321", **SURE)
    for number in (1, 2):
        world.mention(f"{LISTED}{number}", "venue", embedded=True, name="Café Azul", city="Lima", country="PE")
    world.mention(CAFE, "venue", name="Café Azul", city="Lima", country="PE", instagram="@cafeazul")
    world.mention("scraper/venue_info/ra:2", "venue", name="Café Azul", city="Lima", country="PE", instagram="cafeazul")
    world.mention(TWIN, "venue", name="Twin", city="Lima", country="PE")
    world.mention(OLD, "artist", name="Los Primeros", instagram="@firstones")
    world.mention("mongo/users/u1", "person", email="ana@mail.com", user_id="u1")
    world.evidence("anon", "u1", "2026-02-10T00:00Z")
    world.event(SHOW, name="Juanes", venue=CMS, starts_at_text="2026-03-01T21:00:00", city="Guadalajara", country="MX")
    resolve(world.connection, Register())
    world.mention(OLD, "artist", name="Los Primeros", instagram="@losprimeros", updated_at="2026-03-02Z")
    world.mention(TAKER, "artist", name="Orquesta Delirio", instagram="@firstones", updated_at="2026-03-03Z")
    resolve(world.connection, Register())
    world.connection.execute(_UNIFIED)
