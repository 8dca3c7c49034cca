"""A database that dbt has built: raw records, identity's decisions, every model of `unified` and `marts`.

Made once a session and kept as a template; each test gets a copy under one name, so that dbt parses its project once.
"""

import os
import random
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from resources.embedded.urls import with_database
from sonik_assets.identity.resolve import Options, Report, resolve
from sonik_assets.migrations import migrate
from sonik_assets.raw import schema
from sonik_assets.unified import dbt

NOW = datetime(2026, 10, 1, tzinfo=UTC)
CITIES = {"Lima": ("PE", -12.05, -77.03), "Bogotá": ("CO", 4.65, -74.08), "Guadalajara": ("MX", 20.67, -103.35)}
WORDS = tuple("Azul Norte Delirio Cóndor Jaguar Trópico Espejo Neón Fantasma Tambor Candela Marea".split())  # noqa: SIM905
_WRITE = """
insert into raw_{source}.{table} (record_id, payload, source_updated_at, payload_hash, first_seen_at, changed_at,
    partition_date, run_id)
values (%(id)s, %(payload)s, %(at)s, '', now(), now(), '2026-10-01', 'test')
on conflict (record_id) do update set payload = {table}.payload || excluded.payload,
    source_updated_at = excluded.source_updated_at, changed_at = excluded.changed_at, deleted_at = null
"""
# What of a table's rows tells whether a tuple was written: not the order, which nobody promised.
_ROWS = "select tableoid::regclass::text || ctid || xmin from {} order by 1"


@dataclass
class Built:
    """A copy of the built database, and a dbt for it. `connection` commits each statement."""

    connection: psycopg.Connection[Any]
    url: str
    home: Path

    def write(self, ref: str, clock: datetime = NOW, /, **payload: object) -> None:
        """Write a record (source/table/record_id): of one that is there the fields that are given; it lives again."""
        source, table, id = ref.split("/", 2)
        bound = {"id": id, "payload": Jsonb({"id": id, **payload}), "at": clock}
        self.connection.execute(_WRITE.format(source=source, table=table), bound)

    def delete(self, ref: str) -> None:
        """Let a record be gone from its source."""
        source, table, id = ref.split("/", 2)
        self.connection.execute(
            f"update raw_{source}.{table} set deleted_at = now(), changed_at = now() where record_id = %s", [id]
        )

    def resolve(self) -> Report:
        """Let identity look at what is new; nothing is too much."""
        return resolve(self.connection, None, Options(acknowledged="test"))

    def run(self, *arguments: str, fails: bool = False) -> str:
        """Run dbt (`run` of unified and marts unless told otherwise); return what it prints."""
        where = ["--project-dir", str(dbt.PROJECT), "--profiles-dir", str(dbt.PROJECT), "--log-path", str(self.home)]
        chosen = () if "--select" in arguments else ("--select", "fqn:sonik.unified", "fqn:sonik.marts")
        done = subprocess.run(
            [dbt.EXECUTABLE, "--no-use-colors", "run", *chosen, *arguments, *where],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, **dbt.variables(self.url, self.home)},
        )
        assert bool(done.returncode) == fails, done.stdout
        return done.stdout

    def tables(self) -> list[str]:
        """Return the tables of unified and marts, partitions as their parent."""
        rows = self.connection.execute(
            "select c.oid::regclass::text from pg_class as c"
            " where c.relnamespace in ('unified'::regnamespace, 'marts'::regnamespace)"
            " and c.relkind in ('r', 'p') and not c.relispartition and c.relname <> 'changes' order by 1"
        )
        return [row[0] for row in rows]

    def tuples(self) -> dict[str, list[str]]:
        """Return where each row of each table is and which transaction wrote it."""
        return {name: self.column(_ROWS.format(name)) for name in self.tables()}

    def column(self, query: str, *values: object) -> list[Any]:
        """Return the first column of a query."""
        return [row[0] for row in self.connection.execute(query, list(values))]

    def one(self, query: str, *values: object) -> Any:
        """Return the only value of a query."""
        (found,) = self.column(query, *values)
        return found

    def entity(self, ref: str) -> str:
        """Return the entity of a record."""
        return str(self.one("select entity_id from ops.entity_of(%s)", ref))


def furnish(built: Built) -> None:
    """Write a small city life, resolve it and build everything."""
    with psycopg.connect(built.url) as connection:
        schema.ensure(connection)
        migrate(connection)
    _write_city_life(built, random.Random(1))  # noqa: S311 - the same scene in every run
    built.run("--select", "fqn:sonik.staging")
    built.resolve()
    bar = built.entity("directus/venues/v0")
    built.connection.execute("insert into ops.claims (id, entity_ref, user_id, method, event) values"
                             " (uuidv7(), 'directus/venues/v0', 'u0', 'email', 'submit')")  # fmt: skip
    built.run()
    assert built.one("select claim_status from unified.entities where id = %s", bar) == "pending"


def _write_city_life(built: Built, dice: random.Random) -> None:
    with built.connection.transaction():
        for n in range(12):
            _venue(built, n, *list(CITIES.items())[n % 3])
        for n in range(8):
            built.write(f"directus/artists/a{n}", name=f"Orquesta {_word(n)}", instagram=f"orq{n}", genres=["Cumbia"])
            built.write(f"scraper/artist_profiles/p{n}", name=f"Orq. {_word(n)}", instagram=f"@orq{n}", followers=n * 9)
            built.write(f"directus/brands/b{n}", name=f"Marca {_word(n)}", instagram=f"marca{n}")
            built.write(f"mongo/users/u{n}", name=f"Persona {_word(n)}", email=f"u{n}@mail.example", anonymousIds=[])
            site = {"primaryLinkUrl": f"promo{n}.example"}
            built.write(f"twenty/companies/c{n}", name=f"Promotora {_word(n)}", domainName=site)
            built.write(f"twenty/opportunities/o{n}", name="Deal", companyId=f"c{n}", amount={"amountMicros": 5e6})
            promoter = f"promo{n}"
            built.write(f"directus/campaigns/k{n}", name="Campaña", channel="instagram", organizer_instagram=promoter)
            title = f"Noche en Sala {_word(n)} de la Luna"
            built.write(f"directus/articles/t{n}", title=title, city=list(CITIES)[n % 3], body="...")
        for n in range(2):
            built.write(f"directus/brands/plain{n}", name=f"Ron {_word(n)}")
        for n in range(24):
            _event(built, n)
        for n in range(200):
            _visit(built, n, dice)


def _venue(built: Built, n: int, city: str, place: tuple[str, float, float]) -> None:
    country, latitude, longitude = place
    name, handle = f"Sala {_word(n)} de la Luna", f"sala{n}"
    built.write(
        f"directus/venues/v{n}", name=name, city=city, country=country, instagram=handle, capacity=100 + n,
        latitude=latitude + n / 100, longitude=longitude, category="night_club",
    )  # fmt: skip
    built.write(
        f"scraper/venue_info/i{n}", NOW + timedelta(hours=n), name=name.upper(), city=city, country=country,
        instagram=f"@{handle}", phone=f"+51 1 444 55{n:02}", website=f"https://{handle}.example",
        latitude=latitude + n / 100 + 0.01, longitude=longitude, category="bar",
    )  # fmt: skip


def _event(built: Built, n: int) -> None:
    city, (country, *_) = list(CITIES.items())[n % 12 % 3]
    start = f"2026-11-{n % 20 + 1:02}T22:00:00"
    organizer = {"organizer_name": f"Promotora {_word(n % 8)}", "organizer_website": f"https://promo{n % 8}.example"}
    built.write(
        f"directus/events/e{n}", name=f"Noche {_word(n)}", venue=f"v{n % 12}", date_start=start, price_min=10 + n,
        genres=["Cumbia", "salsa"], ticket_url=f"https://tickets.example/{n}", currency="MXN", status="published",
        artists=[{"artists_id": f"a{n % 8}"}], description="Una noche", **organizer,
    )  # fmt: skip
    built.write(f"directus/events_artists/j{n}", events_id=f"e{n}", artists_id=f"a{(n + 1) % 8}")
    built.write(
        f"scraper/event_listings/l{n}", title=f"Noche {_word(n)}", venue_name=f"Sala {_word(n % 12)} de la Luna",
        city=city, country=country, starts_at=start, price=15 + n, artists=[f"Orquesta {_word(n % 8)}"],
        artist_instagrams=[f"orq{n % 8}"], description="Una noche larga de cumbia", currency="MXN", **organizer,
    )  # fmt: skip


def _visit(built: Built, n: int, dice: random.Random) -> None:
    who = {"userId": f"u{dice.randrange(8)}"} if n % 3 == 0 else {"anonymousId": f"browser{dice.randrange(20)}"}
    kind = dice.choice(["page_view", "page_view", "ticket_click", "share", "check_in", "referral"])
    more = {"referrerUserId": f"u{dice.randrange(8)}"} if kind == "referral" else {"contentId": f"t{dice.randrange(8)}"}
    at = NOW - timedelta(hours=n)
    built.write(
        f"mongo/engagement/g{n}", kind=kind, eventId=f"e{dice.randrange(24)}", at={"$date": at.isoformat()},
        channel=dice.choice(["instagram", "direct"]), campaignId=f"k{dice.randrange(8)}", **who, **more,
    )  # fmt: skip
    if n % 10 == 0:
        sale = {"userId": f"u{n // 10 % 8}", "eventId": f"e{n // 10}", "createdAt": {"$date": NOW.isoformat()}}
        built.write(f"mongo/transactions/x{n}", amount=50, currency="MXN", status="completed", **sale)
        built.write(f"mongo/tickets/k{n}", transactionId=f"x{n}", tier="vip", price=50, **sale)


def _word(n: int) -> str:
    return WORDS[n % 12] + (" Nueva" if n >= 12 else "")


@contextmanager
def copied(postgres: str, template: str, name: str, home: Path) -> Iterator[Built]:
    """Yield a copy of a database, gone afterwards."""
    with psycopg.connect(postgres, autocommit=True) as server:
        server.execute(f"create database {name} template {template}")
        try:
            url = with_database(postgres, name)
            with psycopg.connect(url, autocommit=True) as connection:
                yield Built(connection, url, home)
        finally:
            for (slot,) in server.execute("select slot_name from pg_replication_slots where database = %s", [name]):
                server.execute("select pg_drop_replication_slot(%s)", [slot])
            server.execute(f"drop database {name} with (force)")
