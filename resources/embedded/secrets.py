"""Passwords of FalkorDB's users: from the environment, else from SONIK_HOME/secrets, which only its owner opens.

Who the users are is in `resources.embedded.users`. No password is ever put on a command line.
"""

import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from resources.embedded.users import AGENT, LIMITED, OWNER, READER, User
from resources.errors import TerminalError
from resources.settings import Settings

VARIABLES: Mapping[User, str] = {
    OWNER: "SONIK_FALKORDB_PASSWORD",
    AGENT: "SONIK_FALKORDB_AGENT_PASSWORD",
    READER: "SONIK_FALKORDB_READER_PASSWORD",
}


def known(settings: Settings, user: User) -> str | None:
    """Return a user's password, or None when none is set and none was made."""
    try:
        return _given(settings)[user] or _file(settings, user).read_text().strip() or None
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise TerminalError(f"the password of {user} cannot be read: {_file(settings, user)} is damaged") from error


def known_limited(settings: Settings) -> dict[User, str]:
    """Return the passwords of the agent and the reader, as far as there are any."""
    found = {user: known(settings, user) for user in LIMITED}
    return {user: password for user, password in found.items() if password}


def make(settings: Settings) -> dict[User, str]:
    """Return every user's password, making those that are missing. Call it under the lock."""
    for user in VARIABLES:
        if known(settings, user) is None:
            write_privately(_file(settings, user), secrets.token_urlsafe(32) + "\n")
    return {user: str(known(settings, user)) for user in VARIABLES}


def write_privately(file: Path, text: str) -> None:
    """Write a file that only its owner may read; whoever reads it finds the old text or the new, never half."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = file.with_name(f".{file.name}.new")
    new.unlink(missing_ok=True)  # of a process that was killed here
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    new.replace(file)


def _given(settings: Settings) -> dict[User, str | None]:
    return {
        OWNER: settings.falkordb_password,
        AGENT: settings.falkordb_agent_password,
        READER: settings.falkordb_reader_password,
    }


def _file(settings: Settings, user: User) -> Path:
    return settings.home / "secrets" / user
