"""Reads a sorted list page by page, by offset, while others write to it, and loses no row that stays as it is.

Here: the order of pages, what is read ahead, where to go on when rows moved. Not here: what a page is asked with.

Neighbouring pages overlap. A page is a contiguous piece of the sorted list at its moment, whichever page was answered
first. So where a page holds a row S that the page before held too, S with the same clock, whatever comes after S and
is not touched by anybody is in the rest of this page or after it: nothing between the two was skipped. Where they
share no row, too much moved: what was read ahead is dropped, and reading goes on from the clock of the last row that
is sure. A row that was touched meanwhile has a newer clock: the next window has it.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import msgspec

from resources.errors import TransientError

AHEAD = 4
"""Pages that are asked for at once; the first ones alone, as most reads are short."""
OVERLAP, SHARE = 20, 5
"""Rows that neighbouring pages have in common, at most one in five: so far may rows move between two pages."""
RESTARTS = 10
"""How often the list may move, or a page bring nothing, without any progress in between."""
ANCHOR_PAGES = 50
"""After so many pages the offset begins at 0 again, from a later clock: a large offset costs the source."""

Rows = Sequence[msgspec.Raw]


@dataclass(frozen=True)
class Key:
    """Where a row is in the order."""

    clock: str | None
    id: str | int


@dataclass(frozen=True)
class Listing:
    """A sorted list: how a page of it is asked for, and where a row is in it."""

    fetch: Callable[[str | None, int, int], Rows]
    """From this clock (inclusive; None: from the beginning), skipping so many rows, at most so many -> rows."""
    key: Callable[[msgspec.Raw], Key]
    name: str
    """For messages."""


def walk(listing: Listing, *, limit: int, clock: str | None = None) -> Iterator[tuple[Rows, Key]]:
    """Yield the list's rows from the clock on, page by page (`limit` rows, 2 or more), with the key of the last one.

    A row may come twice. Raises TransientError where the list moves faster than it can be read.
    """
    stuck = 0
    pool = ThreadPoolExecutor(AHEAD, "pages")
    try:
        while True:
            last = yield from _segment(listing, pool, limit, clock)
            if last is None:
                return
            stuck = 0 if last.clock and last.clock != clock else stuck + 1
            if stuck > RESTARTS:
                raise TransientError(f"{listing.name} changes faster than it can be read; try again later")
            clock = last.clock or clock
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _segment(
    listing: Listing, pool: ThreadPoolExecutor, limit: int, clock: str | None
) -> Generator[tuple[Rows, Key], None, Key | None]:
    """Yield pages by offset; return None at the end of the list, or the key of the last row that is sure."""
    overlap = max(1, min(OVERLAP, limit // SHARE))
    ahead = _Ahead(pool, lambda offset: listing.fetch(clock, offset, limit), limit - overlap)
    sure: list[Key] = []
    idle = 0
    while True:
        offset, page = ahead.next()
        shared = _last_shared(listing, page, set(sure), 2 * overlap) if sure else -1
        if shared is None:
            return sure[-1]
        fresh = page[shared + 1 :]
        idle = 0 if fresh else idle + 1
        if fresh:
            sure = [*sure, *map(listing.key, fresh[-overlap:])][-overlap:]
            yield fresh, sure[-1]
        if len(page) < limit:
            return None
        if idle > RESTARTS:
            raise TransientError(f"{listing.name}: the same page comes again and again; try again later")
        if offset > ANCHOR_PAGES * limit and sure[-1].clock != clock:
            return sure[-1]
        if offset and abs(shared + 1 - overlap) > overlap // 2:
            ahead.go_on_at(offset + limit - overlap)


def _last_shared(listing: Listing, page: Rows, sure: set[Key], head: int) -> int | None:
    """Return the index of the last row that the page before had too: near the beginning, unless rows moved."""
    for rows in (page[:head], page):
        found = [n for n, row in enumerate(rows) if listing.key(row) in sure]
        if found:
            return found[-1]
    return None


class _Ahead:
    """Pages in order, each so many rows after the one before, asked for ahead of time."""

    def __init__(self, pool: ThreadPoolExecutor, fetch: Callable[[int], Rows], step: int) -> None:
        self._pool, self._fetch, self._step = pool, fetch, step
        self._asked: deque[tuple[int, Future[Rows]]] = deque()
        self._offset, self._width = 0, 1

    def next(self) -> tuple[int, Rows]:
        """Return the next page and its offset."""
        while len(self._asked) < self._width:
            self._asked.append((self._offset, self._pool.submit(self._fetch, self._offset)))
            self._offset += self._step
        offset, page = self._asked.popleft()
        self._width = min(AHEAD, self._width * 2)
        return offset, page.result()

    def go_on_at(self, offset: int) -> None:
        """Forget what was asked for: rows moved, and the next page is better asked for from here."""
        for _, page in self._asked:
            page.cancel()
        self._asked.clear()
        self._offset = offset
