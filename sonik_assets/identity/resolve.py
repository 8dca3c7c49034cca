"""The stage: what sources say -> identifiers, clusters, entity ids, event keys, visitors; one lock, one transaction.

The order only; each step is a module of its own. Venues, organizations, artists, brands and people come first, then
events, which are known by their venue, then visitors, who are known by the person.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import polars as pl
import psycopg
from psycopg import sql

from resources.errors import TerminalError
from resources.places import Places
from resources.stores import tables
from sonik_assets.identity import claimed, guard, happenings, holdings, inbox, matchers, memory, phase, places, visiting
from sonik_assets.identity.candidates import Matchers
from sonik_assets.identity.holdings import Seen
from sonik_assets.identity.identifiers import MENTIONS, REF, identifiers, prepare
from sonik_assets.identity.phase import Outcome, Said
from sonik_assets.identity.schemes import PHASES, RULES
from sonik_assets.identity.tables import ensure_tables, lock

REFRESHED = 500
"""Places ids of twelve months that a run checks, of those looked up and of those that sources state."""


@dataclass(frozen=True)
class Options:
    """How to resolve. `full`: read everything again. `trial`: undo it all at the end, to see what it would change.

    `matchers`: others than those in use; empty: by identifiers alone. `acknowledged`: by whom a run that would change
    too much is let through.
    """

    full: bool = False
    trial: bool = False
    matchers: Matchers | None = None
    acknowledged: str | None = None


@dataclass
class Report:
    """What a run did: for people, in the metadata of the assets. Counts are of what it looked at, `full` or not.

    `decided`: people changed something since the last run, so what follows is of date though this one wrote nothing.
    """

    full: bool
    mentions: int = 0
    scope: int = 0
    unresolved: int = 0
    weak: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    entities: Mapping[str, int] = field(default_factory=dict)
    changes: Mapping[str, int] = field(default_factory=dict)
    warnings: Mapping[str, int] = field(default_factory=dict)
    places: Mapping[str, int] = field(default_factory=dict)
    judged: Mapping[str, int] = field(default_factory=dict)
    written: dict[str, tables.Counts] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)
    evidence: int = 0
    evidence_unused: int = 0
    decided: bool = False
    held: Sequence[str] = ()
    outcomes: Sequence[Outcome] = ()


def resolve(connection: psycopg.Connection, register: Places | None = None, options: Options | None = None) -> Report:
    """Resolve what is new or changed, or everything, and commit; a run that would change too much is held instead.

    Raises TerminalError where staging is missing or has become empty.
    """
    options = options or Options()
    register = None if options.trial else register
    with _alone(connection):
        with connection.transaction():
            ensure_tables(connection)
            lock(connection)
            matchers.retire_unusable(connection)
            period = inbox.since(connection, _rules(connection), full=options.full)
            seen = _seen(connection, period)
        # Before the transaction that decides: what was paid for is kept, and nobody waits for the register.
        refreshed = places.refresh(connection, register, limit=REFRESHED, stated=REFRESHED)
        full = period.at is None
        told = places.Said(seen.mentions, seen.stated, seen.refused)
        heard = places.hear(connection, told, seen.gone, register, full=full)
        said = heard.said
        report = Report(full=full, mentions=said.mentions.height, refused=said.refused)
        report.places = heard.counts() | {"moved": refreshed.moved, "gone": refreshed.gone}
        stated = holdings.with_places(said.stated, said.mentions, heard.ids)
        try:
            with connection.transaction(force_rollback=options.trial):
                lock(connection)
                _resolve(connection, period, Seen(said.mentions, stated, seen.gone, {}), report, options)
                places.remember(connection, heard, full=full)
        except guard.HeldError as held:
            report.held = guard.hold(connection, held)
            report.written = dict.fromkeys(report.written, tables.Counts())
        return report


def settle_judged(connection: psycopg.Connection, refs: Sequence[str]) -> Report:
    """Resolve what people just judged, inside the caller's transaction; `refs`: source/table/record_id."""
    report = Report(full=False)
    lock(connection)
    touched = memory.refs(connection, refs)
    nothing = Seen(*prepared_nothing(), touched.select(REF).clear(), {})
    _run(connection, inbox.nothing(), nothing, touched, report, None)
    return report


def prepared_nothing() -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return no mentions and no identifiers, with their columns."""
    columns: dict[str, Any] = {**MENTIONS, **inbox.EXTRA}
    empty = prepare(pl.DataFrame(schema=columns))
    return empty, identifiers(empty)[0]


def _seen(connection: psycopg.Connection, period: inbox.Since) -> Seen:
    rows = inbox.read(connection, "mentions", {**MENTIONS, **inbox.EXTRA}, period)
    if rows.is_empty():
        _refuse_emptiness(connection)
    mentions = prepare(rows)
    stated, refused = identifiers(mentions)
    return Seen(mentions, stated, inbox.gone(connection, period, mentions, events=False), refused)


def _resolve(connection: psycopg.Connection, period: inbox.Since, seen: Seen, report: Report, options: Options) -> None:
    touched = pl.DataFrame(schema=memory.TOUCHED)
    outcomes = _run(connection, period, seen, touched, report, options.matchers)
    if not options.acknowledged and not options.trial:
        guard.judge(connection, outcomes)
    guard.passed(connection, options.acknowledged)
    report.decided = inbox.decided(connection)
    if report.full or report.decided or report.mentions or seen.gone.height or report.evidence:
        inbox.mark_seen(connection, period, _rules(connection))


def _run(
    connection: psycopg.Connection,
    period: inbox.Since,
    seen: Seen,
    touched: pl.DataFrame,
    report: Report,
    given: Matchers | None,
) -> list[Outcome]:
    full = period.at is None
    held = holdings.live(connection, list(PHASES[0]), seen, full=full)
    freed = touched.clear() if full else claimed.released(connection)
    reached = pl.concat([touched, held.aliased, freed])
    said = Said(PHASES[0], seen.mentions, seen.stated, held.rows, seen.gone, reached, full)
    things = phase.run(connection, said, given)
    places.mark_verified(connection)
    started = perf_counter()
    again = [] if full else visiting.changed(connection, period)
    happened = happenings.read(connection, period)
    gone = inbox.gone(connection, period, happened.mentions, events=True)
    shows = Seen(happened.mentions, happened.identifiers, gone, {})
    keys = holdings.live(connection, list(PHASES[1]), shows, full=full)
    report.seconds["events.read"] = round(perf_counter() - started, 3)
    said = Said(PHASES[1], shows.mentions, shows.stated, keys.rows, gone, touched, full)
    events = phase.run(connection, said, given)
    started = perf_counter()
    times = happenings.write_times(connection, happened.times, gone, full=full)
    visited, report.evidence, report.evidence_unused = visiting.follow(connection, period, again)
    report.seconds["visitors"] = round(perf_counter() - started, 3)
    _tell(connection, report, things, events, happened)
    report.written |= {"event_times": times, "visitors": visited}
    return [things, events]


def _tell(
    connection: psycopg.Connection, report: Report, things: Outcome, events: Outcome, happened: happenings.Happenings
) -> None:
    outcomes = (things, events)
    report.outcomes = outcomes
    report.mentions += happened.mentions.height
    report.scope = sum(each.scope for each in outcomes)
    report.unresolved = sum(each.unresolved for each in outcomes)
    report.weak = sum(each.linked.weak.height for each in outcomes)
    counted = connection.execute("select entity_type, count(*) from identity.entities group by 1 order by 2 desc")
    report.entities = dict(counted.fetchall())
    report.changes = Counter(change.kind for each in outcomes for change in each.settled.moves.changes)
    report.judged = Counter(verdict for each in outcomes for verdict in each.judged["judgement"])
    report.rows = {name: _count(connection, name) for name in ("identifiers", "entity_map", "visitors")}
    report.warnings = Counter(happened.times["warning"].drop_nulls())
    for name, each in (("things", things), ("events", events)):
        report.seconds |= {f"{name}.{step}": seconds for step, seconds in each.seconds.items()}
        for table, counts in each.written.items():
            report.written[table] = report.written.get(table, tables.Counts()) + counts


def _count(connection: psycopg.Connection, table: str) -> int:
    (rows,) = connection.execute(
        sql.SQL("select count(*) from {}").format(sql.Identifier("identity", table))
    ).fetchone() or (0,)
    return int(rows)


def _refuse_emptiness(connection: psycopg.Connection) -> None:
    (live,) = connection.execute("select count(*) from identity.entities").fetchone() or (0,)
    said = connection.execute("select exists (select from staging.mentions)").fetchone()
    if live and not (said and said[0]):
        raise TerminalError(
            f"staging.mentions is empty though {live} entities live:"
            " check the sources and the staging models, then run again"
        )


_VIEWS = "select md5(string_agg(definition, '' order by viewname)) from pg_views where schemaname = 'staging'"


def _rules(connection: psycopg.Connection) -> str:
    """Return by what records are read and compared: another rule, view or matcher means that all are read again."""
    used = matchers.versions(connection)
    views = connection.execute(_VIEWS).fetchone()
    return " ".join([RULES, str(views and views[0]), *(used[kind] for kind in sorted(used))])


@contextmanager
def _alone(connection: psycopg.Connection) -> Iterator[None]:
    """Hold the lock of identity decisions over several transactions; a second run waits."""
    name = "hashtext('sonik.identity.run')"
    connection.commit()
    before, connection.autocommit = connection.autocommit, True  # each transaction of the run is one of its own
    connection.execute(f"select pg_advisory_lock({name})")
    try:
        yield
    finally:
        connection.execute(f"select pg_advisory_unlock({name})")
        connection.autocommit = before
