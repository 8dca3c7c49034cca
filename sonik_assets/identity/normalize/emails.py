"""E-mail addresses -> lower case, the domain in ASCII (IDNA). Legal, not deliverable: nobody is asked.

`ana+tickets@bar.mx` stays distinct from `ana@bar.mx`, and dots of gmail names stay: only the provider knows
whether the box is the same, and a wrong merge of two people costs more than a missed one.
"""

import re
from functools import lru_cache
from urllib.parse import unquote

import polars as pl

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.links import tidy
from sonik_assets.identity.normalize.words import word_set

FREE_MAIL = word_set("free_mail")
_ROLES = word_set("role_mail")

_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAMED = re.compile(r"^[^<>@]*<([^<>\s]+@[^<>\s]+)>$")
_PLAIN = r"^ *([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*@(?:[A-Za-z0-9]+\.)+[A-Za-z]+) *$"


def normalize_email(text: str) -> str:
    """Return the address in lower case, its domain in ASCII. Raises Refused."""
    local, at, domain = _bare(text).rpartition("@")
    if not at or not local:
        raise Refused("email: no @")
    if "@" in local and re.search(r"[\s,;/]", local):
        raise Refused("email: several addresses")
    if len(local) > 64 or not _LOCAL.fullmatch(local):
        raise Refused("email: illegal name")
    return f"{local}@{_domain(domain)}"


def plain_emails(texts: pl.Series) -> pl.Series:
    """Return the value of each text that is nothing but a short, plain address; null for any other."""
    found = texts.str.extract(_PLAIN, 1).str.to_lowercase()
    return found.set(found.str.len_chars() > 63, None)


def is_free_mail(address: str) -> bool:
    """Tell whether a normalised address is with a public provider, so its domain is nobody's own."""
    return address.rpartition("@")[2] in FREE_MAIL


def is_role(address: str) -> bool:
    """Tell whether a normalised address is of an office (`info@`, `ventas@`), so that several people read it."""
    return re.split(r"[+@]", address, maxsplit=1)[0].strip("._-0123456789") in _ROLES


def _bare(text: str) -> str:
    address = tidy(text).lower()
    named = _NAMED.match(address)
    address = named.group(1) if named else address
    if address.startswith("mailto:"):
        address = unquote(address[7:].partition("?")[0])
    return address.strip("<>;, \t").rstrip(".")


@lru_cache(maxsize=1 << 14)
def _domain(domain: str) -> str:
    import idna

    try:
        domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise Refused("email: illegal domain") from error
    labels = domain.split(".")
    if len(labels) < 2 or len(domain) > 253 or labels[-1].isdigit() or not all(map(_LABEL.fullmatch, labels)):
        raise Refused("email: illegal domain")
    return domain
