"""`sonik migrate-postgres` as a person types it. What it does is tested in tests/resources/migration."""

import json
import re
from collections.abc import Iterator

import psycopg
import pytest
from click.testing import Result
from typer.testing import CliRunner

from resources.errors import SonikError
from sonik_assets import cli
from tests.support.old_postgres import OldPostgres, installed


@pytest.fixture(scope="module")
def old() -> Iterator[str]:
    found = installed()
    if not found:
        pytest.skip("no PostgreSQL 15 to 17 on this machine: apt-get install postgresql-15")
    with OldPostgres(next(iter(found.values()))) as server:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("create table public.venue (id integer primary key, name text)")
            connection.execute("insert into public.venue select i, 'club ' || i from generate_series(1, 500) as i")
        yield server.url


def sonik(*words: str) -> Result:
    return CliRunner().invoke(cli.build(), ["migrate-postgres", *words], env={"COLUMNS": "120"})


def flat(text: str) -> str:
    return " ".join(text.split())


def test_check_then_move_then_verify(old: str, database: str) -> None:
    pair = ("--from", old, "--to", database)
    checked = sonik(*pair, "--check")
    assert checked.exit_code == 0
    assert "nothing is in the way: run the same command without --check" in checked.output
    assert not sonik(*pair, "--verify").stdout
    done = sonik(*pair)
    assert done.exit_code == 0
    assert [line.split()[0] for line in done.stderr.splitlines()] == [
        "report",
        "schema",
        "data",
        "verify",
        "indexes",
        "finish",
    ]
    assert re.search(r"data +500 rows +[\d.]+ s +1 table", done.stderr)
    assert re.search(r"moved and verified: 500 rows in 1 table from PostgreSQL 1[567] to 18\nnext: point", done.stdout)
    assert "all is the same: 500 rows in 1 table" in sonik(*pair, "--verify").stdout


def test_json_is_all_that_is_printed(old: str, database: str) -> None:
    pair = ("--from", old, "--to", database, "--json")
    checked = json.loads(sonik(*pair, "--check").stdout)
    assert (checked["blocked"], checked["target"]["version"] // 10000) == (False, 18)
    assert {"severity", "area", "found", "fix"} == checked["findings"][0].keys()
    done = sonik(*pair)
    assert done.stderr == ""
    assert {"tables": 1, "rows": 500, "copied": 500, "repaired": [], "resumed": False}.items() <= json.loads(
        done.stdout
    ).items()
    with psycopg.connect(database) as connection:
        connection.execute("update public.venue set name = 'closed' where id = 3")
    verified = sonik(*pair, "--verify")
    assert verified.exit_code == 1
    found = json.loads(verified.stdout)
    assert found["same"] is False
    assert "public.venue" in found["differences"][0]
    assert "changed: (3)" in found["differences"][0]
    assert found["tables"] == [{"table": "public.venue", "source_rows": 500, "target_rows": 500, "same": False}]


def test_what_blocks_is_a_table_and_exit_code_1(old: str, database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("create table public.mine (id integer)")
    checked = sonik("--from", old, "--to", database, "--check")
    assert checked.exit_code == 1
    assert "it is not empty: relation public.mine" in flat(checked.output)
    assert "blocked by 1: put that right, then run --check again" in checked.output
    assert json.loads(sonik("--from", old, "--to", database, "--check", "--json").stdout)["blocked"] is True


def test_urls_may_come_from_the_environment_and_no_password_is_shown(
    old: str, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SONIK_MIGRATE_FROM", old.replace("postgres@", "postgres:s3cret@"))
    monkeypatch.setenv("SONIK_MIGRATE_TO", database.replace("postgres@", "postgres:s3cret@"))
    printed = [sonik(*words) for words in (("--check",), ("--check", "--json"), (), ("--verify", "--json"))]
    assert [each.exit_code for each in printed] == [0, 0, 0, 0]
    assert "s3cret" not in "".join(each.output for each in printed)
    assert "postgres:***@" in printed[2].stdout


def test_misuse_is_told(old: str, database: str) -> None:
    both = sonik("--from", old, "--to", database, "--check", "--verify")
    assert both.exit_code == 2
    assert "choose one of --check and --verify" in flat(both.output.replace("│", " "))
    failed = sonik("--from", old, "--to", old)
    assert isinstance(failed.exception, SonikError)
    assert "are the same database" in str(failed.exception)
