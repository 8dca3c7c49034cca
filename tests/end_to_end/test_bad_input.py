"""Commands that cannot work: one line that says what to do, the right exit code, and no secret in it."""

from pathlib import Path

import pytest

from tests.support.demos import Demo

SECRET = "hunter2"  # noqa: S105 - not one of ours


def test_a_missing_folder_is_named_with_what_to_do(first: Demo, tmp_path: Path) -> None:
    done = first.sonik("demo", "--exports", str(tmp_path / "nowhere"))
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert str(tmp_path / "nowhere") in done.stderr
    assert "--exports DIR" in done.stderr


@pytest.mark.parametrize("days", ["yesterday", "2026-13-01", "2026-11-05..2026-11-01", "1999-01-01..1999-01-02"])
def test_wrong_days_are_wrong_usage(first: Demo, days: str) -> None:
    done = first.sonik("run", "--partitions", days)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no range of days" in " ".join(done.stderr.split())


@pytest.mark.parametrize("name", ["SONIK_POSTGRES_URL", "SONIK_FALKORDB_URL", "SONIK_REDIS_URL"])
def test_a_dead_server_is_one_line_and_leaves_all_as_it_was(first: Demo, name: str, tmp_path: Path) -> None:
    urls = {"SONIK_POSTGRES_URL": f"postgresql://postgres@/sonik?host={tmp_path}"}
    before = first.downstream()
    done = first.sonik("run", "--partitions", "2026-11-01", **{name: urls.get(name, f"unix://{tmp_path}/redis.sock")})
    assert (done.returncode, done.stdout) == (1, "")
    assert sum(line.startswith("sonik: ") for line in done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr
    assert first.downstream() == before


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://sonik:{SECRET}@127.0.0.1:1/sonik",
        f"postgresql://sonik:{SECRET}%ZZ@127.0.0.1:1/sonik",
        f"postgresql://sonik:{SECRET}/x@127.0.0.1:1/sonik",
        f"postgresql://sonik:{SECRET}[x@127.0.0.1:1/sonik",
        f"postgresql://sonik:{SECRET}@127.0.0.1:port/sonik",
        f"postgresql://127.0.0.1:1/sonik?user=sonik&password={SECRET}",
    ],
)
@pytest.mark.parametrize("command", ["demo", "status"])
def test_a_password_is_in_no_message_and_no_log(first: Demo, url: str, command: str) -> None:
    done = first.sonik(command, SONIK_POSTGRES_URL=url)
    assert done.returncode == 1
    assert SECRET not in done.stdout + done.stderr
    folders = (first.home / name for name in ("logs", "dagster", "dbt"))
    written = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    assert written
    assert [path for path in written if SECRET.encode() in path.read_bytes()] == []


def test_an_unknown_option_is_wrong_usage(first: Demo) -> None:
    assert first.sonik("demo", "--no-such-option").returncode == 2
