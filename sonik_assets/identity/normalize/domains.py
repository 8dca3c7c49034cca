"""Websites -> the registered domain, by the public suffix list that tldextract carries (no network).

A host shared by many owners (link pages, social networks, site builders, ticket shops) is nobody's own.
"""

from functools import cache
from typing import TYPE_CHECKING

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.words import word_set

if TYPE_CHECKING:
    from tldextract import TLDExtract

SHARED = word_set("shared_hosts")
_BY_SUBDOMAIN = ("eventbrite.", "ticketmaster.", "tripadvisor.", "google.", "blogspot.")


def normalize_domain(text: str) -> str:
    """Return the registered domain in lower-case ASCII (IDNA). Raises Refused."""
    text = text.strip().rstrip("/.,;")
    if not text or any(c.isspace() for c in text):
        raise Refused("domain: not a URL")
    parts = _extract()(text.lower())
    if not parts.domain or not parts.suffix:
        raise Refused("domain: no public suffix")
    domain = _ascii(f"{parts.domain}.{parts.suffix}")
    if domain in SHARED or parts.suffix in SHARED or domain.startswith(_BY_SUBDOMAIN):
        raise Refused("domain: shared host")
    return domain


def _ascii(domain: str) -> str:
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
