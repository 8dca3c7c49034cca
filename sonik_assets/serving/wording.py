"""What the words of a question name: cities, genres, days, kinds, and what is left, which may be names. Pure.

Cities, genres and days are those that the data has (`Vocabulary`). Words that hold for any data are in `lexicon.py`.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from rapidfuzz.distance import OSA

from sonik_assets.serving.lexicon import CATEGORIES, EMPTY, KINDS, MONTHS
from sonik_assets.serving.question import folded

WORD = re.compile(r"[^\W_]+")
MOST_WORDS = 40
"""Words of a question that are compared one by one; the whole of it is embedded and searched for all the same."""
LONG = 6
"""Letters from which a word may differ in one and still be meant."""


@dataclass(frozen=True)
class Vocabulary:
    """What the tables hold, folded: `cities`, `genres`; `days` of events."""

    cities: frozenset[str] = frozenset()
    genres: frozenset[str] = frozenset()
    days: frozenset[date] = frozenset()


@dataclass(frozen=True)
class Wording:
    """A question read: all its `words`, those that may be `names`, and what the others name."""

    words: tuple[str, ...]
    names: tuple[str, ...]
    cities: frozenset[str]
    genres: frozenset[str]
    days: frozenset[date]
    kinds: frozenset[str]
    categories: frozenset[str]


def words_of(text: str) -> list[str]:
    """Return the words, without accents and case."""
    return WORD.findall(folded(text))


def read(text: str, known: Vocabulary) -> Wording:
    """Return what the question names. A word that names a city may be part of a name, too, and stays among those."""
    words = words_of(text)[:MOST_WORDS]
    days, dated = _days(words, text, known.days)
    genres, styled = _genres(words, known.genres)
    cities, placed = _cities(words, known.cities)
    kinds = frozenset[str]().union(*(KINDS.get(word, ()) for word in words))
    categories = frozenset(each for word in words for each in CATEGORIES.get(word, "").split())
    spent = dated | styled | placed
    names = [
        word
        for at, word in enumerate(words)
        if at not in spent and word not in EMPTY and word not in KINDS and word not in CATEGORIES
    ]
    return Wording(tuple(words), tuple(dict.fromkeys(names)), cities, genres, days, kinds, categories)


def alike(word: str, other: str) -> bool:
    """Say whether two words differ in one letter at most, or by two neighbours changed over; short ones must agree."""
    if word == other:
        return True
    return min(len(word), len(other)) >= LONG - 1 and OSA.distance(word, other, score_cutoff=1) <= 1


def _runs(words: Sequence[str], longest: int) -> Iterator[tuple[int, int, str]]:
    """Yield every run of words, the longest first: where it begins, where it ends, and its text."""
    for length in range(min(longest, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            yield start, start + length, " ".join(words[start : start + length])


def _cities(words: Sequence[str], cities: Collection[str]) -> tuple[frozenset[str], set[int]]:
    spelt = _spelt(frozenset(cities))
    found, spent = set[str](), set[int]()
    for start, end, run in _runs(words, 6):
        if run in spelt and run not in EMPTY and not spent & set(range(start, end)):
            found |= spelt[run]
            spent |= set(range(start, end))
    return frozenset(found), spent


@lru_cache(maxsize=8)
def _spelt(keys: frozenset[str]) -> dict[str, set[str]]:
    """Return the keys by their words alone: `sao joao del-rei` is asked for without its hyphen."""
    spelt: dict[str, set[str]] = {}
    for key in keys:
        spelt.setdefault(" ".join(WORD.findall(key)), set()).add(key)
    return spelt


def _genres(words: Sequence[str], genres: Collection[str]) -> tuple[frozenset[str], set[int]]:
    found, spent = set[str](), set[int]()
    for start, end, run in _runs(words, 3):
        meant = {genre for genre in genres if genre == run or (len(run) >= LONG and alike(genre, run))}
        if meant and not spent & set(range(start, end)):
            found |= meant
            spent |= set(range(start, end))
    return frozenset(found), spent


def _days(words: Sequence[str], text: str, known: Collection[date]) -> tuple[frozenset[date], set[int]]:
    """Return the known days that are meant, of any year where none is said, and the words that say so."""
    said, spent = set[tuple[int | None, int, int]](), set[int]()
    for year, month, day in re.findall(r"\b(\d{4})-(\d{1,2})-(\d{1,2})\b", text):
        said.add((int(year), int(month), int(day)))
        spent |= {at for at, word in enumerate(words) if word in (year, month, day)}
    for at, word in enumerate(words):
        if word in MONTHS and (day_at := _day_beside(words, at)) is not None:
            year_at = next(
                (n for n in range(at + 1, min(at + 4, len(words))) if re.fullmatch(r"\d{4}", words[n])), None
            )
            year_said = int(words[year_at]) if year_at is not None else None
            said.add((year_said, MONTHS[word], int(re.match(r"\d+", words[day_at])[0])))  # type: ignore[index]
            spent |= {at, day_at} | ({year_at} if year_at is not None else set())
    days = {
        day
        for day in known
        for year, month, number in said
        if (day.month, day.day) == (month, number) and year in (None, day.year)
    }
    return frozenset(days), spent


def _day_beside(words: Sequence[str], at: int) -> int | None:
    """Return where the day of a month is: before it, perhaps with a `de` between, or after it."""
    before = [at - 1, at - 2] if at and words[at - 1] in ("de", "of") else [at - 1]
    for place in (*before, at + 1):
        if 0 <= place < len(words) and re.fullmatch(r"(0?[1-9]|[12]\d|3[01])(st|nd|rd|th|o)?", words[place]):
            return place
    return None
