"""A small world that can be searched: a few rows of `unified`, synced to vector tables of the test's own."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from pathlib import Path

import psycopg
import pyarrow as pa
from psycopg.types.json import Jsonb

from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from resources.settings import Settings
from resources.stores import lance_indexes, lancedb
from sonik_assets.vectors.documents import TABLES
from sonik_assets.vectors.sync import sync
from tests.support.unified import World

EVENTS = (
    ("Noche de techno", "Bogotá", date(2026, 5, 1), ["Techno"]),
    ("Festival de cumbia", "Lima", date(2026, 5, 2), ["Cumbia"]),
    ("Canciones de amor en vivo", "Bogotá", date(2026, 6, 1), ["Bolero"]),
)


@contextmanager
def database_of(endpoints: Endpoints) -> Iterator[str]:
    """Yield the URL of a fresh empty database, dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(endpoints.postgres, autocommit=True) as admin:
        admin.execute(f"create database {name} template template0")
        yield with_database(endpoints.postgres, name)
        # A database that has a slot cannot be dropped.
        admin.execute(
            "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s", [name]
        )
        admin.execute(f"drop database {name} with (force)")


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


def article(world: World, title: str, city: str | None, body: str) -> str:
    """Insert an article and return its id."""
    return world.add("unified.content", type="article", title=title, city=city, body=body)


def furnish(world: World, place: Settings) -> None:
    """Insert events, venues, a person, articles and a concept, and sync every vector table.

    The organization Crobar puts on the night of techno at Club Niceto.
    """
    club = venue(world, "Club Niceto", city="Buenos Aires", genres=["Techno", "House"])
    venue(world, "Teatro Colón", city="Bogotá", category="theatre")
    crobar = world.add("unified.entities", entity_type="organization", name="Crobar")
    world.add("unified.entities", entity_type="person", name="Lucía Rey", metadata=Jsonb({"city": "Quito"}))
    for name, city, day, genres in EVENTS:
        own = {"organizer_id": crobar, "venue_id": club} if "techno" in name else {}
        world.add("unified.events", name=name, city=city, local_date=day, genres=genres, **own)
    article(world, "Guía de vinilos", "Lima", "Tiendas de discos")
    article(world, "Historia del disco", None, " ".join(["palabra"] * 192 + ["acetatos raros"] + ["palabra"] * 90))
    world.add("unified.concepts", name="Ticketing", domain="sales")
    sync_all(place)


def other_model(source: Settings, place: Settings, model: str | None = "another") -> None:
    """Copy the vector tables; each row says that its vector is of that model, None: of the one that it is of."""
    database = lancedb.connect(place.lancedb_uri)
    for name in TABLES:
        rows = lancedb.connect(source.lancedb_uri).open_table(name).search().to_arrow()
        rows = rows.select(lancedb.SCHEMA.names)
        if model is not None:
            at = rows.schema.get_field_index("model")
            rows = rows.set_column(at, lancedb.SCHEMA.field("model"), pa.array([model] * rows.num_rows))
        lance_indexes.ensure(database.create_table(name, rows, schema=lancedb.SCHEMA))


def sync_all(place: Settings) -> None:
    """Bring every vector table up to date."""
    assert place.postgres_url is not None
    for name in TABLES:
        sync(place, place.postgres_url, name)
