"""The commands about servers, run as a person runs them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

from resources.settings import ROOT, Settings
from sonik_assets.cli import health

SONIK = str(Path(sys.executable).parent / "sonik")


def sonik(settings: Settings, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SONIK, *arguments],
        env={"PATH": os.environ["PATH"], "SONIK_HOME": str(settings.home)} | variables,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_answers_at_once(settings: Settings) -> None:
    def seconds() -> float:
        start = time.perf_counter()
        assert "status" in sonik(settings, "--help").stdout
        return time.perf_counter() - start

    assert min(seconds() for _ in range(3)) < 0.8  # 0.4 s on an idle machine; these tests share two cores


def test_status_as_json(settings: Settings) -> None:
    done = sonik(settings, "status", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["home"] == str(settings.home)
    assert [(s["name"], s["embedded"], s["running"]) for s in found["servers"]] == [
        ("postgres", True, True),
        ("falkordb", True, True),
        ("redis", True, True),
    ]
    assert found["servers"][0]["version"].startswith("18.")
    assert all(psutil.pid_exists(server["pid"]) for server in found["servers"])


def test_status_of_a_server_that_is_down_is_exit_1_without_its_password(settings: Settings) -> None:
    done = sonik(settings, "status", SONIK_POSTGRES_URL="postgresql://ana:secret@127.0.0.1:1/sonik")
    assert done.returncode == 1
    assert "down" in done.stdout
    assert "secret" not in done.stdout + done.stderr


def test_up_is_idempotent(settings: Settings) -> None:
    done = sonik(settings, "up")
    assert done.returncode == 0
    assert done.stdout.count("running") == 3


def test_an_error_is_one_line_and_exit_1(settings: Settings) -> None:
    done = sonik(settings, "up", SONIK_HOME="/proc/sonik")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("sonik: cannot prepare the servers under /proc/sonik")
    assert done.stderr.count("\n") == 1
    assert "Traceback" in sonik(settings, "up", SONIK_HOME="/proc/sonik", SONIK_DEBUG="1").stderr


def test_env_makes_the_dagster_instance_usable(settings: Settings) -> None:
    exported = sonik(settings, "env").stdout
    show = 'eval "$1"; dagster instance info'
    done = subprocess.run(
        ["bash", "-c", show, "bash", exported],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert f"DAGSTER_HOME: {ROOT}" in done.stdout
    assert "max_concurrent_runs: 12" in done.stdout


def test_doctor_finds_every_fault_and_its_fix(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {finding.name: finding for finding in health.examine(settings)}
    assert [name for name, finding in good.items() if not finding.ok and name != "dbt manifest"] == []
    monkeypatch.setattr(health, "FREE_GIGABYTES", 10**9)
    bad = Settings.from_env({"SONIK_HOME": str(tmp_path / ("x" * 120))})
    faults = {finding.name: finding.fix for finding in health.examine(bad) if not finding.ok}
    wanted = {"disk space", "socket path", "postgres", "falkordb", "redis", "wal_level", "pgvector"}
    assert faults.keys() >= wanted
    assert all(faults.values())


def test_ui_serves_on_this_machine_only_and_leaves_no_child(settings: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [SONIK, "ui", "--port", str(port)]
    environment = {"PATH": os.environ["PATH"], "SONIK_HOME": str(settings.home)}
    with subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout
        assert f"http://127.0.0.1:{port}".encode() in process.stdout.readline()
        wait_for_page(f"http://127.0.0.1:{port}/server_info")
        children = psutil.Process(process.pid).children(recursive=True)
        listening = [c.laddr.ip for child in children for c in child.net_connections("inet") if not c.raddr]
        assert set(listening) <= {"127.0.0.1"}
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=40)
    assert process.returncode == 0
    assert [child for child in children if alive(child)] == []


def alive(process: psutil.Process) -> bool:
    """Tell whether it runs; one that ended may wait for the machine's init to notice."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def wait_for_page(url: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as page:  # noqa: S310 - our own address
                assert b"dagster_webserver_version" in page.read()
                return
        except OSError:
            assert time.monotonic() < deadline, f"{url} does not answer"
            time.sleep(0.2)
