"""What `up` and `down` promise, on real servers: one set, found again, recovered, replaceable."""

import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
import redis

from resources import embedded
from resources.embedded import account, postgres, processes
from resources.embedded import redis as redis_server
from resources.embedded.layout import Layout
from resources.errors import TerminalError, TransientError
from resources.settings import ROOT, Settings
from tests.support.homes import environment, settings_of, starter


def running(home: Path) -> tuple[list[int], list[int]]:
    """Return the pids of every PostgreSQL and every Redis that serves this home."""
    layout = Layout(home)
    return (
        processes.leftovers(program="postgres", marker=f"-D {layout.postgres_data}"),
        processes.leftovers(program="redis-server", marker=f"unixsocket:{layout.redis_socket}"),
    )


def write(found: embedded.Endpoints) -> None:
    with psycopg.connect(found.postgres) as connection:
        connection.execute("create table kept as select 1 as x")
    with redis.Redis.from_url(found.redis) as client:
        client.execute_command("GRAPH.QUERY", "kept", "CREATE (:X {x: 1})")
        client.execute_command("WAITAOF", 1, 0, 5000)


def assert_written(found: embedded.Endpoints) -> None:
    with psycopg.connect(found.postgres) as connection:
        assert connection.execute("select x from kept").fetchall() == [(1,)]
    with redis.Redis.from_url(found.redis) as client:
        assert client.execute_command("GRAPH.QUERY", "kept", "MATCH (n:X) RETURN n.x")[1] == [[1]]


def test_postgres_is_as_the_change_feed_and_vectors_need_it(database: str) -> None:
    with psycopg.connect(database) as connection:
        shown = connection.execute(
            "select current_setting('wal_level'), current_setting('listen_addresses'),"
            " current_setting('server_version_num')::int / 10000"
        ).fetchone()
        assert shown == ("logical", "", 18)
        connection.execute("create extension vector")
        assert connection.execute("select lower('ÁÉÑ')").fetchone() == ("áéñ",)


def test_nothing_listens_on_a_network(settings: Settings) -> None:
    import psutil

    for pids in running(settings.home):
        assert len(pids) == 1
        assert psutil.Process(pids[0]).net_connections("inet") == []


def test_five_starts_at_once_make_one_set(home: Path) -> None:
    started = [
        subprocess.Popen(starter(), cwd=ROOT, env=environment(home), stdout=subprocess.DEVNULL) for _ in range(5)
    ]
    assert [process.wait(60) for process in started] == [0] * 5
    assert [len(pids) for pids in running(home)] == [1, 1]


def test_servers_outlive_a_killed_starter(home: Path) -> None:
    process = subprocess.Popen(
        starter("import time; time.sleep(60)"), cwd=ROOT, env=environment(home), stdout=subprocess.PIPE
    )
    assert process.stdout
    assert process.stdout.readline() == b"up\n"
    before = running(home)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    write(embedded.endpoints(settings_of(home)))
    assert_written(embedded.up(settings_of(home)))
    assert running(home) == before


@pytest.mark.parametrize("seconds", [0.6, 1.2])
def test_a_starter_killed_midway_leaves_nothing_that_stops_the_next(home: Path, seconds: float) -> None:
    process = subprocess.Popen(
        starter(), cwd=ROOT, env=environment(home), stdout=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(seconds)
    process.kill()
    process.wait()
    write(embedded.up(settings_of(home)))
    assert [len(pids) for pids in running(home)] == [1, 1]


def ask_until_down(settings: Settings) -> None:
    """Ask where the servers are for 5 s: on a busy machine a killed one's socket lives a moment longer."""
    for _ in range(100):
        embedded.endpoints(settings)
        time.sleep(0.05)


def test_stale_pid_and_socket_files_are_recovered(home: Path) -> None:
    settings, layout = settings_of(home), Layout(home)
    write(embedded.up(settings))
    for pids in running(home):
        os.kill(pids[0], signal.SIGKILL)
        while processes.leftovers(program="", marker=str(home), among=pids):
            time.sleep(0.01)
    with pytest.raises(TransientError, match="not running: run `sonik up`"):
        ask_until_down(settings)
    # The worst case: both numbers now belong to another living process.
    pid_file = layout.postgres_data / "postmaster.pid"
    pid_file.write_text(pid_file.read_text().replace(pid_file.read_text().split()[0], str(os.getpid()), 1))
    layout.redis_pid_file.write_text(str(os.getpid()))
    assert layout.postgres_socket.exists()
    assert layout.redis_socket.exists()
    assert_written(embedded.up(settings))


def test_a_lost_pid_file_does_not_make_a_second_server(home: Path) -> None:
    settings, layout = settings_of(home), Layout(home)
    write(embedded.up(settings))
    layout.redis_pid_file.unlink()
    assert_written(embedded.up(settings))
    assert [len(pids) for pids in running(home)] == [1, 1]


def test_a_home_deleted_under_running_servers_starts_anew(home: Path) -> None:
    embedded.up(settings_of(home))
    shutil.rmtree(home)
    write(embedded.up(settings_of(home)))
    assert [len(pids) for pids in running(home)] == [1, 1]


def test_data_stays_over_down_and_up(home: Path) -> None:
    settings = settings_of(home)
    write(embedded.up(settings))
    embedded.down(settings)
    assert running(home) == ([], [])
    assert [(s.running, s.pid) for s in embedded.status(settings)] == [(False, None)] * 3
    assert all("cannot be reached" in (s.problem or "") for s in embedded.status(settings))
    embedded.down(settings)
    assert_written(embedded.up(settings))


def test_a_home_too_long_for_a_socket_works(home: Path) -> None:
    deep = home / ("long" * 30) / "and spaced 'out'"
    settings = settings_of(deep)
    try:
        write(embedded.up(settings))
        assert_written(embedded.endpoints(settings))
        target = (deep / "run").readlink()
        assert target.is_dir()
    finally:
        embedded.delete(settings)
    assert not target.parent.exists()


def test_works_as_a_normal_user(home: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("this test process is a normal user already: every other test covers it")
    if not (setpriv := shutil.which("setpriv")):
        pytest.skip("needs setpriv (util-linux) to become another user")
    nobody = account.Account("nobody", 65534, 65534)
    account.give(home, nobody)
    become = [setpriv, "--reuid=65534", "--regid=65534", "--clear-groups"]
    if not account.reaches(nobody, Path(sys.executable).resolve()):
        # Python itself may be under /root: let that user read there, and write nowhere.
        become += ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    # Down as that user, too: root could end the servers anyway.
    then = "s = Settings.from_env(); assert all(x.running for x in embedded.status(s)); embedded.down(s)"
    command = [*become, *starter(then)]
    done = subprocess.run(command, cwd=ROOT, env=environment(home), check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "up\n", "")
    assert (home / "postgres" / "data").stat().st_uid == nobody.uid
    assert home.stat().st_mode & 0o077 == 0


def test_given_urls_replace_the_embedded_servers(home: Path, settings: Settings, endpoints: embedded.Endpoints) -> None:
    other = replace(
        settings_of(home),
        postgres_url=endpoints.postgres.replace("/sonik?", "/other?"),
        falkordb_url=endpoints.falkordb,
        redis_url=endpoints.redis,
    )
    found = embedded.up(other)
    assert found == embedded.endpoints(other)
    assert (found.falkordb, found.dagster_postgres) == (endpoints.falkordb, endpoints.dagster_postgres)
    with psycopg.connect(found.postgres) as connection:
        assert connection.info.dbname == "other"
    assert [(s.embedded, s.running, s.pid) for s in embedded.status(other)] == [(False, True, None)] * 3
    embedded.down(other)
    assert running(home) == ([], [])
    assert all(s.running for s in embedded.status(settings))


def test_one_given_server_leaves_the_others_embedded(
    home: Path, settings: Settings, endpoints: embedded.Endpoints
) -> None:
    mixed = replace(settings_of(home), postgres_url=endpoints.postgres, falkordb_url=endpoints.falkordb)
    found = embedded.up(mixed)
    assert found.redis != endpoints.redis
    assert [len(pids) for pids in running(home)] == [0, 1]
    embedded.up(settings)  # its users have the passwords of the other home now


def test_a_given_server_that_is_down_is_named_without_its_password(home: Path) -> None:
    given = replace(
        settings_of(home),
        postgres_url="postgresql://ana:secret@127.0.0.1:1/sonik",
        falkordb_url="redis://127.0.0.1:1",
        redis_url="redis://127.0.0.1:1",
    )
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:1/sonik cannot be reached") as caught:
        embedded.up(given)
    assert "secret" not in str(caught.value)


def test_a_home_that_cannot_be_made_is_one_clear_error() -> None:
    with pytest.raises(TerminalError, match="cannot prepare the servers under /proc/sonik"):
        embedded.up(settings_of(Path("/proc/sonik")))


def test_a_server_that_does_not_start_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(postgres.SETTINGS, "wal_level", "nonsense")
    with pytest.raises(TerminalError, match=r"PostgreSQL does not start: .*wal_level.*postgres\.log"):
        embedded.up(settings_of(home))
    monkeypatch.setattr(redis_server, "GRAPH_MODULE", ["NONSENSE", "1"])
    embedded.down(settings_of(home))
    with pytest.raises(TerminalError, match=r"FalkorDB/Redis does not start: .*redis\.log"):
        embedded.up(settings_of(home))
