"""Ranks the candidates of a search by what the question names, on top of how the rankings placed them. Pure.

A sum of shares between 0 and 1, each with a weight. The weights were fitted on one half of labelled questions and held
against the other half (docs/search.md).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sonik_assets.serving.lexicon import CATEGORIES, EMPTY, KINDS
from sonik_assets.serving.wording import Wording, alike

Row = Mapping[str, Any]
"""A candidate: id, document_id, kind, name_words, parts, city_key, local_date, genre_keys, `near`, `fused`."""

LONGEST_RUN = 8

WEIGHTS: Mapping[str, float] = {
    "fused": 1.0,  # where the rankings placed it, over the best placed
    "near": 0.2,  # how near its meaning is
    "words": 2.0,  # of the words that may be names, by how rare they are: how many it holds
    "title": 0.2,  # and how many its name holds
    "run": 3.5,  # the longest run of the question's words that stands in its text
    "named": 0.25,  # its whole name stands in the question
    "part": 1.5,  # a whole part of its text stands there: of a line-up, of a venue
    "city": 1.5,
    "genre": 0.65,
    "day": 1.0,
    "kind": 0.7,
    "category": 1.3,
}


@dataclass(frozen=True)
class _Read:
    """The words of a candidate, with a blank at either end: of its name, its text, and the parts of that."""

    name: str
    text: str
    parts: frozenset[str]
    words: frozenset[str]

    @staticmethod
    def of(row: Row) -> "_Read":
        name, text = f" {row['name_words'] or ''} ", f" {' '.join(row['parts'])} "
        parts = frozenset(f" {part} " for part in row["parts"])
        return _Read(name, text, parts, frozenset((name + text).split()))


def rerank(wording: Wording, rows: Sequence[Row], weights: Mapping[str, float] = WEIGHTS) -> list[tuple[float, Row]]:
    """Return the rows with their scores, best first: of each document the best row, ties by id."""
    read = [_Read.of(row) for row in rows]
    question = _Question.of(wording, Counter(word for each in read for word in each.words), len(rows))
    top = max((row["fused"] for row in rows), default=0.0)
    best: dict[str, tuple[float, Row]] = {}
    for row, each in zip(rows, read, strict=True):
        shares = question.shares(row, each) | {"fused": row["fused"] / top if top else 0.0}
        score = sum(weights[name] * share for name, share in shares.items())
        held = best.get(row["document_id"])
        if held is None or (-score, row["id"]) < (-held[0], held[1]["id"]):
            best[row["document_id"]] = (score, row)
    return sorted(best.values(), key=lambda pair: (-pair[0], pair[1]["document_id"]))


@dataclass(frozen=True)
class _Question:
    """A question among its candidates: its runs of words, the heaviest first, and what each word weighs (`rarity`).

    `named`: what all words weigh that may be names.
    """

    wording: Wording
    rarity: Mapping[str, float]
    named: float
    runs: Mapping[str, float]

    @staticmethod
    def of(wording: Wording, counts: Mapping[str, int], rows: int) -> "_Question":
        spelt = corrected(wording, counts)
        rarity = {word: math.log(1 + rows / (1 + counts.get(word, 0))) for word in spelt.words}
        whole = sum(_weight(word, rarity) for word in spelt.words) or 1.0
        runs = {_spaced(run): sum(_weight(word, rarity) for word in run) / whole for run in _runs(spelt.words)}
        heaviest = sorted(runs.items(), key=lambda pair: (-pair[1], pair[0]))
        named = sum(rarity[word] for word in spelt.names)
        return _Question(spelt, rarity, named, {run: share for run, share in heaviest if share})

    def shares(self, row: Row, read: _Read) -> dict[str, float]:
        asked = self.wording
        return {
            "near": row["near"],
            "words": self._held(read.words),
            "title": self._held(frozenset(read.name.split())),
            "run": next((share for run, share in self.runs.items() if run in read.text), 0.0),
            "named": self.runs.get(read.name, 0.0),
            "part": max((self.runs[part] for part in read.parts & self.runs.keys()), default=0.0),
            "city": float(row["city_key"] in asked.cities),
            "genre": float(_has_genre(asked, row, read)),
            "day": float(row["local_date"] in asked.days),
            "kind": float(row["kind"] in asked.kinds),
            "category": float(row["kind"] == "venue" and any(each in read.text for each in asked.categories)),
        }

    def _held(self, words: frozenset[str]) -> float:
        held = sum(self.rarity[word] for word in self.wording.names if word in words)
        return held / self.named if self.named else 0.0


def corrected(wording: Wording, known: Mapping[str, int]) -> Wording:
    """Return the question with names that no candidate holds spelt as the commonest word that differs in one letter."""
    spelling = {word: _nearest(word, known) for word in wording.names if word not in known}
    words, names = (tuple(spelling.get(word, word) for word in each) for each in (wording.words, wording.names))
    return replace(wording, words=words, names=tuple(dict.fromkeys(names)))


def _nearest(word: str, known: Mapping[str, int]) -> str:
    lengths = range(len(word) - 1, len(word) + 2)
    near = [(-count, other) for other, count in known.items() if len(other) in lengths and alike(word, other)]
    return min(near)[1] if near else word


def _weight(word: str, rarity: Mapping[str, float]) -> float:
    if word in EMPTY:
        return 0.0
    return rarity[word] / 2 if word in KINDS or word in CATEGORIES else rarity[word]


def _runs(words: Sequence[str]) -> list[Sequence[str]]:
    return [
        words[start:end]
        for start in range(len(words))
        for end in range(start + 1, min(start + LONGEST_RUN, len(words)) + 1)
    ]


def _has_genre(asked: Wording, row: Row, read: _Read) -> bool:
    """Say whether it is of a genre that was named; articles have none, but name them."""
    if not asked.genres:
        return False
    return not asked.genres.isdisjoint(row["genre_keys"] or ()) or any(
        f" {each} " in read.text for each in asked.genres
    )


def _spaced(words: Sequence[str]) -> str:
    return f" {' '.join(words)} "
