"""A move that was killed: the same command goes on, no row is doubled, and what changed meanwhile is copied again.

A function that sleeps on the new server only makes the moment of the kill a choice: in a generated column it slows
the copy down, in an index the time after it.
"""

import subprocess
import sys
import time
from collections.abc import Callable

import psycopg
import pytest

from resources.errors import TerminalError
from resources.migration import report, state
from resources.migration.move import Outcome, Stage, move, verify_only
from resources.migration.servers import APPLICATION, identify
from resources.settings import ROOT
from tests.resources.migration.conftest import run
from tests.resources.migration.test_move import dumped, one, silent

pytestmark = pytest.mark.long

SLOWLY = """
create function public.slowly(n integer) returns integer language plpgsql immutable as $$ begin
    if current_setting('server_version_num')::int >= 180000 then perform pg_sleep(0.02); end if;
    return n;
end $$;
"""
SMALL_PARTS = (
    "import sys; from resources.migration import plan; plan.ranges.__defaults__ = (1,); "
    "sys.argv[0] = 'sonik'; from sonik_assets.cli import main; main()"
)
TABLES = """
create table public.quick (id integer primary key, note text);
insert into public.quick select i, 'note ' || i from generate_series(1, 3000) as i;
create table public.other (id integer primary key, quick integer references public.quick);
insert into public.other select i, i from generate_series(1, 1000) as i;
create function public.shout() returns trigger language plpgsql
as $$ begin raise exception 'a trigger fired'; end $$;
"""
TRIGGER = """
create trigger shout before insert or update or delete on public.quick for each row execute function public.shout();
alter table public.quick enable always trigger shout;
"""


def killed_when(old: str, new: str, reached: Callable[[psycopg.Connection], bool]) -> None:
    """Start a move with small parts and kill it, not its children, once the target is as far as that."""
    command = [sys.executable, "-c", SMALL_PARTS, "migrate-postgres", "--from", old, "--to", new]
    with (
        subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process,
        psycopg.connect(new, autocommit=True) as watching,
    ):
        deadline = time.monotonic() + 60
        while not reached(watching):
            assert process.poll() is None, process.stdout and process.stdout.read().decode()
            assert time.monotonic() < deadline, "it never came so far"
            time.sleep(0.01)
        process.kill()


def parts_copied(table: str, least: int) -> Callable[[psycopg.Connection], bool]:
    def reached(watching: psycopg.Connection) -> bool:
        if watching.execute("select to_regclass('sonik_migration.parts')").fetchone() == (None,):
            return False
        query = "select count(*) from sonik_migration.parts where copied_at is not null and table_name = %s"
        row = watching.execute(query, (table,)).fetchone()
        return bool(row and row[0] >= least)

    return reached


def relation_exists(name: str) -> Callable[[psycopg.Connection], bool]:
    return lambda watching: watching.execute("select to_regclass(%s)", (name,)).fetchone() != (None,)


def resumed(old: str, new: str) -> Outcome:
    done = move(old, new, jobs=2, tell=silent)
    assert done.resumed
    assert verify_only(old, new, jobs=2, tell=silent)[1] == []
    assert dumped(new) == dumped(old)
    return done


@pytest.fixture
def slow_copy(old: str) -> str:
    """Return a source whose table `slow` takes the target more than two seconds, in several parts."""
    computed = "create table public.slow (n integer, pad text, s integer generated always as (public.slowly(n)) stored)"
    fill = "insert into public.slow select i, repeat('x', 900) from generate_series(1, 120) as i"
    run(old, SLOWLY + TABLES + TRIGGER + computed + ";" + fill)
    return old


@pytest.fixture
def slow_index(old: str) -> str:
    """Return a source whose last index takes the target a second."""
    table = "create table public.slow as select i as n from generate_series(1, 60) as i"
    run(old, SLOWLY + TABLES + TRIGGER + table + "; create index slow_index on public.slow (public.slowly(n))")
    return old


def test_a_killed_copy_goes_on_without_copying_what_is_there(slow_copy: str, new: str) -> None:
    def far(watching: psycopg.Connection) -> bool:
        return parts_copied("slow", 2)(watching) and parts_copied("quick", 10)(watching)

    killed_when(slow_copy, new, far)
    before = one(new, "select sum(row_count)::int from sonik_migration.parts")
    done = resumed(slow_copy, new)
    assert isinstance(before, int)
    assert 0 < done.copied <= done.rows - before
    assert (done.rows, done.repaired) == (4120, [])


def test_tables_that_changed_meanwhile_are_copied_again(slow_copy: str, new: str) -> None:
    def far(watching: psycopg.Connection) -> bool:
        return parts_copied("other", 2)(watching) and parts_copied("slow", 1)(watching)

    killed_when(slow_copy, new, far)
    # The same number of rows, a row that moves to another block, a parent that goes with its child.
    run(slow_copy, "alter table public.quick disable trigger shout")
    run(slow_copy, "delete from public.other where id <= 3; delete from public.quick where id = 2")
    run(slow_copy, "insert into public.quick values (4001, 'new'); insert into public.other values (4001, 4001)")
    run(slow_copy, "alter table public.quick enable always trigger shout; update public.slow set n = 0 where n = 1")
    done = resumed(slow_copy, new)
    assert set(done.repaired) >= {"public.other"}
    assert (done.rows, one(new, "select count(*) from public.other")) == (4118, 998)


def test_a_killed_index_build_goes_on_and_keeps_finished_indexes(slow_index: str, new: str) -> None:
    killed_when(slow_index, new, relation_exists("public.quick_pkey"))
    time.sleep(0.3)
    before = one(new, "select 'public.quick_pkey'::regclass::oid")
    done = resumed(slow_index, new)
    assert (done.copied, done.repaired) == (0, [])
    assert one(new, "select 'public.quick_pkey'::regclass::oid") == before


def test_changes_after_indexes_were_built_are_copied_without_firing_triggers(slow_index: str, new: str) -> None:
    def late(watching: psycopg.Connection) -> bool:
        found = watching.execute("select to_regclass('public.quick_pkey'), to_regclass('public.other_pkey')")
        return None not in (found.fetchone() or (None,))

    killed_when(slow_index, new, late)
    run(slow_index, "alter table public.quick disable trigger shout; update public.quick set note = 'n' where id < 9")
    run(slow_index, "alter table public.quick enable always trigger shout; update public.other set quick = 7")
    assert sorted(resumed(slow_index, new).repaired) == ["public.other", "public.quick"]
    with pytest.raises(psycopg.errors.RaiseException, match="a trigger fired"):
        run(new, "delete from public.quick")


def test_what_a_killed_program_left_running_is_ended(old: str, new: str) -> None:
    run(old, "create table public.t as select 1 as a")
    orphan = psycopg.connect(new, application_name=APPLICATION)
    orphan.execute("create table public.t (a integer)")  # and never commits
    with psycopg.connect(new, autocommit=True) as target:
        digest = _digest(old, new)
        state.begin(target, identify(old), digest)
    assert resumed(old, new).rows == 1
    with pytest.raises(psycopg.OperationalError):
        orphan.execute("select 1")


def _digest(old: str, new: str) -> str:
    """Return the digest of a source's schema, found by beginning a move that stops at once."""

    class StopError(Exception):
        pass

    def stop(stage: Stage) -> None:
        if stage.name == "data":
            raise StopError

    with pytest.raises(StopError):
        move(old, f"{new.replace('test_', 'probe_')}", jobs=1, tell=stop)
    probe = new.replace("test_", "probe_")
    found = one(probe, "select schema_digest from sonik_migration.moves")
    run(new, f"drop database {identify(probe).database} with (force)")
    assert isinstance(found, str)
    return found


def test_another_source_or_another_schema_is_refused(slow_copy: str, new: str) -> None:
    killed_when(slow_copy, new, parts_copied("quick", 1))
    with pytest.raises(TerminalError, match="in the middle of a move from another database"):
        move(new.replace(identify(new).database, "postgres"), new, jobs=1, tell=silent)
    run(slow_copy, "create table public.added (id integer)")
    with pytest.raises(TerminalError, match="schema has changed since this move began"):
        move(slow_copy, new, jobs=1, tell=silent)
    run(slow_copy, "drop table public.added")
    assert resumed(slow_copy, new).rows == 4120


def test_two_moves_into_one_target_exclude_each_other(old: str, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "LOCK_SECONDS", 0.2)
    with psycopg.connect(new, autocommit=True) as first:
        state.lock(first)
        with pytest.raises(TerminalError, match="another `sonik migrate-postgres`"):
            move(old, new, jobs=1, tell=silent)


def test_a_check_of_a_target_in_the_middle_of_a_move_says_so(slow_copy: str, new: str) -> None:
    killed_when(slow_copy, new, parts_copied("quick", 1))
    assert [each.found for each in report.check(slow_copy, new).blocked] == ["a move into it has begun and not ended"]


def test_a_constraint_that_the_source_breaks_is_named_and_can_be_put_right(old: str, new: str) -> None:
    run(old, TABLES + "set session_replication_role = replica; insert into public.other values (5000, -1)")
    with pytest.raises(TerminalError, match=r'"other_quick_fkey" DETAIL: Key \(quick\)=\(-1\) is not present'):
        move(old, new, jobs=2, tell=silent)
    run(old, "delete from public.other where id = 5000")
    assert resumed(old, new).repaired == ["public.other"]


def test_what_was_finished_early_follows_the_rows_that_are_copied_again(old: str, new: str) -> None:
    run(old, TABLES + "create materialized view public.b as select count(*) as n from public.quick")
    run(old, "create materialized view public.a as select n from public.b; select lo_from_bytea(70001, 'right')")

    class StopError(Exception):
        pass

    def stop(stage: Stage) -> None:
        if stage.name == "finish":
            raise StopError

    with pytest.raises(StopError):
        move(old, new, jobs=2, tell=stop)
    run(new, "refresh materialized view public.b; refresh materialized view public.a")
    run(new, "select lo_from_bytea(70001, 'half'), lo_from_bytea(70009, 'unknown')")
    run(old, "insert into public.quick values (9999, 'late')")
    assert resumed(old, new).repaired == ["public.quick"]
    assert one(new, "select n from public.a") == 3001
    assert one(new, "select lo_get(70001)") == b"right"
    assert one(new, "select count(*) from pg_largeobject_metadata") == 1
