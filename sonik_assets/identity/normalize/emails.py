"""E-mail addresses -> lower case, the domain in ASCII (IDNA). Legal, not deliverable: nobody is asked.

`ana+tickets@bar.mx` stays distinct from `ana@bar.mx`, and dots of gmail names stay: only the provider knows
whether the box is the same, and a wrong merge of two people costs more than a missed one.
"""

import re
from functools import lru_cache
from string import ascii_lowercase, digits
from urllib.parse import unquote

import polars as pl

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.links import tidy
from sonik_assets.identity.normalize.words import word_set

_ROLES = sorted(word_set("role_mail"))
_PLACEHOLDERS = sorted(word_set("placeholder_mail"))
_HOLLOW_HOSTS = sorted(word_set("placeholder_mail_hosts"))
_TOP = r"\.(?:(?:com|net|org)(?:\.[a-z]{2})?|[a-z]{2})"

_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_NAMED = re.compile(r"^[^<>@]*<([^<>\s]+@[^<>\s]+)>$")
_HOLLOW = re.compile(
    rf"[0-9._-]*(?:{'|'.join(map(re.escape, _PLACEHOLDERS))})[0-9._-]*(?:\+[^@]*)?@"
    rf"|[^@]+@(?:{'|'.join(map(re.escape, _HOLLOW_HOSTS))}){_TOP}$"
    r"|([a-z0-9])\1{2,}@|([a-z0-9])\2*@\2+\."
)
"""What forms demand and people have not: `test@`, `noemail@`, `xxx@`, `x@x.com`, anything at `none.com`."""
_ONE_LETTER = "^(?:" + "|".join(f"{letter}+" for letter in ascii_lowercase + digits) + ")@"
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
    address = f"{local}@{_domain(domain)}"
    if _HOLLOW.match(address):
        raise Refused("email: a placeholder")
    return address


def plain_emails(texts: pl.Series) -> pl.Series:
    """Return the value of each text that is nothing but a short, plain address; null for any other."""
    found = texts.str.extract(_PLAIN, 1).str.to_lowercase()
    name, host = found.str.extract(r"^([^+@]*)", 1), found.str.extract(rf"@([^.]+){_TOP}$", 1)
    hollow = name.str.strip_chars("0123456789._-").is_in(_PLACEHOLDERS) | found.str.contains(_ONE_LETTER)
    hollow |= host.is_in(_HOLLOW_HOSTS).fill_null(value=False)
    return found.set(hollow | (found.str.len_chars() > 63), None)


def are_roles[Texts: (pl.Series, pl.Expr)](addresses: Texts) -> Texts:
    """Tell of normalised addresses whether an office has them (`info@`, `ventas.norte@`), so that several people read.

    Such an address says nothing of who a person is.
    """
    name = addresses.str.extract(r"^([^+@]*)", 1).str.strip_chars("._-0123456789")
    return name.is_in(_ROLES) | name.str.extract(r"^([^._-]*)", 1).str.strip_chars("0123456789").is_in(_ROLES)


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
