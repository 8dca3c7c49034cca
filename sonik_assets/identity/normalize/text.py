"""Folding of names and addresses: accents, case, punctuation, legal forms, word order; and when two are alike.

A folded text is for comparing, never for showing.
"""

import re
import unicodedata
from functools import lru_cache

from sonik_assets.identity.normalize.words import word_map, word_set

ALIKE = 70.0
"""Per cent of the letters that two spellings of one name share at least."""

_WORD = re.compile(r"[^\W_]+")
_ACCENTS = re.compile(r"[\u0300-\u036f]+")
# What keyboards and word processors put for an apostrophe; none is a word's own.
_APOSTROPHES = dict.fromkeys(map(ord, "'`\u2018\u2019\u201b\u00b4\u02b9\u02bc\u2032\uff07"))
_DEGREE = re.compile(r"(?<=\d)°(?!\w)")
_INITIALS = re.compile(r"\b[^\W\d_](?:\.\s?[^\W\d_]\b)+\.?")
_LEGAL = word_set("legal_forms")
_LEGAL_PHRASES = re.compile(
    r"(?<=\S) (?:s a b de c v|s a de c v|sab? de cv|s de r ?l(?: de c ?v)?|sapi(?: de cv)?|s a p i(?: de c v)?"
    r"|s a s|s a c|s r l|s a u|s c a|e i r l|s en c|s a|s s|(?:ltda|eireli) (?:me|epp)|cia ltda|cv)$"
)
# Words too, unless they are written as an abbreviation: `A.C.` is a legal form, `AC` may be a band.
_DOTTED = re.compile(
    r"(?<=[\w)])[\s,]+(?:A\.\s?C|S\.\s?C|C\.\s?A|S\.?\s?p\.?\s?A|M\.\s?E)\b\.?\s*$|(?<=\w)[\s,]+S/[AS]\.?\s*$"
)
_ARTICLES = word_set("articles")
_STREET = word_map("street_words")


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """Return the words in lower-case ASCII where possible, one space between them."""
    text = text.replace("&", " and ").replace("'", "").replace("`", "")
    if text.isascii():
        return " ".join(_WORD.findall(text.lower()))
    text = _DEGREE.sub("o", text).translate(_APOSTROPHES)  # `1°` is what is typed for `1º`
    plain = _ACCENTS.sub("", unicodedata.normalize("NFKD", text)).translate(_APOSTROPHES)
    return " ".join(_WORD.findall(plain.lower() if plain.isascii() else _folded(plain)))


def _folded(text: str) -> str:
    # Folding case may give new accents (`İ`), so they go last.
    plain = unicodedata.normalize("NFKD", text.casefold())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    return plain.replace("ø", "o").replace("ł", "l").translate(_APOSTROPHES)


def fold_name(text: str) -> str:
    """Return the folded name without legal form; initials joined (`D.J.` is `dj`)."""
    if "." in text or "/" in text:
        text = _INITIALS.sub(lambda m: re.sub(r"[.\s]", "", m.group()) + " ", _DOTTED.sub("", text))
    words = _without_phrase(fold(text)).split()
    while len(words) > 1 and words[-1] in _LEGAL:
        words.pop()
        words = _without_phrase(" ".join(words)).split()
    return " ".join(words)


def name_key(text: str) -> str:
    """Return the name's words in order of the alphabet, without articles: `Club X` and `X Club` are one.

    Words of legal forms count nowhere, for order says nothing; the key of a key is itself.
    """
    words = fold_name(text).split()
    key = " ".join(sorted([word for word in words if word not in _ARTICLES and word not in _LEGAL] or words))
    shorter = _without_phrase(key)
    return key if shorter == key else name_key(shorter)  # sorting may have put a legal form together


def fold_address(text: str) -> str:
    """Return the folded address with the usual abbreviations of street words (`Avenida`, `Ave.` -> `av`)."""
    words = (_STREET.get(word, word) for word in fold(re.sub(r"\b[sS]\s?/\s?[nN]\b", "", text)).split())
    return " ".join(word for word in words if word)


def alike(left: str, right: str) -> bool:
    """Tell whether two name keys could be spellings of one name: contained words, or 70 % of the letters.

    Letters: the Indel similarity, 2 * longest common subsequence / letters of both (RapidFuzz's `ratio`).
    """
    from rapidfuzz.fuzz import ratio

    if left == right:
        return True
    a, b = set(left.split()), set(right.split())
    return a <= b or b <= a or ratio(left, right, score_cutoff=ALIKE) > 0


def _without_phrase(folded: str) -> str:
    while (shorter := _LEGAL_PHRASES.sub("", folded)) != folded:
        folded = shorter
    return folded
