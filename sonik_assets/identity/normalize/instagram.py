"""Instagram handles and profile URLs in every spelling -> `instagram.com/<handle>`.

Posts, reels, stories and other pages name no account and are refused; so is a text that names several.
"""

import re
import unicodedata
from urllib.parse import unquote

import polars as pl

from sonik_assets.identity.normalize import Refused
from sonik_assets.identity.normalize.domains import SHARED
from sonik_assets.identity.normalize.links import real_link
from sonik_assets.identity.normalize.words import word_set

PREFIX = "instagram.com/"
MAX_LENGTH = 30
LINK = r"(?i)(?:^|%2f|[^a-z0-9@.-])(?:[a-z0-9-]+\.)*(?:instagram\.com|instagr\.am|ig\.me)(?:$|[^a-z0-9.-])|instagram://"
"""What marks a text, as polars reads patterns, that links to Instagram: the host, not a name that holds its letters."""

_URL = re.compile(
    r"(?<![a-z0-9.@-])(?:https?:)?(?:/{0,2})((?:[a-z0-9-]+\.)*)instagr(?:am\.com|\.am)"
    r"(?![a-z0-9.-]*[a-z0-9])(?::\d+)?([/?#][^\s\"'<>(){}\[\],;|]*)?"
)
_MESSAGE = re.compile(r"(?<![a-z0-9.-])ig\.me/m/([^\s/?#,;]+)|instagram://user\?username=([^\s&#,;]+)")
_LABEL = re.compile(r"^(?:ig|insta|instagram)(?:\s*[:=|/]\s*|\s+-?\s*|\s*(?=@))(?=\S)")
_GLUED = re.compile(r"(?<=[^\w.@\s/-])(?=@)|(?<=^ig)(?=@)|(?<=^insta)(?=@)|(?<=^instagram)(?=@)")
_SAID = re.compile(
    r"(?P<mail>\w[\w.+-]*@\S+)|(?P<site>(?:[\w-]+\.)+[a-z]{2,}(?:/\S*)?)|@(?P<mention>(?:(?!/@)\S)*)|(?P<word>\w+)"
)
_MENTIONED = re.compile(r"([a-z0-9_.]*)(?:['\N{RIGHT SINGLE QUOTATION MARK}]s(?!\w))?(.*)", re.DOTALL)
_SEPARATOR = re.compile(r"\s*[,;|/+&]\s*|\s+(?:y|e|and|o|ou|or)\s+")
_HANDLE = re.compile(r"[a-z0-9_](?:[a-z0-9_.]*[a-z0-9_])?")
_LOGIN = re.compile(r"^/accounts/login/?\?(?:.*&)?next=([^&#]+)")
_PAGES = word_set("instagram_pages")
_POSTS = frozenset({"p", "reel", "tv", "guide"})
_TABS = frozenset({"reels", "tagged", "followers", "following"})
_OURS = frozenset({"ig", "insta", "instagram"})
_NETWORKS = word_set("networks")
_JOINING = frozenset(
    {"y", "e", "and", "o", "ou", "or", "como", "as", "at", "en", "em", "on", "cuenta", "conta", "usuario"}
)
NOBODY = word_set("placeholder_handles") | _NETWORKS
"""What is written where there is no account."""
_OFFICES = frozenset({"about", "ads", "api", "blog", "business", "creators", "developers", "graph", "help"})
_TRAILING = ".,;:!?)]}>\"'*/ "
_PLAIN = (
    r"^ *(?:[@/]|(?i:(?:https?://)?(?:www\.|m\.)?instagr(?:am\.com|\.am)/(?:_u/)?))?"
    r"([A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+)*)(?:[/.]|/?\?(?:igsh|igshid|hl|utm_source)=[A-Za-z0-9=_-]*)? *$"
)
_NOT_PLAIN = r"instagr|^www(?:\.|$)|^_[un]$|^_+$"


def normalize_instagram(text: str) -> str:
    """Return `instagram.com/<handle>` in lower case. Raises Refused."""
    text = real_link(text).lower()
    handle = "" if text.strip("@/-., ") in NOBODY else _handle(text)
    if handle in NOBODY or not handle.strip("_"):
        raise Refused("instagram: no account")
    if handle in SHARED:
        raise Refused("instagram: another site")
    if handle in _PAGES:
        raise Refused("instagram: a page, not an account")
    if not _HANDLE.fullmatch(handle) or ".." in handle:
        raise Refused("instagram: illegal characters")
    if len(handle) > MAX_LENGTH:
        raise Refused("instagram: too long")
    return PREFIX + handle


def plain_instagram(texts: pl.Series) -> pl.Series:
    """Return the value of each text that is nothing but a handle or a profile's address; null for any other."""
    found = texts.str.extract(_PLAIN, 1).str.to_lowercase()
    refused = found.is_in(sorted(_PAGES | NOBODY | SHARED))
    doubtful = refused | found.str.contains(_NOT_PLAIN) | (found.str.len_chars() > MAX_LENGTH)
    return PREFIX + found.set(doubtful, None)


_INSIDE = frozenset({"_u", "_n"})
"""What the apps put before an account in links to themselves."""


def _handle(text: str) -> str:
    if "ig.me/" in text or "://user?" in text:
        return _only([found.group(1) or found.group(2) for found in _MESSAGE.finditer(text)])
    if "instagr" in text:
        urls = list(_URL.finditer(text))
        if urls:
            return _only([_from_url(url.group(1), url.group(2) or "") for url in urls])
    if "://" in text or text.startswith("www."):
        raise Refused("instagram: another site")
    return _from_text(text)


def _from_url(host: str, path: str) -> str:
    if host.partition(".")[0] in _OFFICES:
        raise Refused("instagram: a page, not an account")
    login = _LOGIN.match(path)
    return _from_path(unquote(login.group(1)) if login else path)


def _from_path(path: str) -> str:
    parts = [part for part in re.split(r"[?#&]", path)[0].split("/") if part]
    if parts and parts[0] in _INSIDE:
        parts = parts[1:]
    if len(parts) > 1 and parts[1] in _POSTS:
        raise Refused("instagram: a page, not an account")
    return _trim(parts[0]) if parts else _trim("")


def _from_text(text: str) -> str:
    if "@" in text:
        mentions = _mentions(_GLUED.sub(" ", text))
        if mentions:
            return _only(mentions)
    text = _LABEL.sub("", text)
    bare = re.split(r"[?#]", text.strip("/@ \\"))[0]
    parts = [part for part in _SEPARATOR.split(bare) if part]
    if len(parts) < 2 or parts[0] == "_u" or parts[1] in _POSTS | _TABS or parts[0] in _PAGES:
        return _from_path(bare) if "/" in bare else _trim(bare)
    if "/" in bare and "." in parts[0]:
        raise Refused("instagram: another site")
    if all(map(_HANDLE.fullmatch, parts)):
        raise Refused("instagram: several accounts")
    raise Refused("instagram: illegal characters")


def _mentions(text: str) -> list[str]:
    """Return the accounts that the text mentions, but for those that a word or host before says are elsewhere.

    What is said of a network holds for all mentions up to the next word; with Instagram beside it, for both.
    """
    handles, where, refusal = [], "", "illegal characters" if re.search(r"@\s", text.strip()) else ""
    for said in _SAID.finditer(text):
        kind, token = said.lastgroup, said.group(said.lastgroup or 0)
        if kind == "mention" and where != "elsewhere":
            handles += [_mention(token)] if token else []
            where = ""
        elif kind == "mail":
            refusal = refusal or "an e-mail address"
        elif "@" in said.group():
            refusal = "another site"
        elif kind == "word" and token in _OURS:
            where = "here"
        elif where != "here" and not _NETWORKS.isdisjoint(token.split("/")[0].split(".")):
            where = "elsewhere"
        elif token not in _JOINING | _NETWORKS:
            where = ""
    if refusal and not handles:
        raise Refused(f"instagram: {refusal}")
    return handles


def _mention(token: str) -> str:
    """Return the account of what follows an @ up to the next space; a handle is never cut at a foreign character."""
    found = _MENTIONED.match(token)
    handle, rest = found.groups() if found else ("", token)
    if "@" in rest:
        raise Refused("instagram: another site")
    rest = re.split(r"[?#]", rest)[0] if handle else rest
    if rest.startswith("/") and rest.split("/")[1] in _TABS | _POSTS:
        return _from_path(handle + rest)
    if rest.startswith("-") or any(unicodedata.category(character)[0] in "LNM" for character in rest):
        raise Refused(f"instagram: {'several accounts' if rest[0] in ',;|/' else 'illegal characters'}")
    return handle


def _only(handles: list[str]) -> str:
    distinct = {_trim(handle) for handle in handles}
    if len(distinct) > 1:
        raise Refused("instagram: several accounts")
    return distinct.pop() if distinct else _trim("")


def _trim(handle: str) -> str:
    handle = handle.lstrip("@").strip().rstrip(_TRAILING)
    if not handle or handle.lower() in _INSIDE:
        raise Refused("instagram: no account")
    return handle
