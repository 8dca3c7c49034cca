"""What of an event's name says which event it is: no venue, city, date or boilerplate; session markers apart.

`early show`, `matinée`, `day 2` keep two events of one night apart, so they are part of the key.
"""

import hashlib
import re
from collections.abc import Iterable

from sonik_assets.identity.normalize.text import fold
from sonik_assets.identity.normalize.words import word_map, word_set

_NUMBER = word_map("numbers")
_COUNT = r"(\d{1,2}|" + "|".join(sorted(_NUMBER, key=len, reverse=True)) + r")"
_SESSIONS = r"(?:show|set|session|sesion|sessao|funcion|sessoes|pase|turno|function)"
_DAYS = r"(?:day|dia|night|noche|noite|jornada|date|fecha)"
_EARLY = rf"\b(?:early|temprano|temprana) {_SESSIONS}\b|\b{_SESSIONS} (?:temprano|temprana)\b|\bearly$"
_LATE = rf"\b(?:late|trasnoche) {_SESSIONS}\b|\b{_SESSIONS} (?:tarde|trasnoche)\b|\b(?:late|trasnoche)$"
_MARKERS = [
    (re.compile(pattern), kind)
    for pattern, kind in (
        (_EARLY, "early"),
        (_LATE, "late"),
        (r"\b(?:matinee|matine|matinal|vermouth|vermut)\b", "matinee"),
        (rf"\b{_DAYS} {_COUNT}\b", "day"),
        (rf"\b{_SESSIONS} {_COUNT}\b", "session"),
        (rf"\b{_COUNT} {_DAYS}\b", "day"),
        (rf"\b{_COUNT} {_SESSIONS}\b", "session"),
    )
]
_NUMERIC_DATE = re.compile(r"\b(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}(?:[-/.]\d{2,4})?)\b")
_MONTH = rf"(?:{'|'.join(sorted(word_set('months')))})"
_DATED = re.compile(rf"\b(?:\d{{1,2}} (?:de )?{_MONTH}|{_MONTH} \d{{1,2}})\b(?: (?:de )?20\d\d\b)?")
_NOISE = word_set("event_noise")
_YEAR = re.compile(r"20[2-4]\d")


def session_marker(name: str) -> str:
    """Return the marker that tells this show from another of the same name and night; empty without one."""
    return _split(fold(name))[1]


def name_hash(name: str, places: Iterable[str] = ()) -> str:
    """Return 16 hex digits of what is left of the name; `places` are the venue's and city's names."""
    folded = _without_places(fold(_NUMERIC_DATE.sub(" ", name)), places)
    rest = _DATED.sub(" ", _split(folded)[0])
    words = sorted({w for w in rest.split() if w not in _NOISE and not _YEAR.fullmatch(w)})
    text = " ".join(words or sorted(fold(name).split())) or name.strip()
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _without_places(folded: str, places: Iterable[str]) -> str:
    # Longest first: "teatro colon buenos aires" before "teatro colon".
    for phrase in sorted({fold(place) for place in places}, key=lambda p: (-len(p), p)):
        if len(phrase) > 2:
            folded = f" {folded} ".replace(f" {phrase} ", " ").strip()
    return folded


def _split(folded: str) -> tuple[str, str]:
    marks = []
    for pattern, kind in _MARKERS:
        found = pattern.search(folded)
        if found:
            number = next((group for group in found.groups() if group), "")
            marks.append(kind + _NUMBER.get(number, number.lstrip("0")))
            folded = pattern.sub(" ", folded)
    return folded, "+".join(sorted(marks))
