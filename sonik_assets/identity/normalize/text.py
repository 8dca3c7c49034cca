"""Folding of names and addresses: accents, case, punctuation, legal forms, word order.

A folded text is for comparing, never for showing.
"""

import re
import unicodedata
from difflib import SequenceMatcher
from functools import lru_cache

from sonik_assets.identity.normalize.words import word_map, word_set

_WORD = re.compile(r"[^\W_]+")
_INITIALS = re.compile(r"\b[^\W\d_](?:\.\s?[^\W\d_]\b)+\.?")
_LEGAL = word_set("legal_forms")
_LEGAL_PHRASES = re.compile(r"\b(?:s a de c v|sa de cv|s de rl de cv|s de rl|sapi de cv|s a s|s r l|s a)$")
_ARTICLES = word_set("articles")
_STREET = word_map("street_words")


@lru_cache(maxsize=1 << 16)
def fold(text: str) -> str:
    """Return the words in lower-case ASCII where possible, one space between them."""
    plain = unicodedata.normalize("NFKD", text.replace("&", " and ")).casefold()
    plain = "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))
    plain = plain.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").replace("'", "").replace("ø", "o").replace("ł", "l")
    return " ".join(_WORD.findall(plain))


def fold_name(text: str) -> str:
    """Return the folded name without legal form; initials joined (`D.J.` is `dj`)."""
    joined = _INITIALS.sub(lambda m: re.sub(r"[.\s]", "", m.group()) + " ", text)
    words = _LEGAL_PHRASES.sub("", fold(joined)).split()
    while len(words) > 1 and words[-1] in _LEGAL:
        words.pop()
    return " ".join(words)


def name_key(text: str) -> str:
    """Return the name's words in order of the alphabet, without articles: `Club X` and `X Club` are one."""
    words = fold_name(text).split()
    return " ".join(sorted([word for word in words if word not in _ARTICLES] or words))


def fold_address(text: str) -> str:
    """Return the folded address with the usual abbreviations of street words (`Avenida`, `Ave.` -> `av`)."""
    words = (_STREET.get(word, word) for word in fold(re.sub(r"\b[sS]/[nN]\b", "", text)).split())
    return " ".join(word for word in words if word)


def alike(left: str, right: str) -> bool:
    """Tell whether two name keys could be spellings of one name: contained words, or 70 % of the letters."""
    a, b = set(left.split()), set(right.split())
    return a <= b or b <= a or SequenceMatcher(None, left, right, autojunk=False).ratio() >= 0.7
