"""A search as it was asked: text and filters, checked once, and what follows from them. No I/O here."""

import hashlib
import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from typing import Any

from resources.errors import TerminalError
from resources.stores.lancedb import quoted
from sonik_assets.serving.lexicon import EMPTY

MAX_LIMIT = 100
MAX_TEXT = 2000

_WORDS = (
    "no sin sem hoy hoje ahora agora today tonight noche noite como cuando quando when donde onde adonde aonde where"
    " quien quienes quem who how mi me meu minha tu su sus seu sua my our"
)
_TELLING = frozenset(_WORDS.split())
"""Of the words that name nothing, those that make another question: negations, times, what is asked for, whose."""
_TOKEN = re.compile(r"\w+|[^\w\s]")
_MARKS = frozenset("?!¿¡.,;:\"'`´()[]{}-_/\\…«»“”‘’–—")  # noqa: RUF001


@dataclass(frozen=True)
class Question:
    """What is looked for. `city` and `genre` are compared without accents and case; dates are inclusive."""

    text: str
    city: str | None = None
    date_from: date | None = None
    date_to: date | None = None
    genre: str | None = None
    kind: str | None = None
    limit: int = 10

    def __post_init__(self) -> None:
        """Bring the text to one spelling of spaces; raises TerminalError for what cannot be searched."""
        object.__setattr__(self, "text", " ".join(self.text.replace("\0", " ").split())[:MAX_TEXT])
        if not self.text:
            raise TerminalError("there is nothing to search for: give a few words")
        if not 1 <= self.limit <= MAX_LIMIT:
            raise TerminalError(f"limit {self.limit} is not between 1 and {MAX_LIMIT}")

    @property
    def prompt(self) -> str:
        """The text as the cache compares it: case aside, `Techno` and `techno` are one question."""
        return self.text.casefold()

    def arguments(self) -> dict[str, Any]:
        """Return what `search` takes to ask this again, as JSON has it."""
        given = {
            name: getattr(self, name) for name in ("text", "city", "date_from", "date_to", "genre", "kind", "limit")
        }
        return {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in given.items()
            if value is not None
        }

    def terms(self, *more: object) -> str:
        """Return a hash of all that must be equal, not similar, for two questions to share an answer: `more`, too.

        Numbers are part of it: a sentence encoder puts 2 January and 3 January at distance 0.004.
        """
        dates = [day and day.isoformat() for day in (self.date_from, self.date_to)]
        city, genre = (value and folded(value) for value in (self.city, self.genre))
        parts = [city, *dates, genre, self.kind, self.limit, re.findall(r"\d+", self.text), more]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]

    def condition(self) -> str | None:
        """Return the filters as a condition over the columns of a vector table, or None without filters."""
        parts = [
            self.city and f"city_key = {quoted(folded(self.city))}",
            self.genre and f"array_has(genre_keys, {quoted(folded(self.genre))})",
            self.kind and f"kind = {quoted(self.kind)}",
            self.date_from and f"local_date >= date '{self.date_from.isoformat()}'",
            self.date_to and f"local_date <= date '{self.date_to.isoformat()}'",
        ]
        return " and ".join(part for part in parts if part) or None


def meant(text: str) -> list[str]:
    """Return what two questions must share to have one answer: their words and symbols, sorted, folded, each once.

    Free to differ are order, marks and words that name nothing. A sentence encoder puts June and July at 0.03, Juan and
    Juana at 0.02, and `with` beside `without`.
    """
    return sorted(set(_TOKEN.findall(folded(text))) - _MARKS - (EMPTY - _TELLING))


def folded(text: str) -> str:
    """Return the text without accents, case and outer spaces, as `vectors.documents.folded` does."""
    if text.isascii():
        return text.lower().strip()
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.category(c).startswith("M")).lower().strip()
