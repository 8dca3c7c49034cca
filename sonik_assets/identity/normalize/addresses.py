"""What of an address tells a house from its neighbours: its number, and the words of its street.

Folding of the whole address is in `text.py`; this is evidence for comparing, no identifier.
"""

import re

from sonik_assets.identity.normalize.text import fold, fold_address
from sonik_assets.identity.normalize.words import word_map, word_set

_DIGITS = word_map("address_numbers")
_KINDS = word_set("street_kinds")
_UNITS = word_set("address_units")
_NUMBERED = word_set("numbered_streets")
_MONTHS = word_set("months")
_CROSSED = frozenset({"x", "y", "and", "con", "entre", "federal", "estatal"})
"""Words before the number of a crossing street or a highway (`C. 60 x 57 y 59`, `Carretera Federal 57`)."""
_NOT_BEFORE = _UNITS | _NUMBERED | _CROSSED
_SILENT = _KINDS | _UNITS | frozenset({"x", "con", "entre"})
_AFTER = frozenset({"av", "blvd", "rd", "st"})
"""Kinds that follow the number of a street (`9th Ave`)."""
_MARKED = re.compile(
    r"(?:#|\b(?:no|nro|num|n[uú]mero|number|n)\s?[.º°:]?)\s*(\d+)\w?(?:\s?[-\N{EN DASH}]\s?(\d+))?", re.IGNORECASE
)
_PAIR = re.compile(r"\b(\d+)\w?\s?-\s?(\d+)\b")
_LONG_CODE = re.compile(r"\b\d{5}-\d{3,4}\b")
_CODE = re.compile(r"0\d{4}|\d{6,}")
"""Postal codes that no house number looks like: `01310-200`, `06700`, `8320000`."""
_BETWEEN = re.compile(r"\be/\s*", re.IGNORECASE)


def house_number(text: str) -> str | None:
    """Return the number of the house (`8-62` for a Colombian one), without letters; None where there is none.

    Not: numbers of streets (`Calle 9`, `16 de Septiembre`), of units (`piso 3`), postal codes, crossing streets
    (`x 57 y 59`), highways.
    """
    text = _LONG_CODE.sub(" ", text)
    for marked in _MARKED.finditer(text):
        if not _CODE.fullmatch(marked.group(1)):
            return _joined(marked.group(1), marked.group(2))
    for position, number in _free_numbers(_words(text)):
        pair = next((found for found in _PAIR.finditer(text) if found.group(1) == number), None)
        return _joined(number, pair.group(2)) if pair and position else _joined(number, None)
    return None


def street_words(text: str) -> str:
    """Return the street's own words in order of the alphabet, numbers of the street among them."""
    words = _words(_LONG_CODE.sub(" ", text))
    free = {position for position, _ in _free_numbers(words)}
    units = {at + 1 for at, word in enumerate(words) if word in _UNITS}
    kept = {
        word
        for at, word in enumerate(words)
        if at not in free and at not in units and word not in _SILENT and not _CODE.fullmatch(word)
    }
    return " ".join(sorted(kept))


def _words(text: str) -> list[str]:
    """Return the folded words; number words that name streets as digits (`Cinco de Mayo` is `5 de mayo`)."""
    folded = re.sub(r"(\d)(?:st|nd|rd|th)\b", r"\1", fold(_BETWEEN.sub("entre ", text)))
    return [_DIGITS.get(word, word) for word in fold_address(folded).split()]


def _free_numbers(words: list[str]) -> list[tuple[int, str]]:
    """Return (position, digits) of the numbers that are neither a street's nor a unit's nor a postal code."""
    found = []
    for at, word in enumerate(words):
        number = re.match(r"\d{1,5}(?=[a-z]?$)", word)
        before, after = words[at - 1] if at else "", words[at + 1 : at + 3]
        if number is None or _CODE.fullmatch(word) or before in _NOT_BEFORE or _dated(after):
            continue
        if at and after[:1] and after[0] in _AFTER:
            continue
        found.append((at, number.group()))
    return found


def _dated(after: list[str]) -> bool:
    return len(after) == 2 and after[0] in {"de", "of"} and after[1] in _MONTHS


def _joined(number: str, second: str | None) -> str:
    number = number.lstrip("0") or "0"
    return f"{number}-{second.lstrip('0') or '0'}" if second else number
