"""How long an answer of each kind is kept, what makes it fall before that, and how questions are compared. Pure.

The rules are told in docs/cache.md. How an answer is kept is `answers`; who drops and renews is the stage `cache`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Refresh = Literal["lazy", "eager", "semantic"]


@dataclass(frozen=True)
class Policy:
    """`seconds`: an answer lives no longer, however often it is asked for.

    `refresh`, when a record that it cites changes: `lazy`, it is dropped, and made again when next asked; `eager`, it
    is made again in the same run, and before it expires; `semantic`, as lazy, and it is dropped as well when any
    document that can be searched for changes. `by_meaning`: a question that means the same has the same answer.
    """

    seconds: int
    refresh: Refresh = "lazy"
    by_meaning: bool = False


DEFAULT = Policy(1800)
POLICIES: Mapping[str, Policy] = {
    "executive_kpis": Policy(300, "eager"),
    "call_summaries": Policy(1800),
    "competitive": Policy(3600, "eager"),
    "model_answers": Policy(7200, "semantic", by_meaning=True),
    # What is found for words changes with what is new, which no answer cites yet.
    "search": Policy(1800, "semantic", by_meaning=True),
    "context": Policy(1800, "semantic", by_meaning=True),
}

SAME_MEANING = 0.08
"""Furthest that two questions may lie apart (1 - cosine): rewordings are at 0.02 to 0.07, weekdays at 0.13."""


def policy(kind: str) -> Policy:
    """Return the policy of a kind; a kind that is not named has the default."""
    return POLICIES.get(kind, DEFAULT)


def kinds(refresh: Refresh) -> tuple[str, ...]:
    """Return the kinds that are refreshed so."""
    return tuple(kind for kind, each in POLICIES.items() if each.refresh == refresh)
