"""What a compatibility report is made of. The checks that make findings are in `checks` and `rehearsal`."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a finding matters to the move."""

    BLOCKS = "blocks"
    """The move cannot work."""
    WARNS = "warns"
    """It works, and something may behave otherwise afterwards."""
    NOTES = "notes"
    """What is there, and what is not carried over."""


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was found and what to do."""

    severity: Severity
    area: str
    found: str
    fix: str = ""


def blocks(area: str, found: str, fix: str) -> Finding:
    """Return a finding that stops the move."""
    return Finding(Severity.BLOCKS, area, found, fix)


def warns(area: str, found: str, fix: str = "") -> Finding:
    """Return a finding to read before the move."""
    return Finding(Severity.WARNS, area, found, fix)


def notes(area: str, found: str, fix: str = "") -> Finding:
    """Return a finding that only informs."""
    return Finding(Severity.NOTES, area, found, fix)


def some(names: list[str], most: int = 8) -> str:
    """Return names for a sentence: the first few, and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def counted(number: int, noun: str) -> str:
    """Return a number with its noun: "1 table", "2,000 tables"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
