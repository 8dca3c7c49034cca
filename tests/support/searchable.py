"""A small world that can be searched: a few rows of `unified`, synced to vector tables of the test's own."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
from psycopg.types.json import Jsonb

from resources.settings import Settings
from sonik_assets.vectors.documents import TABLES
from sonik_assets.vectors.sync import sync
from tests.support.unified import World

EVENTS = (
    ("Noche de techno", "Bogotá", date(2026, 5, 1), ["Techno"]),
    ("Festival de cumbia", "Lima", date(2026, 5, 2), ["Cumbia"]),
    ("Canciones de amor en vivo", "Bogotá", date(2026, 6, 1), ["Bolero"]),
)


@contextmanager
def world_in(database: str) -> Iterator[World]:
    """Yield an empty `unified` schema."""
    with psycopg.connect(database, autocommit=True) as connection:
        world = World(connection)
        connection.execute("create table if not exists unified.event_artists (event_id uuid, artist_id uuid)")
        yield world


def place_in(settings: Settings, database: str, folder: Path) -> Settings:
    """Return settings with that database, and vector tables in that folder."""
    return replace(settings, postgres_url=database, lancedb_uri=str(folder / "lancedb"))


def venue(world: World, name: str, **metadata: object) -> str:
    """Insert a venue and return its id."""
    return world.add("unified.entities", entity_type="venue", name=name, metadata=Jsonb(metadata))


def furnish(world: World, place: Settings) -> None:
    """Insert events, venues, an article and a concept, and sync every vector table."""
    venue(world, "Club Niceto", city="Buenos Aires", genres=["Techno", "House"])
    venue(world, "Teatro Colón", city="Bogotá", category="theatre")
    for name, city, day, genres in EVENTS:
        world.add("unified.events", name=name, city=city, local_date=day, genres=genres)
    world.add("unified.content", type="article", title="Guía de vinilos", city="Lima", body="Tiendas de discos")
    world.add("unified.concepts", name="Ticketing", domain="sales")
    sync_all(place)


def sync_all(place: Settings) -> None:
    """Bring every vector table up to date."""
    assert place.postgres_url is not None
    for name in TABLES:
        sync(place, place.postgres_url, name)
