"""A database with claims: migrated, identity's tables, `unified.entities` as dbt makes it, a few records. By hand."""

import uuid
from typing import Any

import psycopg

from sonik_assets.identity.tables import ensure_tables
from sonik_assets.migrations import migrate

ENTITIES = """
create table unified.entities (
    id uuid primary key, entity_type text not null, name text, claim_status text not null default 'unclaimed',
    claimed_by uuid, metadata jsonb not null default '{}'
)
"""
ANA, BEN = "ana", "ben"
"""Users of mongo/users, each a person."""


class Claimed:
    """Entities of one record each, and what the database says of them."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.connection = connection
        connection.execute("create schema if not exists raw")
        migrate(connection)
        ensure_tables(connection)
        connection.execute(ENTITIES)
        connection.execute("select ops.guard_entities()")
        for user in (ANA, BEN):
            self.entity(f"mongo/users/{user}", "person")

    def entity(self, ref: str, kind: str = "venue", id: str | None = None) -> str:
        """Make the record an entity, or one of `id`; return its id."""
        made = id or str(uuid.uuid4())
        source, table, record = ref.split("/")
        self.connection.execute(
            "insert into unified.entities (id, entity_type, name) values (%s, %s, %s) on conflict do nothing",
            [made, kind, ref],
        )
        self.connection.execute(
            "insert into identity.mentions (source, table_name, record_id, entity_type, embedded, key)"
            " values (%s, %s, %s, %s, false, %s) on conflict do nothing",
            [source, table, record, kind, ref],
        )
        self.connection.execute(
            "insert into identity.entity_map (source, table_name, record_id, entity_id, entity_type, linked_by)"
            " values (%s, %s, %s, %s, %s, 'record')"
            " on conflict (source, table_name, record_id) do update set entity_id = excluded.entity_id",
            [source, table, record, made, kind],
        )
        return made

    def person(self, user: str) -> str:
        """Return the entity of a user."""
        return str(self.one("select entity_id from ops.entity_of(%s)", f"mongo/users/{user}"))

    def columns(self, entity: str) -> tuple[str, str | None]:
        """Return claim_status and claimed_by."""
        query = "select claim_status, claimed_by::text from unified.entities where id = %s"
        return self.connection.execute(query, [entity]).fetchone()  # type: ignore[return-value]

    def write(self, event: str | None, ref: str, user: str | None = ANA, **values: object) -> None:
        """Append to the log, as anyone with a connection could."""
        row = {"id": uuid.uuid4(), "event": event, "entity_ref": ref, "user_id": user, **values}
        names, marks = ", ".join(row), ", ".join(["%s"] * len(row))
        self.connection.execute(f"insert into ops.claims ({names}) values ({marks})", list(row.values()))

    def one(self, query: str, *values: object) -> Any:
        """Return the only value of a query."""
        found = self.connection.execute(query, list(values)).fetchone()
        assert found is not None
        return found[0]
