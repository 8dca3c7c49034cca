"""The compatibility report on real servers: what stops a move, what deserves a word, and that nothing is changed."""

import re

import psycopg
import pytest

from resources.embedded.urls import with_database
from resources.errors import TerminalError, TransientError
from resources.migration import report
from resources.migration.findings import Severity, some
from resources.migration.move import move, verify_only
from resources.migration.servers import Server, check_pair
from tests.resources.migration.conftest import fresh, run
from tests.resources.migration.test_move import moved, one, silent
from tests.support.old_postgres import OldPostgres, installed


def said(old: str, new: str, severity: Severity = Severity.BLOCKS) -> dict[str, str]:
    """Return the findings of one severity: what was found by area, several joined."""
    found: dict[str, str] = {}
    for each in report.check(old, new).findings:
        if each.severity is severity:
            found[each.area] = f"{found.get(each.area, '')}{each.found} -> {each.fix};"
    return found


def test_an_awkward_source_may_move_and_nothing_is_changed_by_looking(awkward: str, new: str) -> None:
    assert said(awkward, new) == {}
    warned, noted = said(awkward, new, Severity.WARNS), said(awkward, new, Severity.NOTES)
    assert "2 refer to objects of the database" in warned["types"]
    assert "3 partitioned" in noted["tables"]
    assert "1 unlogged" in noted["tables"]
    assert "2 large objects; they keep their numbers: 70001, 70002" in noted["large objects"]
    assert "2 publications" in noted["replication"]
    assert "deferred" not in str(noted)
    assert noted["schema"].startswith("the target takes all of it")
    assert one(new, "select count(*) from pg_class where oid >= 16384") == 0


def test_a_view_of_a_catalogue_column_that_is_gone_is_found_by_the_rehearsal(old: str, new: str) -> None:
    run(old, "create view public.writes as select buffers_backend from pg_stat_bgwriter")
    if "schema" not in said(old, new):
        pytest.skip("the old server is too new to have the column")
    assert re.search(r"does not take view public.writes: column \S*buffers_backend does not", said(old, new)["schema"])
    with pytest.raises(TerminalError, match=r"the move is blocked: schema: .* view public.writes"):
        moved(old, new)


def test_a_function_that_finds_nothing_without_its_search_path_is_warned_of(old: str, new: str) -> None:
    run(old, "create table public.t (n integer); create function public.f() returns bigint language sql as 'select 1'")
    run(old, "create materialized view public.m as select public.f() as f")
    assert "materialized views over functions without a search_path" in said(old, new, Severity.WARNS)["version 17"]


def test_an_extension_that_the_target_lacks_blocks(old: str, new: str) -> None:
    if not one(old, "select count(*) from pg_available_extensions where name = 'hstore'"):
        pytest.skip("the old server has no contrib modules")
    run(old, "create extension hstore schema public; create table public.t (h public.hstore)")
    assert said(old, new).keys() == {"extensions"}
    assert "hstore 1.8 is not available in the target -> install it" in said(old, new)["extensions"]


def test_vectors_move_with_their_extension_and_index(new: str) -> None:
    if 16 not in installed():
        pytest.skip("no PostgreSQL 16 with pgvector on this machine")
    with OldPostgres(installed()[16]) as server:
        old = fresh(server.url)
        if not one(old, "select count(*) from pg_available_extensions where name = 'vector'"):
            pytest.skip("the PostgreSQL 16 of this machine has no pgvector")
        run(
            old,
            "create extension vector; create table v (id int primary key, e vector(3), h halfvec(2), l vector[])",
        )
        run(old, "insert into public.v values (1, '[0.1,2,3]', '[1,2]', array['[1]'::vector]), (2, null, null, null)")
        run(old, "create index on public.v using hnsw (e vector_l2_ops)")
        run(new, "create extension vector")  # a target that has it already is still empty
        assert moved(old, new).rows == 2
        assert verify_only(old, new, jobs=1, tell=silent)[1] == []
        assert one(new, "select id from public.v order by e operator(public.<->) '[0,2,3]' limit 1") == 1


def test_an_icu_collation_and_xml_block_where_the_target_was_built_without(old: str, new: str) -> None:
    if not one(old, "select count(*) > 1 from pg_collation where collprovider = 'i'"):
        pytest.skip("the old server has no ICU")
    run(old, 'create table public.t (a text collate "es-x-icu", b xml)')
    if one(new, "select count(*) > 1 from pg_collation where collprovider = 'i'"):
        pytest.skip("the new server has ICU")
    assert "the target does not know es-x-icu" in said(old, new)["collation"]
    assert "public.t.b hold it" in said(old, new)["types"]


def test_what_cannot_be_carried_is_named(old: str, new: str) -> None:
    run(old, "create table public.t (id integer); select pg_create_physical_replication_slot('move_slot')")
    database = one(old, "select current_database()")
    run(old, f"alter database {database} set statement_timeout = '7s'; alter role postgres set work_mem = '5MB'")
    with psycopg.connect(old) as preparing:
        preparing.execute("insert into public.t values (1)")
        preparing.execute("prepare transaction 'half'")
    try:
        warned, noted = said(old, new, Severity.WARNS), said(old, new, Severity.NOTES)
    finally:
        run(old, "rollback prepared 'half'")
        run(old, "select pg_drop_replication_slot('move_slot'); alter role postgres reset work_mem")
    assert "move_slot" in warned["replication"]
    assert "1 prepared transactions" in warned["transactions"]
    assert f"alter database {database} set statement_timeout = '7s'" in noted["settings"]
    assert "alter role postgres set work_mem = '5MB'" in noted["settings"]


def test_a_user_who_may_not_read_everything_is_told_what(old: str, new: str) -> None:
    name = f"reader_{one(old, 'select current_database()')}"
    run(old, "create table public.open (id integer); create table public.closed (id integer); create schema hidden")
    run(old, "create table hidden.away (id integer); create table public.ruled (id integer)")
    run(old, f"alter table public.ruled enable row level security; create role {name} login")
    run(old, f"grant select on public.open, public.ruled to {name}")
    as_reader = old.replace("postgres@", f"{name}@")
    assert "may not read all of hidden.away, public.closed, public.ruled" in said(as_reader, new)["permissions"]
    run(old, f"drop owned by {name}; drop role {name}")


def test_a_target_that_is_yet_to_be_made_is_told_of(old: str, new: str) -> None:
    run(old, "create table public.t (id integer)")
    found = report.check(old, with_database(new, "made_by_the_move"))
    assert found.blocked == []
    assert "into a database that the move creates" in found.findings[0].found
    assert found.target.name.startswith("postgresql://postgres@/made_by_the_move?")


def test_a_pair_that_makes_no_move_is_refused(old: str, new: str) -> None:
    with pytest.raises(TerminalError, match="are the same database"):
        report.check(new, new)
    with pytest.raises(TerminalError, match=r"the source is newer than the target \(PostgreSQL 18 and 1[567]\)"):
        report.check(new, old)
    with pytest.raises(TerminalError, match="the source is PostgreSQL 14"):
        check_pair(Server("", 140001, "1", "a"), Server("", 180000, "2", "a"))
    with pytest.raises(TransientError, match="cannot be reached"):
        report.check("postgresql://ana:s3cret@/x?host=/nowhere", new)
    with pytest.raises(TerminalError, match="a server is named by a URL"):
        move("host=x password=s3cret", new, jobs=1, tell=silent)


def test_the_same_version_may_move_too(database: str, new: str) -> None:
    twin = with_database(database, f"{one(database, 'select current_database()')}_twin")
    run(database, "create table public.t as select 1 as a, 2 as b")
    try:
        assert moved(database, twin).rows == 1
        assert one(twin, "select a + b from public.t") == 3
    finally:
        run(database, f"drop database {one(twin, 'select current_database()')} with (force)")


def test_names_of_a_sentence_are_few() -> None:
    assert some(list("abc")) == "a, b, c"
    assert some(list("abc"), 2) == "a, b and 1 more"
