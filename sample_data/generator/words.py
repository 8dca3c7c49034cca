"""Word lists of the simulated world, read from words.toml.

Here: names for the lists, so that a misspelt one fails at once. No logic.
"""

import tomllib
from pathlib import Path
from typing import Any

_WORDS: dict[str, Any] = tomllib.loads(Path(__file__).with_name("words.toml").read_text(encoding="utf-8"))


def _words(name: str) -> tuple[str, ...]:
    return tuple(_WORDS[name])


FIRST_NAMES = _words("first_names")
LAST_NAMES = _words("last_names")
ARTIST_HEADS = _words("artist_heads")
ARTIST_TAILS = _words("artist_tails")
ARTIST_FORMS = _words("artist_forms")
ORGANIZER_FORMS = _words("organizer_forms")
BRANDS = _words("brands")
GENRES = _words("genres")
NIGHT_HEADS = _words("night_heads")
NIGHT_TAILS = _words("night_tails")
TIERS = _words("tiers")
CHANNELS = _words("channels")
CHAINS = _words("chains")
PARENTS = _words("parents")
NEIGHBOURHOODS = _words("neighbourhoods")
PROVIDERS = _words("providers")
QUESTIONS = _words("questions")
MEMORIES = _words("memories")
MARKETS = _words("markets")
CONCEPTS = tuple((name, domain) for domain, names in _WORDS["concepts"].items() for name in names)
COUNTRY_NAMES: dict[str, str] = {code: row["name"] for code, row in _WORDS["countries"].items()}
CALLING_CODES: dict[str, str] = {code: row["calling"] for code, row in _WORDS["countries"].items()}
CURRENCIES: dict[str, str] = {code: row["currency"] for code, row in _WORDS["countries"].items()}
PRICE_BASE: dict[str, float] = {row["currency"]: row["price"] for row in _WORDS["countries"].values()}
