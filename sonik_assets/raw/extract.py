"""One table of one source over one window of time: source -> lake -> `raw_*`. Pure of Dagster.

Every batch is a transaction of its own together with its checkpoint, so a killed extract goes on where it was; the
lake has each batch before the database does. Any window may be read in any order, any number of times.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg
from psycopg import sql

from resources import sources
from resources.errors import SonikError, TerminalError, TransientError
from resources.memory import few_arenas
from resources.prefetch import ahead
from resources.settings import Settings
from resources.sources import Request, Window, batches, kafka, landing
from resources.sources.batches import Batch, State
from resources.sources.catalogue import SourceTable
from resources.stores.objects import Objects
from sonik_assets.raw import circuit, lake, marks, reconciliation, schema, state
from sonik_assets.raw.load import Counts, load

LOOK_BACK = timedelta(hours=1)
"""A live source is asked for this much before the window: what it committed late has a clock before its turn."""
BATCH_ROWS, BATCH_BYTES, BATCH_SECONDS = 20_000, 32 * 2**20, 10.0
"""Small batches of a reader are put together up to this: PostgreSQL takes sets, memory stays bounded, and of a slow
source no more than seconds are lost."""


def extract(
    settings: Settings, connection: psycopg.Connection, table: SourceTable, window: Window, run_id: str
) -> Counts:
    """Read the window of the table; return what was read, written and rejected. Commits as it goes.

    Raises TransientError while the source's circuit is open.
    """
    schema.ensure(connection)
    connection.commit()
    job = _Extract(settings, connection, table, run_id)
    with _asking(job):
        return job.run(window)


def reconcile(
    settings: Settings, connection: psycopg.Connection, table: SourceTable, run_id: str, *, acknowledged: bool = False
) -> Counts:
    """Compare all ids of a live source with ours: delete what it lacks, read what we lack. Commits as it goes.

    Raises TerminalError where it would delete more than the guard allows and that is not `acknowledged`, or where the
    table is not read live.
    """
    if not sources.live(settings, table):
        raise TerminalError(
            f"{table.relation} is read from files, which need not hold every record: nothing to compare"
        )
    schema.ensure(connection)
    connection.commit()
    job = _Extract(settings, connection, table, run_id)
    with _asking(job):
        return job.compare(acknowledged=acknowledged)


@contextmanager
def _asking(job: "_Extract") -> Iterator[None]:
    """Ask a live source only while its circuit is closed, and tell the circuit how it went."""
    if not job.live:
        yield
        return
    connection, source = job.connection, job.table.source
    circuit.guard(connection, source)
    try:
        yield
    except TransientError as error:
        connection.rollback()
        if job.source_failed:  # and not the lake or PostgreSQL
            circuit.failed(connection, source, str(error))
        raise
    circuit.close(connection, source)


class _Extract:
    """One extract's state: what it has counted, and the last bookmark."""

    def __init__(self, settings: Settings, connection: psycopg.Connection, table: SourceTable, run_id: str) -> None:
        self.settings, self.connection, self.table, self.run_id = settings, connection, table, run_id
        self.lake = Objects(settings.lake_uri)
        self.reader, self.live = sources.reader(settings, table), sources.live(settings, table)
        self.reader_name = getattr(self.reader, "__name__", type(self.reader).__name__)
        self.source_failed = False
        self.window: Window | None = None
        self.begun = state.Unfinished(None, datetime.now(UTC), Counts())
        self.bookmark: State = {}
        self.present: set[str] = set()

    def run(self, window: Window) -> Counts:
        """Read, keep and load, batch by batch; then note that the window is done."""
        self.window, self.begun = window, state.unfinished(self.connection, self.table, window)
        ids, until = state.marked(self.connection, self.table)
        bookmark = state.bookmark(self.connection, self.table)
        self.connection.commit()
        self._take(Request(self._asked(window), self._position(), bookmark, tuple(ids)))
        if self.table.snapshot:
            self._bury_absent()
        state.unmark(self.connection, self.table, ids, until)
        state.finish(self.connection, self.table, window, self.begun, run_id=self.run_id, bookmark=self.bookmark)
        self._analyze()
        return self.begun.counts

    def compare(self, *, acknowledged: bool) -> Counts:
        """Delete what the source no longer has; read again what it has and we lack."""
        ids = self._heard(self.reader.ids(self.settings, self.table))
        found = reconciliation.compare(self.connection, self.table, ids, self.run_id, acknowledged=acknowledged)
        # No checkpoint: a comparison that is killed is made again.
        self.window, self.begun = None, state.Unfinished(None, found.at, Counts(written=found.revived))
        self.begun.counts.gone, self.begun.counts.unread = len(found.gone), found.unread
        for batch in found.tombstones():
            self._keep(self._to_lake(batch))
        if found.again:
            until = state.marked(self.connection, self.table)[1]
            self.connection.commit()
            self._take(Request((found.at, found.at), marked=tuple(found.again)))
            state.unmark(self.connection, self.table, found.again, until)
        state.record(self.connection, self.table, (found.at, found.at), self.begun, self.run_id)
        self.connection.commit()
        return self.begun.counts

    def _position(self) -> State | None:
        """Return where to go on, unless another reader wrote it: a table may be live today and exported tomorrow."""
        kept = self.begun.position or {}
        return kept.get("at") if kept.get("reader") == self.reader_name else None

    def _asked(self, window: Window) -> Window:
        """Return the window that the source is asked for."""
        start, end = window
        return (start - LOOK_BACK if start and self.live else start), end

    def _take(self, request: Request) -> None:
        few_arenas()
        # While PostgreSQL takes one batch, the next is read and goes to the lake.
        with ahead(self._to_lake(batch) for batch in gathered(self._read(request))) as found:
            for batch in found:
                self._keep(batch)

    def _to_lake(self, batch: Batch) -> Batch:
        if batch.rows.height:
            lake.write(self.lake, self.table, batch.rows, self.run_id)
        return batch

    def _read(self, request: Request) -> Iterator[Batch]:
        """Yield what the source has, then what its change logs add, without rows of other days."""
        settings, table = self.settings, self.table
        yield from (in_window(b, request) for b in self._heard(self.reader.read(settings, table, request)))
        if self.window and table.topics:
            if self.live and settings.landing_uri:  # exports read their own logs
                yield from (in_window(b, request) for b in landing.changes(settings, table))
            yield from kafka.read(settings, table, request)

    def _heard[T](self, answers: Iterator[T]) -> Iterator[T]:
        """Give what the source answers, and notice where it is the source that fails."""
        try:
            yield from answers
        except TransientError:
            self.source_failed = True
            raise

    def _keep(self, batch: Batch) -> None:
        """Load one batch that the lake has, together with where the extract stands then."""
        first = not self.begun.counts.written
        with self.connection.transaction():
            if batch.rows.height:
                if self.table.relation == marks.WEBHOOKS:
                    marks.from_webhooks(self.settings, self.connection, batch.rows)
                load(self.connection, self.table, batch.rows, self.run_id, self.begun.counts, in_order=self.live)
            if self.window:
                at = {"reader": self.reader_name, "at": batch.position} if batch.position is not None else None
                state.save(self.connection, self.table, self.window, at, self.begun)
        self.begun.counts.unknown |= batch.unknown
        self.bookmark |= batch.bookmark or {}
        if self.table.snapshot:
            self.present |= set(batch.rows["record_id"].drop_nulls())
        if first:
            self._analyze()

    def _bury_absent(self) -> None:
        """Of a table that was read whole: what it no longer has is gone, unless something could not be read."""
        if self.begun.counts.rejected:
            return
        query = sql.SQL("select record_id from {} where deleted_at is null and record_id <> all(%s)")
        rows = self.connection.execute(query.format(schema.relation(self.table)), [list(self.present)]).fetchall()
        ids = [row[0] for row in rows]
        self.connection.commit()
        if ids:
            gone = batches.tombstones(ids, [datetime.now(UTC)] * len(ids), origin="absent")
            self._keep(self._to_lake(gone))

    def _analyze(self) -> None:
        """Count the rows for the planner: the next batch and the staging views join them before autovacuum comes."""
        if self.begun.counts.written:
            self.connection.execute(sql.SQL("analyze {}").format(schema.relation(self.table)))
        self.connection.commit()


def gathered(found: Iterator[Batch]) -> Iterator[Batch]:
    """Put small batches together, in order. What was read before an error is given before it is raised."""
    waiting: list[Batch] = []
    since = time.monotonic()
    try:
        for batch in found:
            # What is gone stands apart: a version that comes after it must be loaded after it.
            if waiting and _has_gone(batch) != _has_gone(waiting[-1]):
                yield _joined(waiting)
                waiting, since = [], time.monotonic()
            waiting.append(batch)
            if _full(waiting) or time.monotonic() - since > BATCH_SECONDS:
                yield _joined(waiting)
                waiting, since = [], time.monotonic()
    except SonikError:
        if waiting:
            yield _joined(waiting)
        raise
    if waiting:
        yield _joined(waiting)


def _has_gone(batch: Batch) -> bool:
    return batch.rows["payload"].null_count() > 0


def _full(waiting: list[Batch]) -> bool:
    rows = sum(batch.rows.height for batch in waiting)
    return rows >= BATCH_ROWS or sum(batch.rows.estimated_size() for batch in waiting) >= BATCH_BYTES


def _joined(waiting: list[Batch]) -> Batch:
    """Return one batch that stands where the last of these does."""
    return Batch(
        pl.concat([batch.rows for batch in waiting]),
        position=next((b.position for b in reversed(waiting) if b.position is not None), None),
        bookmark={name: value for b in waiting for name, value in (b.bookmark or {}).items()} or None,
        unknown=frozenset().union(*(batch.unknown for batch in waiting)),
    )


def in_window(batch: Batch, request: Request) -> Batch:
    """Keep rows of the window, and those that belong to every window: undated, marked, and tombstones."""
    at, (start, end) = pl.col("source_updated_at"), request.window
    if batch.any_day or not (start or end):
        return batch
    inside = (at >= start if start else True) & (at < end if end else pl.lit(value=True))
    always = at.is_null() | pl.col("payload").is_null() | pl.col("record_id").is_in(list(request.marked))
    return replace(batch, rows=batch.rows.filter(always | inside))
