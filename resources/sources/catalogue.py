"""What each source offers: its tables, their keys and clocks. Declared once, read by every stage.

Keys and clocks are top-level fields of a record. Where one has several forms, the first that is present wins.
Which fields a record may hold: `contracts.toml`. Which topic carries which table: `topics.toml`.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

from resources.sources.contracts import CONTRACTS, Contract

TOPICS: dict[str, str] = tomllib.loads(Path(__file__).with_name("topics.toml").read_text())["topics"]
"""Debezium topic -> relation that its envelopes change."""


@dataclass(frozen=True)
class SourceTable:
    """One table of one source, how to find it in an exports folder, and how to ask for it."""

    source: str
    name: str
    files: tuple[str, ...]
    key: tuple[str, ...]
    """Fields whose values, joined by ':', are the record id. Empty: a hash of the record."""
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    """Directus: what is asked beside the table's own fields, as `artists.artists_id`."""
    snapshot: bool = False
    """Every read is the whole table: what it no longer holds is deleted."""

    @property
    def relation(self) -> str:
        """Return the table's name in PostgreSQL."""
        return f"raw_{self.source}.{self.name}"

    @property
    def contract(self) -> Contract:
        """Return what its records may hold."""
        return CONTRACTS[self.relation]

    @property
    def topics(self) -> tuple[str, ...]:
        """Return the Debezium topics whose envelopes change this table."""
        return tuple(topic for topic, relation in TOPICS.items() if relation == self.relation)


def _directus(name: str, *relations: str) -> SourceTable:
    clock = ("date_updated", "date_created")
    return SourceTable("directus", name, (f"directus/{name}.ndjson",), ("id",), clock, relations=relations)


def _twenty(name: str) -> SourceTable:
    clock = ("updatedAt", "createdAt")
    return SourceTable("twenty", name, (f"twenty/{name}.ndjson",), ("id",), clock, ("deletedAt",))


def _mongo(name: str, *clock: str) -> SourceTable:
    return SourceTable("mongo", name, (f"mongo/{name}.ndjson", f"mongo/{name}.bson"), ("_id",), clock)


def _scraper(feed: str) -> SourceTable:
    return SourceTable("scraper", feed, (f"landing/{feed}/*/*.ndjson",), ("provider", "external_id"), ("scraped_at",))


TABLES = (
    _directus("venues"),
    _directus("artists"),
    _directus("events", "artists.artists_id"),
    _directus("events_artists"),
    _directus("articles"),
    _directus("brands"),
    _directus("scrape_jobs"),
    _directus("markets"),
    _directus("campaigns"),
    _directus("features"),
    _directus("feature_flags"),
    _directus("concepts"),
    _twenty("people"),
    _twenty("companies"),
    _twenty("opportunities"),
    SourceTable("twenty", "webhooks", ("landing/webhooks/twenty/*.ndjson",), (), ("received_at",)),
    _mongo("users", "updatedAt", "createdAt"),
    _mongo("transactions", "updatedAt", "createdAt"),
    _mongo("tickets", "updatedAt"),
    _mongo("engagement", "at"),
    _scraper("venue_info"),
    _scraper("event_listings"),
    _scraper("artist_profiles"),
    SourceTable("sonik", "claims", ("claims.ndjson",), (), ("at",)),
    SourceTable("sonik", "code_modules", (), ("id",), snapshot=True),
    SourceTable("sonik", "agent_sessions", ("agent/sessions.ndjson",), (), ("at",)),
)


def table(relation: str) -> SourceTable:
    """Return the table of this name, as `raw_directus.venues` or `directus.venues`; KeyError if there is none."""
    return {each.relation: each for each in TABLES}["raw_" + relation.removeprefix("raw_")]
