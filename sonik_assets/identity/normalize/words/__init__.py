"""Word lists of the normalisers: text files beside this module, data that can grow without code.

A line holds words, or a key and its value; `#` begins a comment line.
"""

from importlib.resources import files


def word_set(name: str) -> frozenset[str]:
    """Return all words of the list."""
    return frozenset(word for line in _lines(name) for word in line.split())


def word_map(name: str) -> dict[str, str]:
    """Return first word -> rest of the line (empty where there is none)."""
    return dict(word_pairs(name))


def word_pairs(name: str) -> list[tuple[str, str]]:
    """Return (first word, rest of the line), line by line; a first word may come again."""
    parts = (line.partition(" ") for line in _lines(name))
    return [(key, rest) for key, _, rest in parts]


def _lines(name: str) -> list[str]:
    text = (files(__name__) / f"{name}.txt").read_text(encoding="utf-8")
    return [line for line in text.splitlines() if line and not line.startswith("#")]
