"""The operating system account that runs the embedded PostgreSQL, which refuses to run as root.

As a normal user there is nothing to do. As root: the existing account `postgres`, else `nobody`; no account
is created and no folder above SONIK_HOME is opened (see docs/adr/0003-embedded-servers.md).
"""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from resources.errors import TerminalError

CANDIDATES = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A user and its main group."""

    name: str
    uid: int
    gid: int


def for_postgres(data: Path) -> Account | None:
    """Return the account to switch to, or None when this process may run PostgreSQL itself.

    Data that exists keeps its owner, so installing or removing a system PostgreSQL changes nothing.
    """
    if os.geteuid() != 0:
        return None
    if data.exists():
        return _account(pwd.getpwuid(data.stat().st_uid))
    for name in CANDIDATES:
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    raise TerminalError(
        "PostgreSQL refuses to run as root and neither account "
        f"{' nor '.join(CANDIDATES)} exists: create one, or run sonik as a normal user"
    )


def reaches(account: Account | None, path: Path) -> bool:
    """Tell whether the account may walk into `path`; folders that do not exist yet do not count."""
    if account is None:
        return True
    return all(_may_traverse(account, folder) for folder in (path, *path.parents) if folder.exists())


def give(path: Path, account: Account | None) -> None:
    """Make the account the owner of a file or folder."""
    if account is not None:
        os.chown(path, account.uid, account.gid)


def run_as(account: Account | None, command: list[str], *, log: IO[bytes], env: dict[str, str], timeout: float) -> int:
    """Run a command as the account with its output in `log`; return its exit code."""
    switch = {} if account is None else {"user": account.uid, "group": account.gid, "extra_groups": []}
    return subprocess.run(  # type: ignore[call-overload, no-any-return]  # noqa: S603
        command,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=env,
        cwd="/",
        umask=0o077,
        timeout=timeout,
        check=False,
        **switch,
    ).returncode


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(name=entry.pw_name, uid=entry.pw_uid, gid=entry.pw_gid)


def _may_traverse(account: Account, folder: Path) -> bool:
    found = folder.stat()
    if found.st_uid == account.uid:
        return bool(found.st_mode & 0o100)
    if found.st_gid == account.gid:
        return bool(found.st_mode & 0o010)
    return bool(found.st_mode & 0o001)
