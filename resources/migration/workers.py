"""Several sessions on both servers at once, all seeing the source as it was at one moment.

Threads are enough: the servers do the work, and waiting for them frees the interpreter.
"""

import contextlib
import queue
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import Self

import psycopg
from psycopg import sql

from resources.migration.servers import Session, session


@dataclass(frozen=True)
class Pair:
    """A worker's two sessions: the source's inside of the snapshot and read-only, the target's in autocommit."""

    source: Session
    target: Session


class Workers:
    """So many pairs of sessions; use it as a context manager."""

    def __init__(self, source_url: str, target_url: str, snapshot: str, jobs: int) -> None:
        self._urls, self._snapshot, self.jobs = (source_url, target_url), snapshot, jobs
        self._pairs: list[Pair] = []
        self._free: queue.SimpleQueue[Pair] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        for _ in range(self.jobs):
            source, target = (session(url) for url in self._urls)
            self._pairs.append(Pair(source, target))
            source.execute("begin isolation level repeatable read read only")
            source.execute(sql.SQL("set transaction snapshot {}").format(sql.Literal(self._snapshot)))
            self._free.put(self._pairs[-1])
        return self

    def __exit__(self, *_: object) -> None:
        for pair in self._pairs:
            pair.source.close()
            pair.target.close()

    def each[T, R](self, work: Callable[[Pair, T], R], items: Iterable[T]) -> Iterator[tuple[T, R]]:
        """Do the work for every item, and yield item and result as they come; take them all.

        The first error, here or in who takes them, stops the rest.
        """
        with ThreadPoolExecutor(self.jobs) as pool:
            futures: dict[Future[R], T] = {pool.submit(self._lend, work, item): item for item in items}
            try:
                for future in as_completed(futures):
                    yield futures[future], future.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._interrupt()
                raise

    def _lend[T, R](self, work: Callable[[Pair, T], R], item: T) -> R:
        pair = self._free.get()
        try:
            return work(pair, item)
        finally:
            self._free.put(pair)

    def _interrupt(self) -> None:
        """Stop what the servers still do for us, so that nobody waits for a long copy that is not wanted."""
        for pair in self._pairs:
            for connection in (pair.source, pair.target):
                with contextlib.suppress(psycopg.Error):
                    connection.cancel_safe(timeout=5)
