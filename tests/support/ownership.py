"""A database of which a role without any privilege over rows is the owner, built by dbt, with two organizers in it."""

import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from resources.embedded.urls import with_database
from sonik_assets.identity.tables import ensure_tables
from sonik_assets.raw import schema
from sonik_assets.unified import dbt

ROLES = ("sonik_staff", "sonik_organizer", "sonik_agent")
MONTHS = "2026-09-05Z", "2026-10-05Z"


class Owned:
    """The database. `postgres`, `owner` and `web` (what serving logs in as for organizers) are its URLs."""

    def __init__(self, postgres: str) -> None:
        self.name = f"test_{uuid.uuid4().hex[:12]}"
        self.first_policies: list[tuple[Any, ...]] = []
        self.postgres = with_database(postgres, self.name)
        self.owner = make_conninfo(self.postgres, user=f"owner_{self.name}")
        self.web = make_conninfo(self.postgres, user=f"web_{self.name}")

    def build(self, folder: Path, *selected: str) -> None:
        """Let dbt build models as the owner."""
        with pytest.MonkeyPatch.context() as environment:
            for name in ("HOST", "PORT", "USER", "DATABASE", "SSLMODE"):
                environment.setenv(f"SONIK_DBT_{name}", "")
            environment.setenv("DBT_ENV_SECRET_SONIK_PASSWORD", "")
            environment.setenv("DBT_TARGET_PATH", "")
            dbt.point_at(self.owner, folder)
            where = ["--project-dir", str(dbt.PROJECT), "--profiles-dir", str(dbt.PROJECT), "--log-path", str(folder)]
            command = [dbt.EXECUTABLE, "--no-use-colors", "run", *where, "--select", *selected]
            done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
        assert done.returncode == 0, done.stdout


@contextmanager
def owned(postgres: str) -> Iterator[Owned]:
    """Make the database, its owner, the tables of the stages before dbt, and the login of serving."""
    here = Owned(postgres)
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create role owner_{here.name} login createrole")
        server.execute(f"create role web_{here.name} login")
        server.execute(f"create database {here.name} template template0 owner owner_{here.name}")
        try:
            with psycopg.connect(here.owner) as connection:
                schema.ensure(connection)
                ensure_tables(connection)
            server.execute(f"grant sonik_organizer to web_{here.name} with inherit false, set true")
            server.execute(f"grant {', '.join(ROLES)} to owner_{here.name} with inherit false, set true")
            yield here
        finally:
            server.execute(f"drop database {here.name} with (force)")
            server.execute(f"drop role web_{here.name}")
            # What it made first: the three roles, where no other test did.
            server.execute(f"reassign owned by owner_{here.name} to postgres")
            server.execute(f"drop owned by owner_{here.name}")
            server.execute(f"drop role owner_{here.name}")


class House:
    """One organizer's: ids of all that is its own, and what nobody but staff may be told."""

    def __init__(self, name: str) -> None:
        self.name = name
        kinds = ("organization", "venue", "artist", "person", "event", "campaign", "purchase", "ticket", "content")
        self.ids = {kind: uuid.uuid4() for kind in kinds}
        self.secrets = [str(self.ids["person"]), f"Fan of {name}", f"fan@{name}.test", f"browser {name}"]

    def marks(self) -> list[str]:
        """Return what any row of this organizer's has at least one of."""
        return [*map(str, self.ids.values()), *self.secrets, self.name]

    def write(self, pg: psycopg.Connection[Any]) -> None:
        """Write a row at least into every table that organizers may read."""
        self._entities(pg)
        id = self.ids
        pg.execute(
            "insert into unified.events (id, name, venue_id, organizer_id, starts_at, local_date, status, is_draft,"
            " genres, source_count) values (%s, %s, %s, %s, '2026-10-10 20:00Z', '2026-10-10', 'scheduled', false,"
            " '{salsa}', 1)",
            [id["event"], f"Night of {self.name}", id["venue"], id["organization"]],
        )
        pg.execute("insert into unified.event_artists values (%s, %s)", [id["event"], id["artist"]])
        pg.execute(
            "insert into unified.room_bookings values (%(e)s, %(v)s, ops.uuid_range(%(v)s, %(v)s, '[]'),"
            " '[2026-10-10 20:00Z, 2026-10-10 23:00Z)')",
            {"e": id["event"], "v": id["venue"]},
        )
        pg.execute(
            "insert into unified.campaigns (id, name, channel, organizer_id) values (%s, %s, 'flyer', %s)",
            [id["campaign"], f"Flyer of {self.name}", id["organization"]],
        )
        self._sales(pg)
        self._visits(pg)

    def _entities(self, pg: psycopg.Connection[Any]) -> None:
        for kind in ("organization", "venue", "artist", "person", "event"):
            name = {"person": self.secrets[1], "event": f"Night of {self.name}"}.get(kind, f"{kind} {self.name}")
            told = {"email": self.secrets[2]} if kind == "person" else {"city": "Lima"}
            pg.execute(
                "insert into unified.entities (id, entity_type, name, canonical_scheme, canonical_id, metadata,"
                " first_seen_at, updated_at) values (%s, %s, %s, 'uuid', %s, %s, now(), now())",
                [self.ids[kind], kind, name, str(self.ids[kind]), Jsonb(told)],
            )
            pg.execute(
                "insert into identity.entity_map (source, table_name, record_id, entity_id, entity_type, linked_by)"
                " values ('test', %s, %s, %s, %s, 'test')",
                [kind, self.name, self.ids[kind], kind],
            )

    def _sales(self, pg: psycopg.Connection[Any]) -> None:
        id = self.ids
        pg.execute(
            "insert into unified.purchases (id, person_id, event_id, campaign_id, amount, currency, status, at)"
            " values (%s, %s, %s, %s, 30, 'PEN', 'completed', '2026-10-06Z')",
            [id["purchase"], id["person"], id["event"], id["campaign"]],
        )
        pg.execute(
            "insert into unified.tickets (id, purchase_id, event_id, person_id, price) values (%s, %s, %s, %s, 30)",
            [id["ticket"], id["purchase"], id["event"], id["person"]],
        )
        pg.execute(
            "insert into unified.opportunities (id, name, organization_id, person_id, updated_at)"
            " values (%s, %s, %s, %s, now())",
            [uuid.uuid4(), f"Deal with {self.name}", id["organization"], id["person"]],
        )
        pg.execute(
            "insert into unified.relationships (id, from_label, from_id, type, to_label, to_id, discriminator, weight,"
            " at, source, confidence, properties)"
            " values (%s, 'Person', %s, 'ATTENDED', 'Event', %s, '', 1, now(), 'test', 1, '{}'),"
            " (%s, 'Event', %s, 'HOSTED_BY', 'Venue', %s, '', 1, now(), 'test', 1, '{}')",
            [uuid.uuid4(), id["person"], id["event"], uuid.uuid4(), id["event"], id["venue"]],
        )

    def _visits(self, pg: psycopg.Connection[Any]) -> None:
        pg.execute("select ops.ensure_months('unified.interactions', %s, %s)", MONTHS)
        for at in MONTHS:
            for kind in ("page_view", "ticket_click", "share"):
                pg.execute(
                    "insert into unified.interactions (id, person_id, anonymous_id, event_id, campaign_id, channel,"
                    " kind, at, properties) values (%s, %s, %s, %s, %s, 'flyer', %s, %s, %s)",
                    [
                        uuid.uuid4(),
                        self.ids["person"],
                        self.secrets[3],
                        self.ids["event"],
                        self.ids["campaign"],
                        kind,
                        at,
                        Jsonb({"email": self.secrets[2]}),
                    ],
                )
