"""A database with a publication, a slot and two published tables, for whatever follows the change feed."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from sonik_assets.changes import slot
from sonik_assets.migrations import migrate

TABLES = """
create table unified.entities (id uuid primary key, name text, body text);
create table unified.relationships (
    id uuid primary key, from_label text, from_id uuid, type text, to_label text, to_id uuid, weight float8 default 1
);
create table unified.content (id uuid primary key, name text);
select ops.publish('unified.entities'), ops.publish('unified.relationships'), ops.publish('unified.content');
"""


def connect(url: str) -> "psycopg.Connection[Any]":
    """Return a connection as the feed wants it: each statement commits."""
    return psycopg.connect(url, autocommit=True)


@contextmanager
def followed(url: str) -> Iterator["psycopg.Connection[Any]"]:
    """Give a connection to the migrated database, with a slot. A database that has one cannot be dropped."""
    with connect(url) as pg:
        with pg.transaction():
            migrate(pg)
        try:
            slot.ensure(pg)
            yield pg
        finally:
            drop_slot(url)


def drop_slot(url: str) -> None:
    """Drop the slot of a database, also after a test that left its connection in a failed transaction."""
    with connect(url) as pg:
        slot.drop(pg)


def ids(pg: "psycopg.Connection[Any]", table: str) -> set[str]:
    """Return the ids that a table of `unified` has."""
    return {row[0] for row in pg.execute(f"select id::text from unified.{table}")}
