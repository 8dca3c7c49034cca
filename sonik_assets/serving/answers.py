"""`answer`: a question's answer from the cache where it has one, and made once otherwise, however many ask.

In this order: the very question, a question that means the same (kinds that are compared so), a maker. Nothing that
happens to the cache reaches who asks: without it an answer is slower, never wrong. Policies are in `policies`, how
entries are kept in `entries`; what drops and renews them is the stage `cache`.
"""

import logging
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from sonik_assets.serving import query_log, shelf
from sonik_assets.serving.entries import EVERYTHING, Asked
from sonik_assets.serving.policies import SAME_MEANING, Policy, policy
from sonik_assets.serving.question import meant
from sonik_assets.serving.shelf import PREFIX

if TYPE_CHECKING:
    from resources.encoders import Vectors
    from resources.settings import Settings
    from sonik_assets.serving.entries import Found
    from sonik_assets.serving.shelf import Shelf

__all__ = ["EVERYTHING", "PREFIX", "Answered", "Asked", "Made", "answer", "cited", "renewing", "warming"]

logger = logging.getLogger(__name__)

WAIT_SECONDS = 20.0
"""How long one waits for another who makes the same answer."""
NEAREST = 3
"""Questions that are looked at: the nearest may have no answer any more."""


_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Made:
    """An answer (JSON), and the ids of the records it was made from: it is dropped when one of them changes.

    One that no list of ids tells (a total) cites `EVERYTHING`.
    """

    value: Any
    cites: frozenset[str]


def cited(ids: Collection[str], limit: int) -> frozenset[str]:
    """Return what an answer of at most `limit` records cites: one that has room cites `EVERYTHING`."""
    return frozenset(ids) if len(ids) >= limit else frozenset({EVERYTHING})


class Answered(NamedTuple):
    """An answer and where it is from: kept for this question, kept for one that means the same, or made now."""

    value: Any
    how: Literal["exact", "similar", "made"]


Mode = Literal["asked", "warming", "renewing"]
_MODE: ContextVar[Mode] = ContextVar("mode", default="asked")
_TOLD: ContextVar[Counter[str] | None] = ContextVar("told", default=None)


def answer(
    settings: "Settings",
    asked: Asked,
    encode: "Callable[[], Vectors]",
    make: "Callable[[Vectors | None], Made]",
    *,
    cached: bool = True,
) -> Answered:
    """Return the answer, and log the question.

    `encode` gives the prompt's unit vector, shape (dimension,) or (1, dimension); it is called at most once, and only
    for kinds that are compared by meaning: `make` has the vector then, and None for other kinds. What either raises is
    raised. `cached=False`: made in any case, and not kept.
    """
    started = time.perf_counter()
    asking = _Asking(asked, policy(asked.kind), cache(encode), make)
    answered = _answered(settings, asking) if cached else asking.made(None)
    if (told := _TOLD.get()) is not None:
        told[answered.how] += 1
    else:
        ms = (time.perf_counter() - started) * 1000
        query_log.record(
            *(settings, asked.kind, asked.prompt, ms),
            hit=answered.how != "made",
            tenant=asked.tenant,
            how=answered.how,
            made_ms=asking.made_ms,
            key=asked.key,
            again=asked.again,
        )
    return answered


@contextmanager
def warming() -> Iterator[Counter[str]]:
    """Ask within this what people will ask: what has no answer gets one. Not logged; counts by `how` are given."""
    with _mode("warming") as told:
        yield told


@contextmanager
def renewing() -> Iterator[Counter[str]]:
    """Make within this every answer anew and keep it in place of the one before. Nothing is logged; as `warming`."""
    with _mode("renewing") as told:
        yield told


@contextmanager
def _mode(mode: Mode) -> Iterator[Counter[str]]:
    told = Counter[str]()
    before = _MODE.set(mode), _TOLD.set(told)
    try:
        yield told
    finally:
        _MODE.reset(before[0])
        _TOLD.reset(before[1])


@dataclass
class _Asking:
    """One question while it is answered. `made_ms`: how long its answer took to make, where that was needed."""

    asked: Asked
    policy: Policy
    encode: "Callable[[], Vectors]"
    make: "Callable[[Vectors | None], Made]"
    made_ms: float | None = None
    cites: frozenset[str] = frozenset()

    def vector(self) -> "Vectors | None":
        return self.encode() if self.policy.by_meaning else None

    def made(self, vector: "Vectors | None") -> Answered:
        started = time.perf_counter()
        made = self.make(vector)
        self.made_ms = (time.perf_counter() - started) * 1000
        self.cites = made.cites | self._own if made.cites else made.cites
        return Answered(made.value, "made")

    @property
    def _own(self) -> frozenset[str]:
        """Whom an organizer's answer is for: what becomes or ceases to be its own changes what it may see."""
        tenant = self.asked.tenant
        return frozenset({tenant}) if _UUID.fullmatch(tenant) else frozenset()

    @property
    def same(self) -> str:
        """All that must be equal for two questions to be compared by meaning.

        Numbers are part of it, in their order: a sentence encoder puts 2 January and 3 January at distance 0.004. So
        are all words that name something.
        """
        numbers = re.findall(r"\d+", self.asked.prompt)
        return shelf.scope(self.asked.kind, self.asked.terms, *numbers, "", *meant(self.asked.prompt))


def _answered(settings: "Settings", asking: _Asking) -> Answered:
    kept = shelf.reach(settings)
    key = asking.asked.key
    anew = _MODE.get() == "renewing"
    if not anew and (found := kept.ask(lambda held: held.entries.find(key))):
        return _of(found)
    if anew:
        return _make(kept, asking)
    # Before the turn is taken: a hit needs no lock, and whoever waits for one knows that nothing else will do.
    if (same := _similar(kept, asking)) is not None:
        return same
    found, proof = kept.ask(lambda held: shelf.await_turn(held, key, WAIT_SECONDS)) or (None, "")
    if found:
        return _of(found)
    with kept.turn(key, proof) if proof else nullcontext():
        return _make(kept, asking)


def _of(found: "Found") -> Answered:
    return Answered(found.value, "similar" if found.similar else "exact")


def _similar(kept: "Shelf", asking: _Asking) -> Answered | None:
    vector = asking.vector()
    if vector is None:
        return None
    found = kept.ask(lambda held: held.similar(asking.asked, asking.same, vector, NEAREST, SAME_MEANING))
    return None if found is None else Answered(found.value, "similar")


def _make(kept: "Shelf", asking: _Asking) -> Answered:
    # Before anything is read: what is dropped from here on may be what the answer is made from.
    epoch = kept.ask(lambda held: held.entries.epoch())
    vector = asking.vector()
    answered = asking.made(vector)
    if epoch:
        took = asking.made_ms or 0.0
        kept.ask(
            lambda held: held.keep(
                *(asking.asked, asking.same, answered.value, asking.cites), epoch=epoch, vector=vector, made_ms=took
            )
        )
    return answered
