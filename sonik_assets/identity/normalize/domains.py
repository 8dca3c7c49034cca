"""Websites -> the registered domain, by the public suffix list that tldextract carries (no network).

A host shared by many owners (link pages, social networks, site builders, ticket shops, mail providers) is
nobody's own, on whatever subdomain.
"""

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.links import real_link
from sonik_assets.identity.normalize.words import word_set

if TYPE_CHECKING:
    from tldextract import TLDExtract

SHARED = word_set("shared_hosts") | word_set("free_mail")
_IN_EVERY_COUNTRY = word_set("shared_everywhere")
_SCHEME = re.compile(r"^(?:h?tt?ps?[:;]?/{1,3}|/{2})+")
_IN_TEXT = re.compile(r"(?:https?://|www\.)[^\s,;\"'<>]+")
_ADDRESS = re.compile(r"^(?:mailto:)?[^\s/@:]+@[^\s/@]+$")
_SPACE = re.compile(r"\s")
_HOST = re.compile(r"^[^/?#\\]+")
_PLAIN = re.compile(r"(?!.{254})(?:(?!..--)[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+(?!..--)[a-z0-9-]{0,62}[a-z0-9]")


def normalize_domain(text: str) -> str:
    """Return the registered domain in lower-case ASCII (IDNA). Raises Refused."""
    text = real_link(text).lower().rstrip("/.,; ")
    if not text or _SPACE.search(text):
        return _in_text(text)
    if _ADDRESS.match(text):
        raise Refused("domain: an e-mail address")
    host = _HOST.match(_SCHEME.sub("", text))
    if host is None:
        raise Refused("domain: not a URL")
    return _registered(host.group())


def _in_text(text: str) -> str:
    """Return the one domain that a text with spaces links to."""
    found = {normalize_domain(link) for link in _IN_TEXT.findall(text)}
    if len(found) != 1:
        raise Refused("domain: several sites" if found else "domain: not a URL")
    return found.pop()


@lru_cache(maxsize=1 << 16)
def _registered(host: str) -> str:
    parts = _extract()(host)
    if not parts.domain or not parts.suffix:
        raise Refused("domain: no public suffix")
    domain = _ascii(f"{parts.domain}.{parts.suffix}")
    if domain in SHARED or parts.suffix in SHARED or parts.domain in _IN_EVERY_COUNTRY:
        raise Refused("domain: shared host")
    return domain


def _ascii(domain: str) -> str:
    if _PLAIN.fullmatch(domain):  # what IDNA returns unchanged
        return domain
    import idna

    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except idna.IDNAError as error:
        raise Refused("domain: illegal characters") from error
    if len(ascii_domain) > 253 or "_" in ascii_domain:
        raise Refused("domain: illegal characters")
    return ascii_domain


@cache
def _extract() -> "TLDExtract":
    from tldextract import TLDExtract

    # No list is fetched and none cached: the bundled one alone decides, on every machine alike.
    # `.example` is reserved for made-up sites (RFC 2606): those of the sample.
    return TLDExtract(suffix_list_urls=(), cache_dir=None, extra_suffixes=("example",))
