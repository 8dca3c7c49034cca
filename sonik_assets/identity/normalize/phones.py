"""Phones -> E.164 with the country of the record, by the numbering plans that `phonenumbers` carries.

Here: what people do to a number before a parser can read it, and a short way past the parser for numbers
that are written plainly. The short way and the library agree (property test); it only saves time.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.links import real_link

_LINK = re.compile(r"(?:wa\.me/|tel:|(?:phone|telefono)=|whatsapp\.com/(?!send|message|channel|catalog))\+?(\d{8,15})")
_SEVERAL = re.compile(r"\s*[/;,|\n]\s*|\s+(?:y|e|o|ou|or|and)\s+", re.IGNORECASE)
_EXTENSION = re.compile(
    r"[\s,;(-]*(?:ext(?:ensi[oó]n)?|int(?:erno)?|anexo|ramal|op(?:ci[oó]n)?|r|x|#)[\s.:#]*\d{1,6}\)?\s*$", re.IGNORECASE
)
_PLAIN = re.compile(r"[+0-9(][0-9 ().-]*")
_PLACEHOLDER = re.compile(r"(\d)\1{6}$")
_INTERNATIONAL = 12
"""So many digits without a prefix are no local number anywhere in the Americas."""


def normalize_phone(text: str, country: str | None) -> str:
    """Return the number as E.164; one without prefix is of `country` (ISO 3166 alpha-2). Raises Refused.

    Of several numbers in the text the first that exists counts; an extension is dropped.
    """
    number = _short_way(text, country) or _first(text, country)
    if _PLACEHOLDER.search(number):
        raise Refused("phone: a placeholder")
    return number


def _first(text: str, country: str | None) -> str:
    reason: Refused | None = None
    for part in _parts(text):
        try:
            return _number(part, country)
        except Refused as refused:
            reason = reason or refused
    raise reason or Refused("phone: not a number")


def _parts(text: str) -> Iterator[str]:
    link = _LINK.search(real_link(text)) if any(mark in text for mark in (":", "=", "wa.me", "whatsapp.com")) else None
    if link:
        yield f"+{link.group(1)}"
        return
    plain = _PLAIN.fullmatch(text)
    for part in [text] if plain else _SEVERAL.split(text):
        if any(character.isdigit() for character in part):
            yield part if plain else _EXTENSION.sub("", part)


def _number(text: str, country: str | None) -> str:
    reason: Refused | None = None
    for attempt in _readings(text, country):
        try:
            return _short_way(attempt, country) or _parse(attempt, country)
        except Refused as refused:
            reason = reason or refused
    raise reason or Refused("phone: not a number")


def _readings(text: str, country: str | None) -> Iterator[str]:
    """Yield the text as numbering plans have it, the likeliest first."""
    digits = re.sub(r"\D", "", text)
    if digits.startswith("00") and not text.lstrip().startswith("+"):
        yield f"+{digits[2:]}"  # the prefix of most countries, also where the record's own has another
    yield text
    foreign = digits if text.lstrip().startswith("+") or len(digits) >= _INTERNATIONAL else ""
    if foreign and not foreign.startswith("0"):
        yield f"+{foreign}"
    yield from _outdated(foreign, digits, country)


def _outdated(foreign: str, digits: str, country: str | None) -> Iterator[str]:
    """Yield today's form of Mexican and Brazilian numbers in the form of before 2019 and 2016."""
    if foreign.startswith("521"):
        yield f"+52{foreign[3:]}"
    if country == "MX" and re.fullmatch(r"(?:04[45]|01|1)\d{10}", digits):
        yield f"+52{digits[-10:]}"
    old = re.fullmatch(r"(?:55)?0?([1-9][1-9])([6-9]\d{7})", digits)
    if old and (country == "BR" or foreign.startswith("55")):
        yield f"+55{old.group(1)}9{old.group(2)}"


def _parse(text: str, country: str | None) -> str:
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        unknown = error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
        raise Refused("phone: no country" if unknown else "phone: not a number") from error
    if not phonenumbers.is_valid_number(number):
        raise Refused("phone: no such number")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


@dataclass(frozen=True)
class _Plan:
    """One country's numbering plan, its patterns compiled."""

    code: str
    longest: int
    abroad: re.Pattern[str]
    trunk: re.Pattern[str] | None
    general: re.Pattern[str]
    kinds: tuple[tuple[re.Pattern[str], frozenset[int]], ...]

    def has(self, number: str) -> bool:
        """Tell whether the national number is of a kind that the plan knows and needs no rewriting."""
        trunk = self.trunk.match(number) if self.trunk else None
        if number[:1] in {"", "0"} or (trunk and trunk.end()) or not self.general.fullmatch(number):
            return False
        return any((not lengths or len(number) in lengths) and kind.fullmatch(number) for kind, lengths in self.kinds)


def _short_way(text: str, country: str | None) -> str | None:
    """Return E.164 of a plainly written, valid number of a country that has its calling code alone."""
    text = text.strip()
    if not _PLAIN.fullmatch(text):
        return None
    digits = re.sub(r"[^0-9]", "", text)
    plan = _plan_of_code(digits) if text[0] == "+" else _plan(country or "")
    if plan is None:
        return None
    national = digits
    if text[0] == "+" or (digits.startswith(plan.code) and len(digits) > plan.longest):
        national = digits[len(plan.code) :]
    elif digits.startswith(plan.code) or plan.abroad.match(digits):
        return None
    return f"+{plan.code}{national}" if plan.has(national) else None


def _plan_of_code(digits: str) -> _Plan | None:
    import phonenumbers

    for length in (1, 2, 3) if not digits.startswith("0") else ():
        regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(digits[:length] or 0))
        if regions:
            return _plan(regions[0])
    return None


@cache
def _plan(country: str) -> _Plan | None:
    import phonenumbers

    plan: Any = phonenumbers.PhoneMetadata.metadata_for_region(country, None)
    if plan is None or len(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[plan.country_code]) > 1:
        return None
    kinds = [getattr(plan, name) for name in _KINDS]
    return _Plan(
        code=str(plan.country_code),
        longest=max(plan.general_desc.possible_length),
        abroad=re.compile(plan.international_prefix or r"(?!)"),
        trunk=re.compile(plan.national_prefix_for_parsing) if plan.national_prefix_for_parsing else None,
        general=re.compile(plan.general_desc.national_number_pattern),
        kinds=tuple(
            (re.compile(kind.national_number_pattern), frozenset(kind.possible_length))
            for kind in kinds
            if kind is not None and kind.national_number_pattern
        ),
    )


_KINDS = (
    "mobile",
    "fixed_line",
    "toll_free",
    "premium_rate",
    "shared_cost",
    "voip",
    "personal_number",
    "pager",
    "uan",
    "voicemail",
)
