"""How much a register may be asked: the limits as settings, and what counts against them.

A meter that remembers over runs is the stage's: this one knows only the run.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from resources.errors import TerminalError

IN_A_ROW = 3
"""Failed requests in a row after which a run asks no more."""


@dataclass(frozen=True)
class Limits:
    """Paid requests a run and a (UTC) day, and requests a second, free ones included."""

    run: int = 1_000
    day: int = 3_000
    per_second: int = 10

    @staticmethod
    def from_env(environment: Mapping[str, str]) -> "Limits":
        """Read SONIK_PLACES_RUN_BUDGET, SONIK_PLACES_DAY_BUDGET and SONIK_PLACES_PER_SECOND; unset: the defaults.

        Raises TerminalError where one is no whole number, or less than 0 (a second: less than 1).
        """
        return Limits(
            _number(environment, "SONIK_PLACES_RUN_BUDGET", 0, Limits.run),
            _number(environment, "SONIK_PLACES_DAY_BUDGET", 0, Limits.day),
            _number(environment, "SONIK_PLACES_PER_SECOND", 1, Limits.per_second),
        )


class Meter(Protocol):
    """Asked before every request, told of every outcome."""

    def may_ask(self) -> bool:
        """Tell whether the register is to be asked at all now: it may have failed too often."""
        ...

    def spend(self) -> bool:
        """Count one paid request, attempts that fail included; tell whether the budgets had one left."""
        ...

    def answered(self) -> None:
        """Note that the register answered."""
        ...

    def failed(self, reason: str) -> None:
        """Note that all attempts at one request failed in a way that may pass; `reason` holds no secret."""
        ...


class RunMeter:
    """Keeps the run's budget, and gives up after three failures in a row; forgets both with the process."""

    def __init__(self, limits: Limits) -> None:
        self._left = min(limits.run, limits.day)
        self._failures = 0

    def may_ask(self) -> bool:
        """Tell whether it did not fail too often in a row."""
        return self._failures < IN_A_ROW

    def spend(self) -> bool:
        """Count one request; tell whether there was one left."""
        self._left -= 1
        return self._left >= 0

    def answered(self) -> None:
        """Forget the failures."""
        self._failures = 0

    def failed(self, reason: str) -> None:  # noqa: ARG002 - for meters that tell people
        """Count a failure."""
        self._failures += 1


def _number(environment: Mapping[str, str], name: str, least: int, default: int) -> int:
    text = environment.get(name)
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text) < least:
        raise TerminalError(f"{name} is {text!r}: set a whole number of at least {least}, or nothing")
    return int(text)
