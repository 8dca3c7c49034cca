"""Phones -> E.164 with the country of the record; e-mails -> lower case, validated."""

import re

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.words import word_set

FREE_MAIL = word_set("free_mail")

_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def normalize_email(text: str) -> str:
    """Return the address in lower case, its domain in ASCII. Raises Refused."""
    import idna

    address = text.strip().lower().removeprefix("mailto:").strip("<>;, ")
    local, at, domain = address.rpartition("@")
    if not at or not local:
        raise Refused("email: no @")
    try:
        domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise Refused("email: illegal domain") from error
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or not all(map(_LABEL.fullmatch, labels)):
        raise Refused("email: illegal domain")
    if len(local) > 64 or not _LOCAL.fullmatch(local):
        raise Refused("email: illegal name")
    return f"{local}@{domain}"


def is_free_mail(address: str) -> bool:
    """Tell whether a normalised address is with a public provider, so its domain is nobody's own."""
    return address.rpartition("@")[2] in FREE_MAIL


def normalize_phone(text: str, country: str | None) -> str:
    """Return the number as E.164; one without prefix is of `country` (ISO 3166 alpha-2). Raises Refused."""
    import phonenumbers

    try:
        number = phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException as error:
        unknown = error.error_type == phonenumbers.NumberParseException.INVALID_COUNTRY_CODE
        raise Refused("phone: no country" if unknown else "phone: not a number") from error
    if not phonenumbers.is_valid_number(number):
        raise Refused("phone: no such number")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
