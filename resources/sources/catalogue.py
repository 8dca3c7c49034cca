"""What each source offers: its tables, their keys, clocks and contracts. Declared once, read by every stage.

Paths are JSONPath into one record. Where a path has several forms, the first that is present wins.
"""

from dataclasses import dataclass, field

Contract = dict[str, str]
"""Field to kind: `text`, `number`, `amount` (a number as people write it), `time`, `list`.

A present value of another kind is a dead letter.
"""


@dataclass(frozen=True)
class SourceTable:
    """One table of one source, and how to find it in an exports folder."""

    source: str
    name: str
    files: tuple[str, ...]
    key: tuple[tuple[str, ...], ...]
    """Parts of the record id, joined by ':'; each part is a list of alternatives. Empty: a hash of the line."""
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    contract: Contract = field(default_factory=dict)
    snapshot: bool = False
    """Every read is the whole table: what it no longer holds is deleted."""
    topic: str | None = None
    """Debezium topic whose envelopes carry changes of this table."""

    @property
    def relation(self) -> str:
        """Return the table's name in PostgreSQL."""
        return f"raw_{self.source}.{self.name}"


ID: tuple[tuple[str, ...], ...] = (("$.id",),)
MONGO_ID: tuple[tuple[str, ...], ...] = (("$._id",),)
SCRAPED: tuple[tuple[str, ...], ...] = (("$.provider",), ("$.external_id",))
DIRECTUS_CLOCK = ("$.date_updated", "$.date_created")
TWENTY_CLOCK = ("$.updatedAt", "$.createdAt")


def _directus(name: str, /, *, topic: str | None = None, **contract: str) -> SourceTable:
    return SourceTable(
        "directus", name, (f"directus/{name}.ndjson",), ID, DIRECTUS_CLOCK, contract=contract, topic=topic
    )


def _twenty(name: str, /, **contract: str) -> SourceTable:
    return SourceTable("twenty", name, (f"twenty/{name}.ndjson",), ID, TWENTY_CLOCK, ("$.deletedAt",), contract)


def _mongo(name: str, clock: tuple[str, ...], /, *, topic: str | None = None, **contract: str) -> SourceTable:
    files = (f"mongo/{name}.ndjson", f"mongo/{name}.bson")
    return SourceTable("mongo", name, files, MONGO_ID, clock, contract=contract, topic=topic)


def _scraper(feed: str, /, **contract: str) -> SourceTable:
    files = (f"landing/{feed}/*/*.ndjson",)
    return SourceTable("scraper", feed, files, SCRAPED, ("$.scraped_at",), contract=contract)


TABLES = (
    _directus(
        "venues", topic="sonik.public.venues", name="text", latitude="number", longitude="number",
        capacity="number", city="text", instagram="text", website="text",
    ),
    _directus("artists", name="text", genres="list", instagram="text"),
    _directus(
        "events", name="text", date_start="text", venue="text", artists="list", genres="list",
        price_min="amount", price_max="amount",
    ),
    _directus("articles", title="text", published_at="time"),
    _directus("brands", name="text", instagram="text"),
    _directus("scrape_jobs", started_at="time", finished_at="time", rows_found="number"),
    _directus("markets", name="text", timezone="text"),
    _directus("campaigns", name="text", budget="number"),
    _directus("features", name="text", revenue_impact="number", modules="list"),
    _directus("feature_flags", name="text", rollout_percentage="number"),
    _directus("concepts", name="text", related="list"),
    _twenty("people"),
    _twenty("companies", name="text"),
    _twenty("opportunities", name="text"),
    SourceTable("twenty", "webhooks", ("landing/webhooks/twenty/*.ndjson",), (), ("$.received_at",)),
    _mongo("users", ("$.updatedAt", "$.createdAt"), topic="sonik.shop.users", anonymousIds="list"),
    _mongo("transactions", ("$.updatedAt", "$.createdAt"), amount="number", userId="text"),
    _mongo("tickets", ("$.updatedAt",), price="number"),
    _mongo("engagement", ("$.at",), kind="text", at="time"),
    _scraper("venue_info", name="text", latitude="number", longitude="number", instagram="text"),
    _scraper("event_listings", title="text", starts_at="text", artists="list", price="amount"),
    _scraper("artist_profiles", name="text", followers="amount", genres="list"),
    SourceTable("sonik", "claims", ("claims.ndjson",), (), ("$.at",), contract={"at": "time"}),
    SourceTable("sonik", "code_modules", (), ID, contract={"imports": "list"}, snapshot=True),
    SourceTable("sonik", "agent_sessions", ("agent/sessions.ndjson",), (), ("$.at",), contract={"at": "time"}),
)  # fmt: skip

REQUIRED: dict[str, tuple[str, ...]] = {
    "raw_mongo.engagement": ("kind", "at"),
    "raw_scraper.event_listings": ("title", "starts_at"),
    "raw_scraper.venue_info": ("name",),
    "raw_scraper.artist_profiles": ("name",),
    "raw_sonik.claims": ("entity_ref", "status", "at"),
    "raw_sonik.agent_sessions": ("session", "kind", "at"),
}
"""Fields without which a record says nothing; the key is always required."""
