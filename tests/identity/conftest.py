"""A database with empty staging tables, filled by hand: what dbt gives identity, without dbt."""

from collections.abc import Iterator

import psycopg
import pytest

from sonik_assets.identity.inbox import RAW

STAGING = """
create schema staging;
create table staging.mentions (
    source text, table_name text, record_id text, entity_type text, embedded boolean default false, name text,
    address text, city text, country text, latitude float8, longitude float8, website text, instagram text,
    phone text, email text, google_place_id text, user_id text, category text, genres text,
    updated_at timestamptz default '2026-03-01Z', first_seen_at timestamptz default '2026-03-01Z',
    changed_at timestamptz default now(),
    primary key (source, table_name, record_id)
);
create table staging.event_mentions (
    source text, table_name text, record_id text, name text, venue_source text, venue_table text,
    venue_record_id text, starts_at_text text, ends_at_text text, timezone text, city text, country text,
    venue_name text, line_up text, url text, ticket_url text,
    updated_at timestamptz default '2026-03-01Z', first_seen_at timestamptz default '2026-03-01Z',
    changed_at timestamptz default now(),
    primary key (source, table_name, record_id)
);
create table staging.visitor_evidence (
    anonymous_id text, user_record text, method text, evidence_at timestamptz, changed_at timestamptz default now()
);
"""


class World:
    """Puts rows into staging and asks what identity made of them."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self.connection = connection

    def mention(self, ref: str, entity_type: str, **values: object) -> None:
        self._put("mentions", ref, {"entity_type": entity_type, **values})

    def event(self, ref: str, **values: object) -> None:
        venue = dict(
            zip(
                ("venue_source", "venue_table", "venue_record_id"),
                str(values.pop("venue", "")).split("/"),
                strict=False,
            )
        )
        self._put("event_mentions", ref, {**venue, **values})

    def evidence(self, anonymous_id: str, user: str, at: str, method: str = "sign_in") -> None:
        self.connection.execute(
            "insert into staging.visitor_evidence (anonymous_id, user_record, method, evidence_at)"
            " values (%s, %s, %s, %s)",
            [anonymous_id, user, method, at],
        )

    def delete(self, ref: str) -> None:
        source, table, record = ref.split("/")
        base = table.partition(".")[0]
        self.connection.execute(
            f"insert into raw_{source}.{base} values (%s) on conflict (record_id) do update set changed_at = now()",
            [record.partition("#")[0]],
        )
        for name in ("mentions", "event_mentions"):
            self.connection.execute(
                f"delete from staging.{name} where (source, table_name, record_id) = (%s, %s, %s)",
                [source, table, record],
            )

    def id(self, ref: str) -> str | None:
        source, table, record = ref.split("/")
        row = self.connection.execute(
            "select entity_id::text from identity.entity_map where (source, table_name, record_id) = (%s, %s, %s)",
            [source, table, record],
        ).fetchone()
        return row[0] if row else None

    def rows(self, query: str) -> list[tuple]:
        return self.connection.execute(query).fetchall()

    def _put(self, table: str, ref: str, values: dict[str, object]) -> None:
        key = dict(zip(("source", "table_name", "record_id"), ref.split("/"), strict=True))
        row = {**key, **values}
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        updates = ", ".join(f"{name} = excluded.{name}" for name in [*row, "changed_at"])
        self.connection.execute(
            f"insert into staging.{table} ({names}) values ({marks})"
            f" on conflict (source, table_name, record_id) do update set {updates}",
            list(row.values()),
        )


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute(STAGING)
        for source, table in RAW:
            connection.execute(
                f"create schema if not exists raw_{source};"
                f" create table raw_{source}.{table} (record_id text primary key, changed_at timestamptz default now())"
            )
        yield World(connection)
