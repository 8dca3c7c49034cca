"""What is true of any server process: one starter at a time, whose pid this is, waiting, leftovers.

A pid alone proves nothing, because numbers are reused: the command line must name our folder.
"""

import contextlib
import fcntl
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from resources.errors import TransientError

if TYPE_CHECKING:
    import psutil


@contextlib.contextmanager
def lock(home: Path) -> Iterator[None]:
    """Let one process at a time start or stop servers; the kernel frees it when that process dies."""
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (home / "servers.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def pid_in(file: Path, *, program: str, marker: str) -> int | None:
    """Return the pid that the file's first line holds, if that process is `program` run on `marker`."""
    try:
        pid = int(file.read_text().split("\n", 1)[0])
    except (OSError, ValueError):
        return None
    return pid if pid in leftovers(program=program, marker=marker, among=[pid]) else None


def leftovers(*, program: str, marker: str, among: list[int] | None = None) -> list[int]:
    """Return the pids (of `among`, or of all) that run `program` with `marker` in their command line."""
    import psutil

    found = []
    for pid in psutil.pids() if among is None else among:
        with contextlib.suppress(psutil.Error):
            command = psutil.Process(pid).cmdline()
            if command and program in command[0] and marker in " ".join(command):
                found.append(pid)
    return found


def end(pids: list[int], *, signal: int, seconds: float = 10) -> None:
    """Signal processes that were verified to be ours, and kill those that stay."""
    import psutil

    for pid in pids:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.send_signal(signal)
            if not _gone(process, seconds):
                process.kill()
                _gone(process, seconds)


def _gone(process: "psutil.Process", seconds: float) -> bool:
    """Wait for a process that is not our child; the wait of psutil polls too rarely for that."""
    deadline = time.monotonic() + seconds
    while process.is_running() and process.status() != "zombie":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def accepts(path: Path) -> bool:
    """Tell whether somebody accepts connections on a Unix socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


def wait_until(ready: Callable[[], bool], *, what: str, log: Path, seconds: float = 60) -> None:
    """Poll until ready; the error names the log that tells why not."""
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > deadline:
            raise TransientError(f"{what} did not answer within {seconds:.0f} s: see {log}")
        time.sleep(0.02)
