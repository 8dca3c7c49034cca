"""What copying does to a link: invisible characters, escapes, and redirects of the networks around the real one.

Here: undoing it. What the link then means is for `instagram.py`, `domains.py` and `phones.py`.
"""

import re
import unicodedata
from urllib.parse import unquote

_INVISIBLE = re.compile(
    r"[\u2120\u2122\u00ad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufe00-\ufe0f\ufeff]"
)
_ESCAPED = re.compile(r"%(?:2f|3a|40)", re.IGNORECASE)
_REDIRECT = re.compile(
    r"(?:https?://)?(?:lm?\.(?:instagram|facebook)\.com/|(?:www\.)?facebook\.com/flx/warn/|(?:www\.)?google\.[a-z.]+/url)"
    r"[^?\s]*\?(?:[^\s#]*?&)?(?:u|q|url)=([^&#\s]+)\S*",
    re.IGNORECASE,
)


def tidy(text: str) -> str:
    """Return the text in compatible characters (NFKC), without invisible ones, (TM) and JSON's escaped slashes."""
    if text.isascii():
        plain = text.replace("\\/", "/")
        return plain.strip()
    plain = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return plain.replace("\\/", "/").strip()


def real_link(text: str) -> str:
    """Return the tidy text with percent-encoded links decoded and a network's redirect replaced by its target."""
    link = tidy(text)
    if "%" not in link and "?" not in link:
        return link
    redirect = _REDIRECT.search(link)
    if redirect:
        link = unquote(redirect.group(1))
    return unquote(link) if _ESCAPED.search(link.partition("?")[0]) else link
