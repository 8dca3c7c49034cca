"""Which identifiers link, forbid and name a thing of each type (requirement I1), and which sources are clean."""

import polars as pl

LINKING = {
    "venue": ("google_places_id", "instagram_url"),
    "organization": ("google_places_id", "domain", "instagram_url"),
    "artist": ("instagram_url", "domain"),
    "brand": ("instagram_url", "domain"),
    "person": ("email", "instagram_url", "source_id"),
    "event": ("source_id", "event_key", "ticket_url"),
}
"""The strong schemes of each entity type, the strongest first."""

FORBIDDING = {
    "venue": ("google_places_id",),
    "organization": ("google_places_id", "domain", "instagram_url"),
    "artist": ("instagram_url", "domain"),
    "brand": ("instagram_url", "domain"),
    "person": ("instagram_url",),
    "event": (),
}
"""The schemes of which one thing has one value, the strongest first: two values are two things.

Not a venue's handle (the house, its restaurant and its chain have one each), nor a person's e-mail (one at work, one
at home). Two events of one night have two keys until they turn out to be one: their session markers forbid.
"""

CANONICAL = {
    "venue": ("google_places_id",),
    "organization": ("google_places_id", "domain", "instagram_url"),
    "artist": ("instagram_url",),
    "brand": ("instagram_url", "domain"),
    "person": ("instagram_url",),
    "event": ("event_key",),
}
"""The schemes of a canonical id, the best first; without one it is scheme `uuid`, the entity's own id."""

OWN_ID = "uuid"

PHASES = (("venue", "organization", "artist", "brand", "person"), ("event",))
"""The order of resolution: an event is known by its venue."""

RULES = "2"
"""Raised whenever a normaliser or a rule changes what a record means: the next run then reads everything again."""

MOST_RECORDS = 60
"""Records of their own that likeness may put into one entity; a larger one stops the run (`guard.py`)."""


TICKETS = "ticket_url"
"""The page that sells an event: strong where it sells one, at one venue, on days no further apart than a date moves."""

PAGES = frozenset({"source_id", "ticket_url"})
"""Schemes whose values are pages of events: one may list several, as a calendar or a festival's box office does."""


def clean_source() -> pl.Expr:
    """Return the source that holds a thing once (the CMS, each scraper provider), null for the others.

    The CRM and the shop's users are not clean: people register twice, and sales types a company again.
    """
    provider = pl.col("record_id").str.split(":").list.first()
    return (
        pl.when(pl.col("source") == "directus")
        .then(pl.lit("directus"))
        .when(pl.col("source") == "scraper")
        .then(pl.concat_str(pl.lit("scraper/"), provider))
    )


def strong(kinds: tuple[str, ...]) -> pl.DataFrame:
    """Return `entity_type`, `scheme` and `rank` (0: strongest) of the schemes that link."""
    rows = [(kind, scheme, rank) for kind in kinds for rank, scheme in enumerate(LINKING[kind])]
    return pl.DataFrame(rows, {"entity_type": pl.String, "scheme": pl.String, "rank": pl.UInt8}, orient="row")
