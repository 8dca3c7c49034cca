"""Gives a hand-made world the roles and policies of migration 0008, which that migration alone decides."""

from typing import Any

import psycopg

from sonik_assets.migrations import FOLDER

# What the migration grants on and asks of, besides the tables that are there.
_NEEDED = """
create schema if not exists ops;
create table if not exists ops.claims ();
create table if not exists ops.edits ();
create table if not exists unified.event_artists (event_id uuid, artist_id uuid);
drop function if exists ops.protect(regclass);
"""
_LAST = "select ops.protect(c.oid)"
# Here tables stand in for views, and staff sees every table without being told so.
_TABLES = "delete from ops.access where role = 'sonik_staff'"


def protect(pg: psycopg.Connection[Any]) -> None:
    """Protect every table that is there; those made later are nobody's but the owner's."""
    made, last, every = (FOLDER / "0008_access.sql").read_text().rpartition(_LAST)
    pg.execute("\n".join([_NEEDED, made, f"{_TABLES};", last + every]).encode())
