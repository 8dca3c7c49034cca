"""Instagram handles and profile URLs in every spelling -> `instagram.com/<handle>`.

Posts, reels, stories and other pages name no account and are refused.
"""

import re

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.words import word_set

PREFIX = "instagram.com/"
MAX_LENGTH = 30

_URL = re.compile(
    r"(?<![a-z0-9.-])(?:https?:)?(?://)?(?:[a-z0-9-]+\.)*instagr(?:am\.com|\.am)"
    r"(?![a-z0-9.-]*[a-z0-9])(/\S*)?"
)
_HANDLE = re.compile(r"[a-z0-9_](?:[a-z0-9_.]*[a-z0-9_])?")
_PAGES = word_set("instagram_pages")


def normalize_instagram(text: str) -> str:
    """Return `instagram.com/<handle>` in lower case. Raises Refused."""
    handle = _handle(text.strip().lower())
    if handle in _PAGES:
        raise Refused("instagram: a page, not an account")
    if len(handle) > MAX_LENGTH:
        raise Refused("instagram: too long")
    if not _HANDLE.fullmatch(handle) or ".." in handle:
        raise Refused("instagram: illegal characters")
    return PREFIX + handle


def _handle(text: str) -> str:
    url = _URL.search(text)
    if url:
        return _from_path(url.group(1) or "")
    if "://" in text or text.startswith("www."):
        raise Refused("instagram: another site")
    return _trim(text.strip("/").removeprefix("_u/").lstrip("@"))


def _from_path(path: str) -> str:
    parts = [part for part in re.split(r"[?#&]", path)[0].split("/") if part]
    if parts and parts[0] == "_u":
        parts = parts[1:]
    if not parts:
        raise Refused("instagram: no account")
    if len(parts) > 1 and parts[1] in {"p", "reel"}:
        raise Refused("instagram: a page, not an account")
    return _trim(parts[0].lstrip("@"))


def _trim(handle: str) -> str:
    handle = handle.strip().rstrip(".,;:!)]}>\"'")
    if not handle:
        raise Refused("instagram: no account")
    return handle
