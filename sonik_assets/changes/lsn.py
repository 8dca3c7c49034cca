"""Positions in PostgreSQL's log."""

import re
from typing import Self

_TEXT = re.compile(r"([0-9A-F]{1,8})/([0-9A-F]{1,8})", re.IGNORECASE)


class Lsn(int):
    """A log sequence number: a number of bytes since the log began, written as PostgreSQL does (`16/B374D848`)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the position that a text names; ValueError where it is none."""
        found = _TEXT.fullmatch(text)
        if found is None:
            raise ValueError(f"{text!r} is no position in a log: expected something like 16/B374D848")
        return cls(int(found[1], 16) << 32 | int(found[2], 16))

    def __str__(self) -> str:
        return f"{self >> 32:X}/{self & 0xFFFFFFFF:X}"

    def __repr__(self) -> str:
        return f"Lsn({str(self)!r})"
