"""Runs the Dagster webserver and daemon as children of `sonik ui`: both live, or neither does."""

import fcntl
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

from resources.errors import TerminalError

HOST = "127.0.0.1"
STOP_SECONDS = 20


def run(port: int, variables: dict[str, str]) -> int:
    """Serve until Ctrl-C, SIGTERM or the end of a child; return the exit code."""
    _require_free(port)
    signal.signal(signal.SIGTERM, _interrupt)
    root, binaries = variables["DAGSTER_HOME"], Path(sys.executable).parent
    Path(variables["SONIK_DAGSTER_FILES"]).mkdir(parents=True, exist_ok=True, mode=0o700)
    files = Path(variables["SONIK_DAGSTER_FILES"])
    with (files / "ui.lock").open("w") as lock:
        # Behind a socket Dagster's database is this machine's; another one may have daemons elsewhere.
        if _only_one(lock) and "?host=" in variables["SONIK_DAGSTER_POSTGRES_URL"]:
            _bury_dead(variables)
        return _serve(port, root, binaries, variables, lock)


def _only_one(lock: TextIO) -> bool:
    """Return whether no other `sonik ui` of this home runs; the lock lasts as long as it or a child of it."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _bury_dead(variables: dict[str, str]) -> None:
    """End the runs that died with an earlier `sonik ui`: nothing else would notice, and they hold pool slots."""
    os.environ |= variables
    from sonik_assets import run_processes, runs

    with runs.open_instance() as instance:
        for run_id in run_processes.bury_dead(instance, launched=True):
            print(f"run {run_id} ended with its process; the daemon tries it again", flush=True)


def _serve(port: int, root: str, binaries: Path, variables: dict[str, str], lock: TextIO) -> int:
    children: list[subprocess.Popen[bytes]] = []
    # What `sonik env` exports for `dagster` itself contradicts the workspace.
    environment = {name: value for name, value in os.environ.items() if name != "DAGSTER_MODULE_NAME"} | variables
    commands = (
        [str(binaries / "dagster-webserver"), "-h", HOST, "-p", str(port), "-w", "workspace.yaml"],
        [str(binaries / "dagster-daemon"), "run", "-w", "workspace.yaml"],
    )
    try:
        for command in commands:
            # A session of its own: Ctrl-C reaches us only, and we end the children in order.
            child = subprocess.Popen(  # noqa: S603
                command, cwd=root, env=environment, start_new_session=True, pass_fds=[lock.fileno()]
            )
            children.append(child)
        print(f"Dagster UI: http://{HOST}:{port}  (Ctrl-C ends it; the servers stay up)", flush=True)
        return _first_end(children)
    except KeyboardInterrupt:
        return 0
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _end(children)


def _first_end(children: list[subprocess.Popen[bytes]]) -> int:
    while True:
        for child in children:
            if (code := child.poll()) is not None:
                return code or 1
        time.sleep(0.3)


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    for child in children:
        child.send_signal(signal.SIGINT)
    for child in children:
        with suppress(subprocess.TimeoutExpired):
            child.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)  # its code servers, if it could not end them
        child.wait()


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TerminalError(f"port {port} is taken: choose another with `sonik ui --port N`") from error


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
