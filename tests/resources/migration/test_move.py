"""A database moved between real servers: all of it arrives, no trigger fires, what is wrong is named."""

import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from resources import embedded
from resources.embedded.urls import with_database
from resources.errors import TerminalError
from resources.migration import tools
from resources.migration.move import Outcome, Stage, move, verify_only
from tests.resources.migration.conftest import AWKWARD, fresh, run
from tests.support.old_postgres import OldPostgres, installed

pytestmark = pytest.mark.long


def silent(_: Stage) -> None:
    pass


def moved(old: str, new: str, *, create_roles: bool = False) -> Outcome:
    return move(old, new, jobs=2, create_roles=create_roles, tell=silent)


def one(url: str, query: str) -> object:
    with psycopg.connect(url, client_encoding="utf8") as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row and len(row) == 1 else row


def dumped(url: str) -> list[str]:
    """Return the whole schema as the newest pg_dump writes it, without what names the server."""
    text = tools.run(tools.find(18), "pg_dump", "--schema-only", "--restrict-key=x", url=url)
    # Up to version 15 a view's columns are written with their table.
    plain = re.sub(r"(?<=[ (])(watched|second|by_hash|b)\.", "", text)
    return [line for line in plain.splitlines() if not line.startswith("-- Dumped")]


@pytest.mark.parametrize("major", [15, 16, 17])
def test_everything_arrives_from_every_version(major: int, new: str) -> None:
    if major not in installed():
        pytest.skip(f"no PostgreSQL {major} on this machine (apt-get install postgresql-{major})")
    with OldPostgres(installed()[major]) as server:
        old = fresh(server.url)
        run(old, AWKWARD)
        done = moved(old, new)
        assert (done.source.major, done.target.major, done.resumed, done.repaired) == (major, 18, False, [])
        assert done.rows == done.copied > 1800
        assert dumped(new) == dumped(old)
        compared, differences = verify_only(old, new, jobs=2, tell=silent)
        assert (differences, len(compared)) == ([], done.tables)


def test_nothing_of_the_move_stays_and_nothing_fired(awkward: str, new: str) -> None:
    moved(awkward, new)
    assert one(new, "select count(*) from pg_namespace where nspname = 'sonik_migration'") == 0
    assert one(new, "select count(*) from public.log") == 0
    assert one(new, "select count(*) from public.watched where note like 'changed%'") == 0
    assert one(new, "select tgenabled from pg_trigger where tgname = 'watched_shout'") == "A"
    assert one(new, "select count(*) from public.second") == 10
    assert one(new, "select rows from public.a_first") == 10
    assert one(new, "select relispopulated from pg_class where relname = 'never_filled'") is False
    assert one(new, "select nextval('public.by_seven'), nextval('public.untouched')") == (114, 41)
    assert one(new, "insert into public.events (happened, note) values ('2024-07-07', 'n') returning id") == 401
    assert one(new, "select lo_get(70001)") == b"\x00\x01\x02\x03"
    assert one(new, "select obj_description(70001, 'pg_largeobject')") == "a picture"
    assert one(new, "select has_largeobject_privilege('pg_monitor', 70002, 'select')") is True
    assert one(new, "select self_table::text from public.every_type where id = 1") == "every_type"
    assert one(new, "select reltuples::int from pg_class where relname = 'watched'") == 1000
    # A hash partition is chosen by the new server's own numbers: each row is where the server looks for it.
    assert one(new, "select count(*) from public.by_hash where feeling = 'happy'") == 100


def test_owners_grants_and_comments_arrive_with_roles_that_were_missing(awkward: str, new: str, role: str) -> None:
    run(awkward, f'alter table public.guarded owner to "{role}"; grant select on public.watched to "{role}"')
    with pytest.raises(TerminalError, match=f'create role "{role}" login createdb bypassrls;'):
        moved(awkward, new)
    moved(awkward, new, create_roles=True)
    assert one(new, "select relowner::regrole::text from pg_class where relname = 'guarded'") == f'"{role}"'
    assert one(new, f"select has_table_privilege('{role}', 'public.watched', 'select')") is True
    assert one(new, "select obj_description('public.guarded'::regclass)") == "who sees what"
    run(new, f'drop owned by "{role}" cascade')


def test_a_target_that_holds_something_is_refused(awkward: str, new: str) -> None:
    run(new, "create table public.mine (id integer)")
    with pytest.raises(TerminalError, match=r"it is not empty: relation public.mine"):
        moved(awkward, new)


def test_a_second_move_into_the_same_target_is_refused(old: str, new: str) -> None:
    run(old, "create table public.t (id integer)")
    moved(old, new)
    with pytest.raises(TerminalError, match="it is not empty"):
        moved(old, new)


def test_a_missing_target_database_is_made(old: str, endpoints: embedded.Endpoints) -> None:
    run(old, "create table public.t as select 7 as seven")
    name = with_database(endpoints.postgres, "moved_into_nothing")
    try:
        moved(old, name)
        assert one(name, "select seven from public.t") == 7
    finally:
        run(endpoints.postgres, "drop database if exists moved_into_nothing with (force)")


def test_an_empty_database_moves(old: str, new: str) -> None:
    assert moved(old, new).tables == 0


def test_a_corrupted_row_is_found_and_named(awkward: str, new: str) -> None:
    moved(awkward, new)
    run(new, "set session_replication_role = replica; update public.watched set note = 'other' where id = 77")
    run(new, "delete from public.computed where id in (3, 4); insert into public.empty_one values (9, 'new')")
    run(new, "drop publication all_of_schema; delete from \"Old Records\".loose where ctid = '(0,1)'")
    run(new, "select setval('public.by_seven', 1)")
    said = " | ".join(verify_only(awkward, new, jobs=2, tell=silent)[1])
    assert "public.watched (1,000 rows in the source, 1,000 in the target; changed: (77))" in said
    assert "public.computed (50 rows in the source, 48 in the target; missing: (3), (4))" in said
    assert "public.empty_one (0 rows in the source, 1 in the target; surplus: (9))" in said
    assert "Old Records.loose (5 rows in the source, 4 in the target; changed: (1,twice))" in said
    assert 'sequence "public"."by_seven" is at (1, True) in the target and (107, True) in the source' in said
    # The trigger that is enabled always wrote this when we changed the row.
    assert "public.log (0 rows in the source, 1 in the target; surplus: (fired))" in said
    assert said.count(" | ") == 5


def test_verifying_changes_nothing(awkward: str, new: str) -> None:
    with pytest.raises(TerminalError, match="the target has no table"):
        verify_only(awkward, new, jobs=2, tell=silent)
    assert one(new, "select count(*) from pg_class where oid >= 16384") == 0


def test_the_source_may_be_written_to_while_it_moves(awkward: str, new: str) -> None:
    def interfere(stage: Stage) -> None:
        if stage.name == "data" and not stage.done and not stage.said:
            run(awkward, "insert into public.empty_one values (1, 'late'); delete from public.watched where id = 5")
            run(awkward, "insert into public.log values ('late')")

    done = move(awkward, new, jobs=2, tell=interfere)
    assert done.repaired == []
    assert one(new, "select count(*) from public.empty_one") == 0
    differences = verify_only(awkward, new, jobs=2, tell=silent)[1]
    assert [each.split(" (")[0] for each in differences] == ["public.empty_one", "public.log"]


def test_a_row_that_the_target_refuses_is_named(old: str, new: str) -> None:
    run(
        old,
        "create function public.fits(n integer) returns boolean language sql immutable as "
        "$$ select n < 5 or current_setting('server_version_num')::int < 180000 $$; "
        "create table public.t (n integer check (public.fits(n))); insert into public.t values (1), (9)",
    )
    with pytest.raises(TerminalError, match=r"cannot copy public.t: new row .* violates check constraint"):
        moved(old, new)


def test_no_password_is_in_a_command_line_or_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], str]] = []
    real = subprocess.run

    def spy(command: list[str], **options: object) -> object:
        environment = options["env"]
        assert isinstance(environment, dict)
        seen.append((command, environment["PGPASSWORD"]))
        return real(command, **options)  # type: ignore[call-overload]

    programs = tools.find(18)
    monkeypatch.setattr(tools.subprocess, "run", spy)
    with pytest.raises(tools.ToolFailed) as raised:
        tools.run(programs, "pg_dump", "-s", url="postgresql://ana:s3cret@/postgres?host=/nowhere")
    assert "s3cret" not in str(raised.value) + " ".join(seen[0][0])
    assert seen[0][1] == "s3cret"


def test_programs_that_are_missing_or_too_old_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tools, "_packaged", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(TerminalError, match="install postgresql-client-18"):
        tools.find(18)
    for program in tools.PROGRAMS:
        (tmp_path / program).write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 15.18'\n")
        (tmp_path / program).chmod(0o755)
    with pytest.raises(TerminalError, match=f"found 15 in {tmp_path}"):
        tools.find(18)
    assert tools.find(15).major == 15


def test_a_column_that_is_computed_otherwise_is_not_called_moved(old: str, new: str) -> None:
    run(
        old,
        "create function public.mine(n integer) returns integer language sql immutable as "
        "$$ select n * (current_setting('server_version_num')::int / 10000) $$; "
        "create table public.t (n integer primary key, m integer generated always as (public.mine(n)) stored); "
        "insert into public.t values (1), (2)",
    )
    with pytest.raises(
        TerminalError, match=r"not the same although just copied: public.t \(2 rows .* changed: \(1\), \(2\)\)"
    ):
        moved(old, new)


def test_an_event_trigger_moves_and_does_not_meddle(old: str, new: str) -> None:
    run(
        old,
        "create table public.t as select 1 as a; create materialized view public.m as select a from public.t; "
        "create function public.never() returns event_trigger language plpgsql as $$ begin raise 'never'; end $$; "
        "create event trigger never on ddl_command_end execute function public.never()",
    )
    assert moved(old, new).rows == 1
    with pytest.raises(psycopg.errors.RaiseException, match="never"):
        run(new, "create table public.u ()")


def test_unlogged_partitioned_tables_become_ordinary_ones(old: str, new: str) -> None:
    run(old, "create unlogged table public.p (a integer) partition by list (a)")
    run(old, "create unlogged table public.p1 partition of public.p for values in (1); insert into public.p values (1)")
    assert moved(old, new).rows == 1
    query = "select relpersistence::text from pg_class where relname = '{}'"
    assert [one(new, query.format(name)) for name in ("p", "p1")] == ["p", "u"]


def test_text_of_another_encoding_arrives_and_compares(oldest: OldPostgres, new: str) -> None:
    old = with_database(oldest.url, "in_latin1")
    run(oldest.url, "create database in_latin1 template template0 encoding 'LATIN1' locale 'C'")
    try:
        run(old, 'create table public."Año" (name text primary key, n integer)')
        run(old, "insert into public.\"Año\" values ('señor', 1), ('plain', 2)")
        assert moved(old, new).rows == 2
        assert one(new, "select n from public.\"Año\" where name = 'señor'") == 1
        run(new, 'update public."Año" set n = 3 where n = 1')
        assert "changed: (señor)" in verify_only(old, new, jobs=1, tell=silent)[1][0]
    finally:
        run(oldest.url, "drop database in_latin1 with (force)")
