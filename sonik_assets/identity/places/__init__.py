"""Places ids for mentions that lack one: what was answered, what was chosen, who decided, what it has cost.

Who answers is in `resources.places`; what the ids then link is in `linking.py`. Rules: docs/places.md.
"""

from sonik_assets.identity.places import asked, cache
from sonik_assets.identity.places.cache import aliases, blank, decide, mark_verified, retired
from sonik_assets.identity.places.hearing import Heard, Said, hear, remember, unstated
from sonik_assets.identity.places.lookup import Found, look_up
from sonik_assets.identity.places.meter import PostgresMeter
from sonik_assets.identity.places.refresh import Refreshed, refresh

__all__ = [
    "TABLES", "Found", "Heard", "PostgresMeter", "Refreshed", "Said", "aliases", "blank", "decide", "hear", "look_up",
    "mark_verified", "refresh", "remember", "retired", "unstated",
]  # fmt: skip

TABLES = cache.TABLES + asked.TABLES
"""Run after `identity.tables.ensure_tables`; changes nothing that is there."""
