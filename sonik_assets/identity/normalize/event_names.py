"""What of an event's name says which event it is: no venue, city, date or boilerplate; session markers apart.

`early show`, `matinée`, `day 2` keep two events of one night apart, so they are part of the key.
"""

import hashlib
import re
from collections.abc import Iterable
from typing import NamedTuple

from sonik_assets.identity.normalize.event_numbers import read_numbers
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
_PARTS = r"(?:parte|part|pt)"
_SOME = r"(?:[1-9]|10)"
_TO = frozenset({"a", "al", "ate", "to"})
_AND = frozenset({"y", "e", "and"})
_JOINT = _any(_TO | _AND)
# `days 1 y 2`, `dias 1 2 y 3`, `dias 1 a 3`
_LIST = rf"({_SOME}(?: (?:(?:{_JOINT}) )?{_SOME})* (?:{_JOINT}) {_SOME})"
_OF = r"(?: (?:de|of) \d{1,2}\b)?"
_TIMED = rf"\b{_SESSIONS}(?: de)?(?: la| da)? "
_MARKERS = [
    (re.compile(pattern), kind)
    for pattern, kind in (
        (rf"\b(?:early|temprano|temprana) {_SESSIONS}\b|{_TIMED}(?:temprano|temprana)\b|\bearly$", "early"),
        (
            rf"\b(?:late|trasnoche) {_SESSIONS}\b|{_TIMED}(?:noche|noite|trasnoche|noc?turn[ao])\b"
            r"|\b(?:late|trasnoche)$",
            "late",
        ),
        (rf"\bafternoon {_SESSIONS}\b|{_TIMED}tarde\b|\bvespertin[ao]\b", "afternoon"),
        (rf"\bmorning {_SESSIONS}\b|{_TIMED}(?:manana|manha)\b|\bmatutin[ao]\b", "morning"),
        (r"\b(?:matinee|matine|matinal|matinees|vermouth|vermut)\b", "matinee"),
        (rf"\b{_DAYS}s? {_LIST}\b|\b{_DAYS} {_COUNT}\b{_OF}|\b{_ORDINAL} {_DAYS}\b", "day"),
        (rf"\b{_SESSIONS} {_COUNT}\b{_OF}|\b{_ORDINAL} {_SESSIONS}\b", "session"),
        (rf"\b{_PARTS}s? {_LIST}\b|\b{_PARTS} {_COUNT}\b{_OF}|\b{_ORDINAL} {_PARTS}\b", "part"),
    )
]
_MONTH = rf"(?:{_any(word_set('months'))})"
# `set 2` is the second set, though `2 set` is a day of September.
_MONTH_FIRST = rf"(?:{_any(word_set('months') - {'set'})})"
_DATED = re.compile(
    rf"\b(?:(?:dias?|days?) )?(?:(?:\d{{1,2}} (?:{_JOINT}) )*\d{{1,2}}(?:st|nd|rd|th|o|er|ro)? (?:de |of )?{_MONTH}"
    rf"|{_MONTH_FIRST} \d{{1,2}}(?:st|nd|rd|th)?)\b"
    rf"(?: (?:de |del )?20\d\d\b)?|\bdias? (?:1[1-9]|2\d|3[01])(?: (?:{_JOINT}) \d{{1,2}})*\b"
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
_DATE_HINTS = word_set("months") | {"dia", "dias"}
_DIGIT = re.compile(r"\d")
_RAW_WORD = re.compile(r"[^\W_]+(?:['`\u2018\u2019\u201b\u00b4\u2032\uff07][^\W_]+)*")
_LOOSE_ENDS = " \t-|:,;/.\N{MIDDLE DOT}\N{BULLET}\N{EN DASH}\N{EM DASH}@#"


def read_name(name: str, places: Iterable[str] = ()) -> EventName:
    """Return all that the name says; `places` are the venue's and city's names, which say nothing."""
    plain, marker, series = fold(name), "", None
    numbered = _DIGIT.search(name) is not None
    read = fold(read_numbers(name)) if numbered else plain
    rest, hinted = _without_places(read, places), not _HINTS.isdisjoint(read.split())
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
    name = read_numbers(name)
    words = [(word.start(), word.end(), fold(word.group())) for word in _RAW_WORD.finditer(name)]
    folded = " ".join(word for *_, word in words)
    spans = [match.span() for match in _EDITION.finditer(folded)]
    spans += [match.span() for pattern, kind in _MARKERS if kind == "day" for match in pattern.finditer(_blank(folded))]
    if not spans:
        return None
    spans += [match.span() for pattern, kind in _MARKERS if kind == "part" for match in pattern.finditer(folded)]
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
    text = re.sub(r"[(\[{][^\w(\[{]*[)\]}]", " ", "".join(kept))
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
        found = list(pattern.finditer(folded))
        if found:
            counts = {number for match in found for group in match.groups() if group for number in _counts(group)}
            marks.append(kind + ",".join(map(str, sorted(counts))))
            folded = " ".join(pattern.sub(" ", folded).split())
    return folded, "+".join(sorted(marks))


def _counts(text: str) -> list[int]:
    """Return the numbers of `2`, `2nd`, `segunda`, `1 y 2` or `1 a 3`."""
    numbers: list[int] = []
    before = ""
    for word in text.split():
        if word not in _TO | _AND:
            number = int(_NUMBER.get(word) or re.sub(r"\D", "", word))
            numbers += range(numbers[-1] + 1, number + 1) if numbers and before in _TO else [number]
        before = word
    return numbers
