"""Folders: tight modes, short sockets, and nothing that somebody else made."""

import os
from pathlib import Path

import pytest

from resources.embedded import account, layout, postgres
from resources.errors import TerminalError
from resources.settings import Settings


def test_only_their_owner_opens_the_folders(settings: Settings) -> None:
    found = layout.Layout(settings.home)
    for private in (found.postgres_data, found.postgres_folder, found.redis_data, found.logs):
        assert private.stat().st_mode & 0o077 == 0, private
    for walked in (settings.home, settings.home / "run", settings.home / "postgres"):
        assert walked.stat().st_mode & 0o066 == 0, walked
    assert found.redis_socket.stat().st_mode & 0o077 == 0


def test_the_outside_folder_is_short_and_always_the_same(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 120)
    assert not layout.socket_fits(long)
    assert layout.socket_fits(layout.outside(long))
    assert layout.outside(long) == layout.outside(long)
    assert layout.outside(long) != layout.outside(long / "y")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = tmp_path / "planted"
    planted.symlink_to(tmp_path)
    monkeypatch.setattr(layout, "outside", lambda home: planted)
    with pytest.raises(TerminalError, match="belongs to somebody else"):
        layout._place(tmp_path / "run", inside=False, mode=0o700)


def test_an_account_reaches_only_what_is_open_to_it(tmp_path: Path) -> None:
    other = account.Account("other", os.getuid() + 4711, os.getgid() + 4711)
    tmp_path.chmod(0o700)
    assert not account.reaches(other, tmp_path)
    assert account.reaches(None, tmp_path)
    assert account.reaches(other, Path("/usr/bin"))


def test_binaries_that_the_account_cannot_reach_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "reaches", lambda account, path: False)
    monkeypatch.setattr(postgres, "OUTSIDE_AS_ROOT", tmp_path / "lib")
    copied = postgres._binaries(account.Account("nobody", 65534, 65534))
    assert copied == postgres._binaries(account.Account("nobody", 65534, 65534))
    assert copied.is_relative_to(tmp_path)
    assert (copied / "postgres").stat().st_mode & 0o005 == 0o005
    assert [path.name for path in (tmp_path / "lib").iterdir()] == [copied.parent.name]
