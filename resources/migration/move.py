"""A move from beginning to end: report, tables, rows, verification, indexes, and the last touches.

Every step can be repeated: a killed move is started again by the same command and goes on where it was.
"""

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from resources.embedded import databases
from resources.errors import TerminalError
from resources.migration import checks, copying, finishing, large_objects, report, schema, state, tools, verify
from resources.migration.catalogue import Unit, hold, units
from resources.migration.findings import Severity, counted
from resources.migration.servers import APPLICATION, Server, Session, check_pair, describe, explained, readable, session
from resources.migration.verify import Compared, Difference
from resources.migration.workers import Workers

STAGES = ("report", "schema", "data", "verify", "repair", "indexes", "finish")


@dataclass
class Stage:
    """A step of a move, as it is shown."""

    name: str
    total: int = 0
    done: int = 0
    """Rows."""
    seconds: float = 0.0
    said: str = ""


type Tell = Callable[[Stage], None]


@dataclass
class Outcome:
    """What a move did."""

    source: Server
    target: Server
    resumed: bool = False
    tables: int = 0
    rows: int = 0
    """Rows that the target holds, all verified."""
    copied: int = 0
    """Rows that this attempt copied."""
    repaired: list[str] = field(default_factory=list)
    """Tables that the source had changed since they were copied."""
    stages: list[Stage] = field(default_factory=list)


def move(source_url: str, target_url: str, *, jobs: int, create_roles: bool = False, tell: Tell) -> Outcome:
    """Move a database, or go on with a move. Raises TerminalError with what to do where it cannot."""
    databases.ensure(readable(target_url))
    with explained(), session(readable(source_url)) as source, session(readable(target_url)) as target:
        outcome = Outcome(describe(readable(source_url), source), describe(readable(target_url), target))
        check_pair(outcome.source, outcome.target)
        with tempfile.TemporaryDirectory(prefix="sonik-move-") as folder:
            _Move(source, target, outcome, Path(folder), jobs, tell).run(create_roles=create_roles)
    return outcome


class _Move:
    """The steps and what they share. `source` and all workers see the snapshot that `_look` takes."""

    def __init__(self, source: Session, target: Session, outcome: Outcome, folder: Path, jobs: int, tell: Tell) -> None:
        self.source, self.target, self.outcome, self.folder, self.jobs = source, target, outcome, folder, jobs
        self.tools = tools.find(outcome.target.major)
        self._tell, self._stage, self._since = tell, Stage(""), 0.0

    def run(self, *, create_roles: bool) -> None:
        """Do all of it."""
        state.lock(self.target)
        state.end_leftovers(self.target, APPLICATION)
        begun = state.begun(self.target)
        self.outcome.resumed = begun is not None
        if begun is None:
            self._report(create_roles=create_roles)
        else:
            state.check_same(begun, self.outcome.source)
        snapshot, found = _look(self.source, self.target)
        made = self._schema(begun, snapshot)
        with Workers(self.outcome.source.url, self.outcome.target.url, snapshot, self.jobs) as workers:
            self._data(workers, found)
            self._verify(workers, found)
        self._indexes(made)
        self._finish()

    def _report(self, *, create_roles: bool) -> None:
        self._start("report")
        if create_roles:
            for statement in checks.role_statements(self.source, checks.missing_roles(self.source, self.target)):
                self.target.execute(statement.encode())
        found = report.compare(self.source, self.target)
        if not any(each.severity is Severity.BLOCKS for each in found):
            found += report.rehearsal(self.outcome.source, self.outcome.target)
        if refused := [each for each in found if each.severity is Severity.BLOCKS]:
            reasons = "; ".join(f"{each.area}: {each.found} ({each.fix})" for each in refused)
            raise TerminalError(f"the move is blocked: {reasons}")
        warned = sum(each.severity is Severity.WARNS for each in found)
        self._end(f"{counted(warned, 'warning')} (--check shows them)" if warned else "nothing in the way")

    def _schema(self, begun: state.Move | None, snapshot: str) -> schema.Dump:
        self._start("schema")
        made = schema.dump(self.tools, self.outcome.source, self.folder, snapshot)
        if begun is None:
            state.begin(self.target, self.outcome.source, made.digest)
        else:
            state.check_same(begun, self.outcome.source, made.digest)
        if begun is None or not begun.schema_moved:
            schema.move_tables(self.tools, self.outcome.target, made)
        self._end("tables, types, functions, views")
        return made

    def _data(self, workers: Workers, found: list[Unit]) -> None:
        parts = state.plan(self.target, found)
        self._start("data", total=_expected(self.source, {part.unit for part in parts}))
        self.outcome.copied = copying.copy_parts(workers, parts, self._advance)
        self.outcome.tables = len(found)
        kept = len(found) - len({part.unit for part in parts})
        self._end(counted(len(found), "table") + (f", {kept:,} of them copied before" if kept else ""))

    def _verify(self, workers: Workers, found: list[Unit]) -> None:
        """Compare everything, and copy again what the source has changed since an earlier attempt."""
        compared = self._compare(workers, found)
        if changed := [each.unit for each in compared if not each.same]:
            self._start("repair", total=sum(each.source.rows for each in compared if not each.same))
            schema.loosen(self.target)
            self.outcome.copied += copying.copy_again(workers, changed, self._advance)
            self.outcome.repaired = [unit.label for unit in changed]
            self._end(f"copied again: {', '.join(self.outcome.repaired)}")
            again = self._compare(workers, changed)
            if not all(each.same for each in again):
                raise TerminalError(_differing(verify.differences(workers, again)))
            compared = [each for each in compared if each.same] + again
        self.outcome.rows = sum(each.target.rows for each in compared)

    def _compare(self, workers: Workers, found: list[Unit]) -> list[Compared]:
        self._start("verify", total=_expected(self.source, set(found)))
        compared = verify.compare(workers, found, self._advance)
        differing = sum(not each.same for each in compared)
        self._end(f"{differing:,} of {len(found):,} differ" if differing else "rows and checksums agree")
        return compared

    def _indexes(self, made: schema.Dump) -> None:
        self._start("indexes")
        schema.finish(self.tools, self.source, self.target, self.outcome.target, made, self.jobs)
        self._end("indexes, constraints, triggers, policies")

    def _finish(self) -> None:
        self._start("finish")
        ends = (self.outcome.source, self.source), (self.outcome.target, self.target)
        objects = large_objects.move(self.tools, *ends, self.folder)
        views = finishing.refresh_views(self.source, self.target)
        sequences = finishing.set_sequences(self.source, self.target)
        finishing.analyze(self.target)
        state.finish(self.target)
        counts = (sequences, "sequence"), (views, "materialized view"), (objects, "large object")
        self._end(", ".join([*(counted(*each) for each in counts if each[0]), "statistics"]))

    def _start(self, name: str, *, total: int = 0) -> None:
        self._stage, self._since = Stage(name, total), time.monotonic()
        self._tell(self._stage)

    def _advance(self, rows: int) -> None:
        self._stage.done += rows
        self._tell(self._stage)

    def _end(self, said: str) -> None:
        self._stage.seconds, self._stage.said = time.monotonic() - self._since, said
        self.outcome.stages.append(self._stage)
        self._tell(self._stage)


def verify_only(source_url: str, target_url: str, *, jobs: int, tell: Tell) -> tuple[list[Compared], list[str]]:
    """Compare two databases; return every unit's sums and the differences as sentences. It changes neither."""
    with explained(), session(readable(source_url)) as source, session(readable(target_url)) as target:
        pair = describe(readable(source_url), source), describe(readable(target_url), target)
        check_pair(*pair)
        stage, since = Stage("verify"), time.monotonic()
        snapshot, found = _look(source, target)
        stage.total = _expected(source, set(found))

        def advance(rows: int) -> None:
            stage.done += rows
            tell(stage)

        with Workers(pair[0].url, pair[1].url, snapshot, jobs) as workers:
            compared = verify.compare(workers, found, advance)
            said = [str(each) for each in verify.differences(workers, compared)]
        said += verify.sequences(source, target)
        if large_objects.summed(source) != large_objects.summed(target):
            said.append("large objects differ in number or content")
        stage.seconds, stage.said = time.monotonic() - since, counted(len(said), "difference") if said else "all agrees"
        tell(stage)
    return compared, said


def _look(source: Session, target: Session) -> tuple[str, list[Unit]]:
    """Fix what the source is for this attempt; return the snapshot's name and what is to be copied.

    The lock comes before the snapshot: one that is older would see a table that was emptied in between as empty.
    """
    known = units(source, target)
    source.execute("begin isolation level repeatable read read only")
    hold(source, known)
    snapshot = source.execute("select pg_export_snapshot()").fetchone()
    return str((snapshot or ("",))[0]), units(source, target)


def _expected(source: Session, wanted: set[Unit]) -> int:
    """Return about how many rows there are, by the planner's statistics."""
    row = source.execute(
        "select coalesce(sum(greatest(c.reltuples, 0)), 0)::int8 from unnest(%s::text[], %s::text[]) as w (s, t) "
        "join pg_namespace as n on n.nspname = w.s join pg_class as c on c.relnamespace = n.oid and c.relname = w.t",
        ([unit.schema for unit in wanted], [unit.name for unit in wanted]),
    ).fetchone()
    return row[0] if row else 0


def _differing(found: list[Difference]) -> str:
    return (
        f"not the same although just copied: {'; '.join(map(str, found))}. Something else "
        "writes to the target, or a generated column is computed otherwise there"
    )
