"""Random histories of inserts, updates, deletes and crashes: the rows end as the history says, whatever the order."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from resources import sources
from resources.settings import Settings
from resources.sources import Request, Window, batches
from resources.sources.catalogue import SourceTable, table
from sonik_assets.raw.extract import extract
from sonik_assets.raw.load import Counts, load

ARTISTS = table("directus.artists")
START = datetime(2026, 10, 1, tzinfo=UTC)
IDS = ("a", "b", "c")
FINAL = "select record_id, payload, source_updated_at, deleted_at from raw_directus.artists order by record_id"
examples = hypothesis_settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

Change = tuple[str, int, int | None]
"""Record, day, and the version's value; None: deleted on that day."""
changes = st.tuples(st.sampled_from(IDS), st.integers(0, 5), st.none() | st.integers(0, 3))


def clean(connection: psycopg.Connection) -> None:
    connection.execute("truncate raw_directus.artists, ops.checkpoints, ops.bookmarks, ops.marks, raw.extracts")
    connection.commit()


def version(record: str, day: int, value: int) -> bytes:
    at = (START + timedelta(days=day)).isoformat()
    return json.dumps({"id": record, "name": str(value), "date_updated": at}).encode()


def frame(change: Change) -> pl.DataFrame:
    record, day, value = change
    if value is None:
        return batches.tombstones([record], [START + timedelta(days=day)], origin="log").rows
    return batches.from_records([version(record, day, value)], ARTISTS, origin="page").rows


def expected(history: list[Change]) -> list[tuple[Any, ...]]:
    """The newest version of each record (of two at one time the greater), dead if deleted then or later."""
    found = []
    for record in sorted({change[0] for change in history}):
        versions = [(day, value) for r, day, value in history if r == record and value is not None]
        deletions = [day for r, day, value in history if r == record and value is None]
        newest = max(versions, default=None)
        gone = max(deletions, default=None)
        dead = gone is not None and (newest is None or gone >= newest[0])
        payload = json.loads(version(record, *newest)) if newest else {}
        at = START + timedelta(days=newest[0]) if newest else None
        found.append((record, payload, at, START + timedelta(days=gone) if dead and gone is not None else None))
    return found


@examples
@given(st.lists(changes, min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_any_order_any_batches_any_number_of_times(
    connection: psycopg.Connection, history: list[Change], random: Any
) -> None:
    clean(connection)
    told = [*history, *random.choices(history, k=4)]
    random.shuffle(told)
    while told:
        cut = random.randint(1, len(told))
        now, told = told[:cut], told[cut:]
        load(connection, ARTISTS, pl.concat(map(frame, now)), "run", Counts())
        connection.commit()
    assert connection.execute(FINAL).fetchall() == expected(history)


class KilledError(Exception):
    """What kill -9 looks like from within: nothing after it is run."""


@dataclass
class Source:
    """A live source: what it holds now, the log of its deletions, and after how many pages the reader dies."""

    records: dict[str, tuple[int, int]] = field(default_factory=dict)
    log: list[tuple[str, int]] = field(default_factory=list)
    dies_after: int = 99

    def change(self, change: Change) -> None:
        record, day, value = change
        if value is not None:
            self.records[record] = (day, value)
        elif self.records.pop(record, None):
            self.log.append((record, day))

    def read(self, settings: Settings, table: SourceTable, request: Request) -> Iterator[batches.Batch]:
        rows = sorted((day, record, value) for record, (day, value) in self.records.items())
        begin = (request.position or {}).get("from", [-1, ""])
        for number, (day, record, value) in enumerate(row for row in rows if [row[0], row[1]] >= begin):
            if number == self.dies_after:
                raise KilledError
            at = START + timedelta(days=day)
            if record in request.marked or inside(request.window, at):
                page = [version(record, day, value)]
                yield batches.from_records(page, table, origin="page", position={"from": [day, record]})
        seen = (request.bookmark or {}).get("log", 0)
        gone = self.log[seen:]
        yield batches.tombstones(
            [record for record, _ in gone],
            [START + timedelta(days=day) for _, day in gone],
            origin="log",
            bookmark={"log": len(self.log)},
        )

    def ids(self, settings: Settings, table: SourceTable) -> Iterator[list[str]]:
        yield sorted(self.records)

    def touched(self, settings: Settings, table: SourceTable, since: datetime) -> list[date]:
        return []


def inside(window: Window, at: datetime) -> bool:
    return (window[0] is None or at >= window[0]) and (window[1] is None or at < window[1])


@examples
@given(st.lists(st.tuples(changes, st.integers(0, 3) | st.none()), min_size=1, max_size=8), st.permutations(range(6)))
def test_extracts_that_are_killed_and_days_in_any_order(
    connection: psycopg.Connection,
    settings: Settings,
    tmp_path_factory: pytest.TempPathFactory,
    history: list[tuple[Change, int | None]],
    days: list[int],
) -> None:
    clean(connection)
    here = replace(settings, lake_uri=str(tmp_path_factory.mktemp("lake")), directus_url="http://given")
    source, clock, seen = Source(), 0, list[Change]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "reader", lambda *_: source)
        for (record, step, value), dies_after in history:
            clock = min(5, clock + step % 3)
            change = (record, clock, value)
            if value is not None or record in source.records:
                seen.append(change)
            source.change(change)
            source.dies_after = 99 if dies_after is None else dies_after
            try:
                extract(here, connection, ARTISTS, (None, None), "run")
            except KilledError:
                connection.rollback()
        source.dies_after = 99
        for day in [*days, *days]:
            window = START + timedelta(days=day), START + timedelta(days=day + 1)
            extract(here, connection, ARTISTS, window, "run")
    live = [(r, p, at) for r, p, at, deleted in connection.execute(FINAL) if not deleted]
    assert live == [
        (r, json.loads(version(r, *known)), START + timedelta(days=known[0]))
        for r, known in sorted(source.records.items())
        if not any(gone == r and day >= known[0] for gone, day in source.log)
    ]
    assert connection.execute('select count(*) from ops.checkpoints where upper_inf("window") is false').fetchone() == (
        0,
    )
