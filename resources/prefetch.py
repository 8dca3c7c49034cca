"""Reads ahead: a source is asked for the next batch while the database takes the last one."""

import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_Item = tuple[object, BaseException | None]


@contextmanager
def ahead[T](items: Iterator[T], *, depth: int = 1) -> Iterator[Iterator[T]]:
    """Give the items as another thread makes them, at most `depth` waiting; its error is raised where the item was due.

    At the end, however it comes, the thread has stopped and the source is closed.
    """
    waiting: queue.Queue[_Item] = queue.Queue(depth)
    stop, end = threading.Event(), object()

    def put(item: _Item) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def work() -> None:
        try:
            for item in items:
                if not put((item, None)):
                    break
            put((end, None))
        except BaseException as error:  # noqa: BLE001 - it is raised by the one who reads
            put((end, error))
        finally:
            close = getattr(items, "close", None)
            if close:
                close()

    thread = threading.Thread(target=work, name="read ahead", daemon=True)
    thread.start()
    try:
        yield _drain(waiting, end)
    finally:
        stop.set()
        thread.join()


def _drain[T](waiting: "queue.Queue[_Item]", end: object) -> Iterator[T]:
    while True:
        item, error = waiting.get()
        if error:
            raise error
        if item is end:
            return
        yield item  # type: ignore[misc]
