"""What numbers written in an event's name are: dates go, clock times stay, parts and lists of days become words.

Reads the name as written, for folding loses the signs; what the words then mean is for `event_names.py`.
"""

import re

from sonik_assets.identity.normalize.text import fold

_NUMBERS = re.compile(
    r"\b(?:\d{4}[-/.](?P<month>\d{1,2})[-/.](?P<day>\d{1,2})"
    r"|(?P<first>\d{1,2})(?P<sign>[-/.])(?P<second>\d{1,2})(?:[-/.](?P<year>\d{4}|\d{2}))?)\b"
    r"(?!\s?(?:hs?|hrs?|horas?|[ap]\.?m)\b)",
    re.IGNORECASE,
)
_LIST = re.compile(
    r"(?P<head>\b(?:d[ií]as?|days?|nights?|noches?|noites?|jornadas?|partes?|parts?|pts?)\W{1,3})"
    r"(?P<list>\d{1,2}(?:\s*[-+&]\s*\d{1,2})+)\b(?!\s*[-/.+&]\s*\d)",
    re.IGNORECASE,
)
_HOURS = re.compile(r"(?<=\d)\s?(?:hs|hrs)\b", re.IGNORECASE)
_PARTS = frozenset({"parte", "part", "pt"})
_COUNTED = frozenset(
    {"day", "dia", "funcao", "funcion", "function", "jornada", "night", "noche", "noite", "pase", "sesion", "sessao"}
    | {"session", "set", "show", "tanda", "turno"}
)
_FEW, _MANY = 3, 12
"""Most parts of a bare `1/3`, which a date could be, and of `parte 1/12`, which none could."""
_LAST_DAY = 9
"""The last day of a list `1-9`; a larger number is of a date."""


def read_numbers(name: str) -> str:
    """Return the name without dates in digits and the unit of hours; `1/2` is `part 1`, `Day 1+2` is `Day 1 y 2`."""
    return _HOURS.sub("", _NUMBERS.sub(_read, _LIST.sub(_listed, name)))


def _listed(found: re.Match[str]) -> str:
    numbers = [int(number) for number in re.findall(r"\d+", found["list"])]
    if numbers != sorted(set(numbers)) or not 0 < numbers[0] <= numbers[-1] <= _LAST_DAY:
        return found.group()
    words = re.sub(r"\s*-\s*", " a ", re.sub(r"\s*[+&]\s*", " y ", found["list"]))
    return found["head"] + words


def _read(found: re.Match[str]) -> str:
    if found["day"]:
        return " " if _is_date(int(found["day"]), int(found["month"])) else found.group()
    first, second = int(found["first"]), int(found["second"])
    if not found["year"]:
        part = _part(found, first, second)
        if part is not None:
            return part
        if found["sign"] == "." and first <= 24 and len(found["second"]) == 2 and second <= 59:  # a clock's time
            return found.group()
    return " " if _is_date(first, second) else found.group()


def _is_date(first: int, second: int) -> bool:
    """Tell whether two numbers are day and month; month and day too, as the United States write them."""
    return 0 < first <= 31 and 0 < second <= 31 and min(first, second) <= 12


def _part(found: re.Match[str], first: int, second: int) -> str | None:
    """Return the words of `n/m` where it counts parts; None where it may be a date."""
    before = found.string[: found.start()]
    word = fold(before[-20:]).rpartition(" ")[2]
    if found["sign"] != "/" or found["first"].startswith("0") or found["second"].startswith("0") or first > second:
        return found.group() if word in _PARTS else None
    if word in _PARTS:
        return f"{first} " if second <= _MANY else found.group()
    if word in _COUNTED and 1 < second <= _FEW:
        return f"{first} "
    return f" part {first} " if 1 < second <= _FEW and re.search(r"[^\W\d]", before) else None
