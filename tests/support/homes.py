"""Settings and starter processes for tests that bring up servers in a home of their own."""

import os
import sys
from pathlib import Path

from resources.settings import Settings

UP = "from resources import embedded; from resources.settings import Settings; "
UP += "embedded.up(Settings.from_env()); print('up', flush=True); "


def settings_of(home: Path) -> Settings:
    """Return default settings for a home."""
    return Settings.from_env({"SONIK_HOME": str(home)})


def starter(then: str = "") -> list[str]:
    """Return the command of a process that brings the servers up and then does something."""
    return [sys.executable, "-c", UP + then]


def environment(home: Path) -> dict[str, str]:
    """Return the environment of such a process, with none of ours that could name other servers."""
    return {"PATH": os.environ["PATH"], "SONIK_HOME": str(home)}
