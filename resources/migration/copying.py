"""Moving rows: COPY out of one server and into the other, block by block, a part a transaction."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import psycopg

from resources.errors import TerminalError, TransientError
from resources.migration import plan, state
from resources.migration.catalogue import Unit
from resources.migration.plan import Part
from resources.migration.servers import line
from resources.migration.workers import Pair, Workers

BLOCK_BYTES = 256 * 1024
"""Rows arrive one at a time and are sent on in blocks of about this size."""


def copy_parts(workers: Workers, parts: list[Part], tell: Callable[[int], None]) -> int:
    """Copy parts that are missing and record each with its rows; `tell` gets the rows of every finished part."""
    total = 0
    for _, rows in workers.each(_copy_part, parts):
        total += rows
        tell(rows)
    return total


def copy_again(workers: Workers, units: list[Unit], tell: Callable[[int], None]) -> int:
    """Empty units and copy each anew in one transaction, so that a killed attempt leaves the former state."""
    total = 0
    for _, rows in workers.each(_copy_again, units):
        total += rows
        tell(rows)
    return total


def _copy_part(pair: Pair, part: Part) -> int:
    with _named(part.unit), pair.target.transaction():
        rows = _pump(pair, part)
        state.copied(pair.target, part, rows)
    return rows


def _copy_again(pair: Pair, unit: Unit) -> int:
    with _named(unit), pair.target.transaction():
        part = state.forget(pair.target, unit)
        rows = _pump(pair, part)
        state.copied(pair.target, part, rows)
    return rows


def _pump(pair: Pair, part: Part) -> int:
    """Return how many rows went over."""
    with pair.source.cursor() as source, pair.target.cursor() as target:
        with target.copy(plan.writing(part.unit)) as into, source.copy(plan.reading(part)) as out:
            for block in _blocks(out):
                into.write(block)
        if source.rowcount != target.rowcount:
            raise TerminalError(
                f"{part.unit.label}: {source.rowcount:,} rows were read and {target.rowcount:,} taken: "
                "report this as an error of sonik"
            )
        return target.rowcount


def _blocks(rows: Iterable[psycopg.abc.Buffer]) -> Iterator[bytes]:
    held: list[bytes] = []
    size = 0
    for row in rows:
        held.append(bytes(row))
        size += len(row)
        if size >= BLOCK_BYTES:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)


@contextmanager
def _named(unit: Unit) -> Iterator[None]:
    """Say which table it was when the servers refuse."""
    try:
        yield
    except psycopg.OperationalError as error:
        raise TransientError(
            f"copying {unit.label} was interrupted: {line(error)}; the same command goes on from here"
        ) from error
    except psycopg.Error as error:
        where = f" ({error.diag.context})" if error.diag.context else ""
        raise TerminalError(f"cannot copy {unit.label}: {line(error)}{where}") from error
