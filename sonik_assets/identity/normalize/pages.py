"""Web pages -> one spelling of their address: what names the page stays, what tells who sent the visitor goes."""

import re
from urllib.parse import parse_qsl, urlencode, urlsplit

from sonik_assets.identity.normalize import Refused

_TRACKING = re.compile(r"utm_\w+|ref|fbclid|gclid|igsh\w*|mc_[ce]id|aff\w*|promo\w*|hl|lang")


def normalize_page(text: str) -> str:
    """Return `host/path?query` without scheme, `www.`, tracking and fragment. Raises Refused."""
    text = text.strip()
    try:
        parts = urlsplit(text if "://" in text else f"//{text}")
        host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    except ValueError as error:
        raise Refused("page: not a URL") from error
    path = parts.path.rstrip("/")
    if "." not in host or any(c.isspace() for c in host):
        raise Refused("page: not a URL")
    query = sorted((key, value) for key, value in parse_qsl(parts.query) if not _TRACKING.fullmatch(key.lower()))
    if not path and not query:
        raise Refused("page: a site, not a page")
    return f"{host}{path}{'?' + urlencode(query) if query else ''}"
