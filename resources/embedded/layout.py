"""Where the embedded servers keep data, sockets and logs: SONIK_HOME, wherever that is possible.

A folder that cannot be there (the path is too long for a socket, or PostgreSQL's account may not enter)
lives outside, and SONIK_HOME holds a symbolic link to it: the link is the only record.
"""

import contextlib
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from resources.embedded.account import Account, give, reaches
from resources.errors import TerminalError

SOCKET_PATH_BYTES = 103
"""The smallest limit in use (macOS); Linux takes 107."""
POSTGRES_SOCKET = ".s.PGSQL.5432"
OUTSIDE_AS_ROOT = Path("/var/lib/sonik")


@dataclass(frozen=True)
class Layout:
    """Folders and files of one set of servers, links resolved."""

    home: Path

    @property
    def postgres_data(self) -> Path:
        """PostgreSQL's data folder, owned by the account that runs it."""
        return (self.home / "postgres").resolve() / "data"

    @property
    def postgres_folder(self) -> Path:
        """The folder of PostgreSQL's socket."""
        return (self.home / "run").resolve() / "postgres"

    @property
    def postgres_socket(self) -> Path:
        """PostgreSQL's socket."""
        return self.postgres_folder / POSTGRES_SOCKET

    @property
    def redis_data(self) -> Path:
        """The folder of the append-only file."""
        return self.home / "redis"

    @property
    def redis_socket(self) -> Path:
        """The socket of the one server that is FalkorDB and Redis."""
        return (self.home / "run").resolve() / "redis.sock"

    @property
    def redis_pid_file(self) -> Path:
        """Written by the server itself."""
        return (self.home / "run").resolve() / "redis.pid"

    @property
    def logs(self) -> Path:
        """The folder of both servers' logs."""
        return self.home / "logs"


def prepare(layout: Layout, account: Account | None) -> None:
    """Create every folder with the tightest mode that works. Call it under the lock."""
    through = 0o711 if account else 0o700  # enough to walk through, not to list
    home = layout.home
    if home.stat().st_uid == os.geteuid():
        home.chmod(stat.S_IMODE(home.stat().st_mode) | (through & 0o111))
    _folder(layout.logs, 0o700)
    _folder(layout.redis_data, 0o700)
    _place(home / "run", inside=socket_fits(home) and reaches(account, home), mode=through)
    _place(home / "postgres", inside=reaches(account, home), mode=through)
    _folder(layout.postgres_folder, 0o700)
    give(layout.postgres_folder, account)


def remove(layout: Layout) -> None:
    """Delete all that `prepare` made, following its links. The servers must be down."""
    for path in (layout.home / "run", layout.home / "postgres", layout.redis_data, layout.logs):
        if path.is_symlink():
            # The folder that it points to and that folder's private parent, where nothing else is left.
            shutil.rmtree(path.readlink(), ignore_errors=True)
            with contextlib.suppress(OSError):
                path.readlink().parent.rmdir()
            path.unlink()
        else:
            shutil.rmtree(path, ignore_errors=True)


def socket_fits(home: Path) -> bool:
    """Tell whether the longest socket path under this home is short enough for the kernel."""
    return len(os.fsencode(home / "run" / "postgres" / POSTGRES_SOCKET)) <= SOCKET_PATH_BYTES


def outside(home: Path) -> Path:
    """Return this home's private folder outside of it, short and reachable, the same on every call."""
    name = hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:12]
    return next(base for base in _outside_folders(name) if socket_fits(base))


def _outside_folders(name: str) -> Iterator[Path]:
    if os.geteuid() == 0:
        yield OUTSIDE_AS_ROOT / name
    private = f"sonik-{os.geteuid()}-{name}"
    yield Path(tempfile.gettempdir()) / private
    yield Path("/tmp") / private  # noqa: S108 - checked to be ours before use


def _place(path: Path, *, inside: bool, mode: int) -> None:
    """Make `path` a folder, or a link to a folder outside SONIK_HOME."""
    if path.is_symlink():
        _private(path.readlink(), mode)  # /tmp is emptied at boot, the link is not
        return
    if path.name == "run" and path.is_dir() and not inside:
        shutil.rmtree(path)  # SONIK_HOME was moved to a longer path; only dead sockets are in there
    if inside or path.is_dir():
        _folder(path, mode)
        return
    target = outside(path.parent) / path.name
    # A link that is gone means that SONIK_HOME was deleted: what it pointed to went with it.
    shutil.rmtree(target, ignore_errors=True)
    _private(target, mode)
    path.symlink_to(target)


def _private(folder: Path, mode: int) -> None:
    """Create a folder and its parent where others may write, refusing one that somebody else made."""
    for each in (folder.parent, folder):
        _folder(each, mode)
        found = each.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
            raise TerminalError(f"{each} belongs to somebody else: remove it, or choose another SONIK_HOME")


def _folder(path: Path, mode: int) -> None:
    path.mkdir(parents=True, exist_ok=True, mode=mode)
