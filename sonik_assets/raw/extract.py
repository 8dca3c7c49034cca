"""One table of one source over one window of time: source -> lake -> `raw_*`. Pure of Dagster.

Every batch is a transaction of its own together with its checkpoint, so a killed extract goes on where it was; the
lake has each batch before the database does. Any window may be read in any order, any number of times.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import polars as pl
import psycopg
from psycopg import sql

from resources import sources
from resources.errors import SonikError, TransientError
from resources.settings import Settings
from resources.sources import Request, Window, batches
from resources.sources.batches import Batch, State
from resources.sources.catalogue import SourceTable
from resources.sources.prefetch import ahead
from resources.stores.objects import Objects
from sonik_assets.raw import circuit, lake, reconcile, schema, state
from sonik_assets.raw.load import Counts, load

LOOK_BACK = timedelta(hours=1)
"""A live source is asked for this much before the window: what it committed late has a clock before its turn."""
BATCH_ROWS, BATCH_BYTES = 20_000, 32 * 2**20
"""Small batches of a reader are put together up to this: PostgreSQL takes sets, memory stays bounded."""


def extract(
    settings: Settings,
    connection: psycopg.Connection,
    table: SourceTable,
    window: Window,
    run_id: str,
    *,
    reconciling: bool = False,
    acknowledged: bool = False,
) -> Counts:
    """Read the window of the table; return what was read, written and rejected. Commits as it goes.

    `reconciling` also compares all ids of a live source with ours; `acknowledged` lets it delete more than its guard
    allows. Raises TransientError while the source's circuit is open.
    """
    schema.ensure(connection)
    connection.commit()
    if not sources.live(settings, table):
        return _Extract(settings, connection, table, run_id).run(window)
    circuit.guard(connection, table.source)
    try:
        job = _Extract(settings, connection, table, run_id)
        counts = job.run(window)
        if reconciling:
            counts.add(job.reconcile(acknowledged=acknowledged))
    except TransientError as error:
        connection.rollback()
        circuit.failed(connection, table.source, str(error))
        raise
    circuit.close(connection, table.source)
    return counts


class _Extract:
    """One extract's state: what it has counted, and the last bookmark."""

    def __init__(self, settings: Settings, connection: psycopg.Connection, table: SourceTable, run_id: str) -> None:
        self.settings, self.connection, self.table, self.run_id = settings, connection, table, run_id
        self.lake = Objects(settings.lake_uri)
        self.reader = sources.reader(settings, table)
        self.window: Window | None = None
        self.begun = state.Unfinished(None, datetime.now(UTC), Counts())
        self.bookmark: State | None = None
        self.present: set[str] = set()

    def run(self, window: Window) -> Counts:
        """Read, keep and load, batch by batch; then note that the window is done."""
        self.window, self.begun = window, state.unfinished(self.connection, self.table, window)
        ids, until = state.marked(self.connection, self.table)
        bookmark = state.bookmark(self.connection, self.table)
        self.connection.commit()
        self._take(Request(self._asked(window), self.begun.position, bookmark, tuple(ids)))
        if self.table.snapshot:
            self._bury_absent()
        state.unmark(self.connection, self.table, ids, until)
        state.finish(self.connection, self.table, window, self.begun, run_id=self.run_id, bookmark=self.bookmark)
        self._analyze()
        return self.begun.counts

    def reconcile(self, *, acknowledged: bool) -> Counts:
        """Delete what the source no longer has; read again what it has and we lack."""
        ids = self.reader.ids(self.settings, self.table)
        found = reconcile.compare(self.connection, self.table, ids, self.run_id, acknowledged=acknowledged)
        # No checkpoint: a comparison that is killed is made again.
        self.window, self.begun = None, state.Unfinished(None, found.at, Counts(written=found.revived))
        self.begun.counts.gone, self.begun.counts.unread = len(found.gone), found.unread
        for batch in found.tombstones():
            self._keep(batch)
        if found.again:
            state.mark(self.connection, self.table, found.again)
            until = state.marked(self.connection, self.table)[1]
            self.connection.commit()
            self._take(Request((found.at, found.at), marked=tuple(found.again)))
            state.unmark(self.connection, self.table, found.again, until)
        state.record(self.connection, self.table, (found.at, found.at), self.begun, self.run_id)
        self.connection.commit()
        return self.begun.counts

    def _asked(self, window: Window) -> Window:
        """Return the window that the source is asked for."""
        start, end = window
        return (start - LOOK_BACK if start and sources.live(self.settings, self.table) else start), end

    def _take(self, request: Request) -> None:
        with ahead(gathered(self.reader.read(self.settings, self.table, request))) as found:
            for batch in found:
                self._keep(replace(batch, rows=batch.rows.filter(wanted(request))))

    def _keep(self, batch: Batch) -> None:
        """Keep one batch: in the lake, then in PostgreSQL together with where the extract stands."""
        if batch.rows.height:
            lake.write(self.lake, self.table, batch.rows, self.run_id)
        first = not self.begun.counts.written
        with self.connection.transaction():
            # Two extracts of one table take turns: neither may judge rows that the other is changing.
            self.connection.execute("select pg_advisory_xact_lock(hashtext(%s))", [self.table.relation])
            if batch.rows.height:
                counts, live = self.begun.counts, sources.live(self.settings, self.table)
                load(self.connection, self.table, batch.rows, self.run_id, counts, in_order=live)
            if self.window:
                state.save(self.connection, self.table, self.window, batch.position, self.begun)
        self.begun.counts.unknown |= batch.unknown
        self.bookmark = batch.bookmark or self.bookmark
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
            self._keep(batches.tombstones(ids, [datetime.now(UTC)] * len(ids), origin="absent"))

    def _analyze(self) -> None:
        """Count the rows for the planner: the next batch and the staging views join them before autovacuum comes."""
        if self.begun.counts.written:
            self.connection.execute(sql.SQL("analyze {}").format(schema.relation(self.table)))
        self.connection.commit()


def gathered(found: Iterator[Batch]) -> Iterator[Batch]:
    """Put small batches together, in order. What was read before an error is given before it is raised."""
    waiting: list[Batch] = []
    try:
        for batch in found:
            waiting.append(batch)
            if _full(waiting):
                yield _joined(waiting)
                waiting = []
    except SonikError:
        if waiting:
            yield _joined(waiting)
        raise
    if waiting:
        yield _joined(waiting)


def _full(waiting: list[Batch]) -> bool:
    rows = sum(batch.rows.height for batch in waiting)
    return rows >= BATCH_ROWS or sum(batch.rows.estimated_size() for batch in waiting) >= BATCH_BYTES


def _joined(waiting: list[Batch]) -> Batch:
    """Return one batch that stands where the last of these does."""
    return Batch(
        pl.concat([batch.rows for batch in waiting]),
        position=next((b.position for b in reversed(waiting) if b.position is not None), None),
        bookmark=next((b.bookmark for b in reversed(waiting) if b.bookmark is not None), None),
        unknown=frozenset().union(*(batch.unknown for batch in waiting)),
    )


def wanted(request: Request) -> pl.Expr:
    """Keep rows of the window, and those that belong to every window: undated, marked, and tombstones."""
    at, (start, end) = pl.col("source_updated_at"), request.window
    inside = pl.lit(value=True)
    if start:
        inside = inside & (at >= start)
    if end:
        inside = inside & (at < end)
    always = at.is_null() | pl.col("payload").is_null() | pl.col("record_id").is_in(list(request.marked))
    return always | inside
