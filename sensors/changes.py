"""The sensor of a live source: asks each of its tables what was touched since it was last asked.

Here: which days that means, the time budget, what happens when the source does not answer. Not here: how a source is
asked (its reader's `touched`), what a request looks like (`requests.py`), what is remembered (`cursor.py`).
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import partial
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

import dagster as dg

from resources.dagster import Stores
from resources.errors import SonikError, TransientError
from resources.settings import Settings
from resources.sources.catalogue import TABLES, SourceTable
from sensors import cursor
from sensors.cursor import Entries, Entry
from sensors.requests import requests
from sonik_assets.schedules import LOOK_BACK_DAYS

if TYPE_CHECKING:
    import psycopg

LOOK_BACK = timedelta(minutes=10)
"""What a source commits this late, or stamps with a clock this slow, is still seen."""
BUDGET_SECONDS = 40.0
"""Of the 60 that Dagster allows a tick. A table not asked in time is asked first at the next tick."""

Ask = Callable[[datetime], Iterable[date]]
"""UTC time -> UTC days of the records touched since then."""


def source_sensor(source: str, variable: str) -> dg.SensorDefinition:
    """Return the sensor of a source that is read live where the variable is set."""
    relations = [table for table in TABLES if table.source == source]

    @dg.sensor(
        name=source,
        asset_selection=dg.AssetSelection.assets(*(table.relation.split(".") for table in relations)),
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"What changed in {source}: runs over exactly the days and tables touched.",
    )
    def watch(
        context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]
    ) -> Iterator[dg.RunRequest | dg.SkipReason]:
        from resources import sources

        settings = stores.settings()
        tables = [table for table in relations if sources.live(settings, table)]
        if not tables:
            yield dg.SkipReason(f"{source} is read from exports: {variable} is not set")
        elif reason := left_alone(stores, source):
            yield dg.SkipReason(reason)
        else:
            yield from tick(context, settings, tables)

    return watch


def tick(
    context: dg.SensorEvaluationContext,
    settings: Settings,
    tables: list[SourceTable],
    now: datetime | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Yield the requests of one tick, or why there is none; then move the cursor of the tables that were asked."""
    at, known = now or datetime.now(UTC), cursor.load(context.cursor)
    round_ = ask_all(settings, tables, known, at, clock)
    wanted = list(requests(round_.touched, round_.seen, at.date()))
    yield from wanted
    for reason in round_.failures:
        context.log.warning(reason)
    if not wanted:
        yield dg.SkipReason("; ".join(round_.failures[:3]) or f"nothing new in {len(round_.entries)} tables")
    if round_.entries:
        context.update_cursor(cursor.dump(known | round_.entries))


@dataclass
class Round:
    """What one tick learned: the days to read, what each answers, where each table now stands, what went wrong."""

    touched: dict[str, set[date]] = field(default_factory=dict)
    seen: dict[str, str] = field(default_factory=dict)
    entries: Entries = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def ask_all(
    settings: Settings, tables: list[SourceTable], known: Entries, now: datetime, clock: Callable[[], float]
) -> Round:
    """Ask the tables, the one that waited longest first, until the budget is used up.

    One that fails does not stop the others, but after a failure that may pass only half of the budget is spent: the
    source may be down, and every table would wait for it in vain.
    """
    from resources import sources

    found, started, budget = Round(), clock(), BUDGET_SECONDS
    never = Entry(datetime(now.year, now.month, now.day, tzinfo=UTC) - timedelta(days=LOOK_BACK_DAYS))
    for table in sorted(tables, key=lambda t: known.get(t.relation, never).asked):
        left = budget - (clock() - started)
        if left <= 0:
            found.failures.append(f"{table.relation} and what follows it were not asked in time: they are next")
            break
        entry = known.get(table.relation, never)
        ask = partial(sources.reader(settings, table).touched, settings, table)
        try:
            days, after = in_time(partial(look, entry, ask, now), left)
        except SonikError as error:
            found.failures.append(str(error))
            budget = BUDGET_SECONDS / 2 if isinstance(error, TransientError) else budget
            continue
        found.touched[table.relation], found.entries[table.relation] = days, after
        found.seen[table.relation] = entry.asked.isoformat()
    return found


def look(entry: Entry, ask: Ask, now: datetime) -> tuple[set[date], Entry]:
    """Return the days to read now, and where the table stands after that.

    Asked since `LOOK_BACK` before the last time, a source names the same days again and again. A day it has named
    lately is read when something in it is newer than the last time, and once more when `LOOK_BACK` is over: by then
    all that was committed late is there. So a change costs two reads, and nothing that came late is missed.
    """
    named = set(ask(entry.asked - LOOK_BACK))
    lately = named & entry.again.keys()
    fresh = (named - lately) | (set(ask(entry.asked)) if lately else set())
    due = {day for day, at in entry.again.items() if at <= now}
    again = {day: at for day, at in entry.again.items() if day not in due} | dict.fromkeys(fresh, now + LOOK_BACK)
    return fresh | due, Entry(now, again)


def in_time[T](work: Callable[[], T], seconds: float) -> T:
    """Return the work's result; TransientError where it takes longer: it is then left to end by itself."""
    results: SimpleQueue[tuple[T | None, Exception | None]] = SimpleQueue()

    def run() -> None:
        try:
            results.put((work(), None))
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            results.put((None, error))

    Thread(target=run, daemon=True).start()
    with suppress(Empty):
        result, error = results.get(timeout=seconds)
        if error:
            raise error
        return result  # type: ignore[return-value]
    raise TransientError(
        f"no answer within {seconds:.0f} s: see whether the source is up; asked again at the next tick"
    )


def left_alone(stores: Stores, source: str) -> str:
    """Return why the source is not to be asked now: its circuit is open, or nobody can tell. Else nothing."""
    try:
        with stores.postgres() as connection:
            return open_circuit(connection, source)
    except SonikError as error:
        return str(error)


def open_circuit(connection: "psycopg.Connection", source: str) -> str:
    """Return until when and why the source is left alone; nothing where it is not, or was never extracted."""
    from psycopg.errors import UndefinedTable

    from sonik_assets.raw import circuit

    try:
        states = circuit.states(connection)
    except UndefinedTable:
        return ""
    now = datetime.now(UTC)
    reasons = [s for s in states if s["source"] == source and s["open_until"] and s["open_until"] > now]
    return "".join(f"{source} is left alone until {s['open_until']:%H:%M:%S} UTC: {s['reason']}" for s in reasons)
