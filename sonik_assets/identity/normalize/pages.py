"""Web pages -> one spelling of their address: what names the page stays, what tells who sent the visitor goes."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.words import word_set

_TRACKING = word_set("tracking_parameters")
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://|//", re.IGNORECASE)
_END = re.compile(r"[/\s]+$")


def normalize_page(text: str) -> str:
    """Return `host/path?query#/route` without scheme, `www.`, tracking and other fragments. Raises Refused."""
    text = text.strip()
    try:
        parts = urlsplit(text if _SCHEME.match(text) else f"//{text}")
        host = parts.hostname or ""
    except ValueError as error:
        raise Refused("page: not a URL") from error
    while host.startswith(("www.", "m.")):
        host = host.partition(".")[2]
    if "." not in host.strip(".") or ":" in host or any(c.isspace() for c in host):
        raise Refused("page: not a URL")
    page = _END.sub("", parts.path) + _told(parts.query) + _route(parts.fragment)
    if not page:
        raise Refused("page: a site, not a page")
    return host + page


def _route(fragment: str) -> str:
    """Return the fragment where a page's own script reads it as the path (`#/e/3`, `#!e3`), else nothing."""
    path, _, query = fragment.partition("?")
    path, query = _END.sub("", path), _told(query)
    if not fragment.startswith(("/", "!")) or not (path.strip("/!") or query):
        return ""
    return f"#{path or '/'}{query}"


def _told(query: str) -> str:
    """Return the query in order of the alphabet without tracking, its `?` before it; empty without any."""
    pairs = sorted((key, value) for key, value in parse_qsl(query) if not _is_tracking(key.lower()))
    return "?" + urlencode(pairs) if pairs else ""


def _is_tracking(key: str) -> bool:
    return key in _TRACKING or key.startswith("utm_")
