"""Places ids for mentions that lack one: what was answered, what was chosen, who decided, what it has cost.

Who answers is in `resources.places`; what the ids then link is in `linking.py`. Rules: docs/places.md.
"""

from sonik_assets.identity.places.cache import TABLES, aliases, blank, decide, mark_verified
from sonik_assets.identity.places.lookup import Found, look_up
from sonik_assets.identity.places.meter import PostgresMeter
from sonik_assets.identity.places.refresh import Refreshed, refresh

__all__ = [
    "TABLES", "Found", "PostgresMeter", "Refreshed", "aliases", "blank", "decide", "look_up", "mark_verified",
    "refresh",
]  # fmt: skip
