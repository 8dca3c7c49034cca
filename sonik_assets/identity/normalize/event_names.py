"""What of an event's name says which event it is: no venue, city, date or boilerplate; session markers apart.

`early show`, `matinée`, `day 2` keep two events of one night apart, so they are part of the key.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from sonik_assets.identity.normalize.text import fold
from sonik_assets.identity.normalize.words import word_map, word_set


class EventName(NamedTuple):
    """`hash`: 16 hex digits of what is left of the name; `marker`: empty without one; `series`: or None."""

    hash: str
    marker: str
    series: str | None


def _any(words: Iterable[str]) -> str:
    return "|".join(sorted(words, key=lambda word: (-len(word), word)))


_NUMBER = word_map("numbers")
_ORDINAL = rf"(\d{{1,2}}(?:a|o|ra|ro|er|da|do|ta|to|st|nd|rd|th)|{_any(word_set('ordinals'))})"
# From 11 on a number is a day of the month, not of a festival.
_COUNT = rf"(0?[1-9]|10|{_any(_NUMBER)})"
_SESSIONS = r"(?:show|set|session|sesion|sessao|funcion|funcao|sessoes|pase|tanda|turno|function)"
_DAYS = r"(?:day|dia|night|noche|noite|jornada|date|fecha)"
_PART = rf"\b{_SESSIONS}(?: de)?(?: la| da)? "
_MARKERS = [
    (re.compile(pattern), kind)
    for pattern, kind in (
        (rf"\b(?:early|temprano|temprana) {_SESSIONS}\b|{_PART}(?:temprano|temprana)\b|\bearly$", "early"),
        (rf"\b(?:late|trasnoche) {_SESSIONS}\b|{_PART}(?:noche|noite|trasnoche)\b|\b(?:late|trasnoche)$", "late"),
        (rf"\bafternoon {_SESSIONS}\b|{_PART}tarde\b|\bvespertin[ao]\b", "afternoon"),
        (rf"\bmorning {_SESSIONS}\b|{_PART}(?:manana|manha)\b|\bmatutin[ao]\b", "morning"),
        (r"\b(?:matinee|matine|matinal|matinees|vermouth|vermut)\b", "matinee"),
        (rf"\b{_DAYS} {_COUNT}\b", "day"),
        (rf"\b{_SESSIONS} {_COUNT}\b", "session"),
        (rf"\b{_ORDINAL} {_DAYS}\b", "day"),
        (rf"\b{_ORDINAL} {_SESSIONS}\b", "session"),
    )
]
_NUMERIC_DATE = re.compile(r"\b(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}(?:[-/.]\d{2,4})?)\b")
_MONTH = rf"(?:{_any(word_set('months'))})"
# `set 2` is the second set, though `2 set` is a day of September.
_MONTH_FIRST = rf"(?:{_any(word_set('months') - {'set'})})"
_DATED = re.compile(
    rf"\b(?:(?:dia|day) )?(?:\d{{1,2}}(?:st|nd|rd|th)? (?:de |of )?{_MONTH}|{_MONTH_FIRST} \d{{1,2}}(?:st|nd|rd|th)?)\b"
    r"(?: (?:de |del )?20\d\d\b)?|\bdia (?:1[1-9]|2\d|3[01])\b"
)
_EDITION = re.compile(
    rf"\b(?:{_ORDINAL}|{_COUNT}|[ivx]+) (?:edicion|edicao|edition|ed)\b"
    rf"|\b(?:edicion|edicao|edition|ed|vol|volume|volumen) (?:\d{{1,3}}|{_COUNT}|[ivx]+)\b"
)
_NOISE = word_set("event_noise")
_YEAR = re.compile(r"\b20[2-4]\d\b")
_WEEKDAY = re.compile(rf"\b(?:{_any(word_set('weekdays'))})\b")
_HINTS = word_set("event_hints")
"""Words without which a name has neither marker nor edition: most names need no more reading."""
_DATE_HINTS = word_set("months") | {"dia"}
_DIGIT = re.compile(r"\d")
_RAW_WORD = re.compile(r"[^\W_]+(?:['\N{RIGHT SINGLE QUOTATION MARK}][^\W_]+)*")
_LOOSE_ENDS = " \t-|:,;/.\N{MIDDLE DOT}\N{BULLET}\N{EN DASH}\N{EM DASH}@#"


def read_name(name: str, places: Iterable[str] = ()) -> EventName:
    """Return all that the name says; `places` are the venue's and city's names, which say nothing."""
    plain, marker, series = fold(name), "", None
    numbered, hinted = _DIGIT.search(name) is not None, not _HINTS.isdisjoint(plain.split())
    rest = _without_places(fold(_NUMERIC_DATE.sub(" ", name)) if numbered else plain, places)
    rest = _DATED.sub(" ", rest) if numbered and not _DATE_HINTS.isdisjoint(rest.split()) else rest
    if hinted:
        rest, marker = _split(rest)
        undone = _EDITION.sub(" ", rest)
        series = series_name(name) if "day" in marker or undone != rest else None
        rest = undone
    words = {word for word in rest.split() if word not in _NOISE and not (numbered and _YEAR.fullmatch(word))}
    text = " ".join(sorted(words)) or " ".join(sorted(plain.split())) or name.strip()
    return EventName(hashlib.sha256(text.encode()).hexdigest()[:16], marker, series)


def session_marker(name: str) -> str:
    """Return the marker that tells this show from another of the same name and night; empty without one."""
    return read_name(name).marker


def name_hash(name: str, places: Iterable[str] = ()) -> str:
    """Return 16 hex digits of what is left of the name."""
    return read_name(name, places).hash


def series_name(name: str) -> str | None:
    """Return the name of the series, as written, of an event that is one day or edition of it; else None.

    Festivals are one event a day: `Rock al Parque 2026 - Día 2` is of the series `Rock al Parque`.
    """
    words = [(word.start(), word.end(), fold(word.group())) for word in _RAW_WORD.finditer(name)]
    folded = " ".join(word for *_, word in words)
    spans = [match.span() for match in _EDITION.finditer(folded)]
    spans += [match.span() for pattern, kind in _MARKERS if kind == "day" for match in pattern.finditer(_blank(folded))]
    if not spans:
        return None
    spans += [match.span() for pattern in (_DATED, _YEAR, _WEEKDAY) for match in pattern.finditer(folded)]
    return _cut(name, words, spans) or None


def _blank(folded: str) -> str:
    """Put as many spaces in the place of dates: they hold no marker, and the places of words stay."""
    return _DATED.sub(lambda date: " " * len(date.group()), folded)


def _cut(name: str, words: list[tuple[int, int, str]], spans: list[tuple[int, int]]) -> str:
    """Return the raw name without the words whose folded form lies in the spans, and without loose ends."""
    kept, position = list(name), 0
    for start, end, folded in words:
        if any(first <= position < last for first, last in spans):
            kept[start:end] = [" "] * (end - start)
        position += len(folded) + 1
    text = re.sub(r"[(\[{][^\w(\[{]*[)\]}]", " ", _NUMERIC_DATE.sub(" ", "".join(kept)))
    text = re.sub(r"(?:(?:\s+|(?<=\w))[-|:,;/\N{EN DASH}\N{EM DASH}\N{MIDDLE DOT}\N{BULLET}]+(?=\s|$))+", " -", text)
    return re.sub(r"\s+", " ", text.partition(" @ ")[0]).strip(_LOOSE_ENDS)


def _without_places(folded: str, places: Iterable[str]) -> str:
    # Longest first: "teatro colon buenos aires" before "teatro colon".
    for phrase in sorted({fold(place) for place in places}, key=lambda p: (-len(p), p)):
        if len(phrase) > 2 and phrase in folded:
            folded = f" {folded} ".replace(f" {phrase} ", " ").strip()
    return folded


def _split(folded: str) -> tuple[str, str]:
    marks = []
    for pattern, kind in _MARKERS:
        found = pattern.search(folded)
        if found:
            number = next((group for group in found.groups() if group), "")
            marks.append(kind + _NUMBER.get(number, re.sub(r"\D", "", number).lstrip("0")))
            folded = " ".join(pattern.sub(" ", folded).split())
    return folded, "+".join(sorted(marks))
