"""Country names and codes -> ISO 3166 alpha-2; a country's time zones. Data: the tz database's own tables."""

from functools import cache
from importlib.resources import files

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.text import fold
from sonik_assets.identity.normalize.words import word_map, word_pairs

_ALSO = {name: code for code, name in word_pairs("country_names")}
_MAIN_ZONE = word_map("main_zones")


def normalize_country(text: str) -> str:
    """Return the ISO 3166 alpha-2 code in upper case. Raises Refused."""
    codes, names = _countries()
    code = text.strip().upper()
    if code in codes:
        return code
    folded = fold(text)
    if folded not in names:
        raise Refused("country: unknown")
    return names[folded]


@cache
def zones(country: str) -> tuple[str, ...]:
    """Return the country's zones, the one most people live in first; empty where the code is unknown."""
    rows = (line.split("\t") for line in _table("zone.tab"))
    found = [row[2] for row in rows if row[0] == country]
    main = _MAIN_ZONE.get(country)
    return tuple(sorted(found, key=lambda zone: zone != main))


@cache
def _countries() -> tuple[frozenset[str], dict[str, str]]:
    rows = [line.split("\t") for line in _table("iso3166.tab")]
    return frozenset(row[0] for row in rows), {fold(row[1]): row[0] for row in rows} | _ALSO


def _table(name: str) -> list[str]:
    text = (files("tzdata") / "zoneinfo" / name).read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
