"""Reciprocal rank fusion: one ranking out of several. Pure.

Cormack, Clarke and Buettcher, "Reciprocal rank fusion outperforms Condorcet and individual rank learning
methods" (SIGIR 2009): score = sum of 1 / (K + rank), ranks from 1, K = 60.
"""

from collections import defaultdict
from collections.abc import Sequence

K = 60


def fuse(rankings: Sequence[Sequence[str]]) -> dict[str, float]:
    """Return score by id, best first; equal scores by id, so that an answer is the same every time."""
    scores: defaultdict[str, float] = defaultdict(float)
    for ranking in rankings:
        for rank, id in enumerate(ranking, start=1):
            scores[id] += 1 / (K + rank)
    return dict(sorted(scores.items(), key=lambda item: (-item[1], item[0])))
