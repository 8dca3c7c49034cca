"""The dbt project: where it is, its manifest, and how a run of it reaches PostgreSQL."""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from resources.errors import TerminalError
from resources.settings import ROOT

PROJECT = ROOT / "dbt_project"
EXECUTABLE = str(Path(sys.executable).with_name("dbt"))
BUILD = ("build", "--exclude-resource-type", "unit_test", "--no-write-json")
"""A run's build. Unit tests are of the rules, not of the data: `dbt test` runs them. The manifest, which dbt would
write twice (1.3 s), is there already (`manifest`)."""
MANIFEST = PROJECT / "target" / "manifest.json"
PARTIAL = MANIFEST.with_name("partial_parse.msgpack")
_SOURCES = ("dbt_project.yml", "profiles.yml", "macros", "materializations", "models", "tests")


def manifest() -> Path:
    """Return the project's manifest, parsing the project again where a file is newer than it (5 s)."""
    if not MANIFEST.exists() or MANIFEST.stat().st_mtime < _newest():
        parse()
    return MANIFEST


def parse() -> None:
    """Parse the project, which needs no server; TerminalError where dbt cannot.

    Several processes may do so at once, or read: the manifest is put in place whole.
    """
    command = [EXECUTABLE, "--quiet", "parse", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    MANIFEST.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="parse-", dir=MANIFEST.parent) as target:
        if PARTIAL.exists():
            shutil.copy2(PARTIAL, target)  # what did not change is not parsed again
        begun = time.time()
        environment = {**os.environ, "DBT_TARGET_PATH": target}
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT, env=environment)  # noqa: S603
        if done.returncode:
            raise TerminalError(f"dbt cannot parse {PROJECT}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
        os.utime(Path(target, MANIFEST.name), (begun, begun))  # what was edited meanwhile is newer
        for path in (PARTIAL, MANIFEST):
            Path(target, path.name).replace(path)


def variables(postgres_url: str, home: Path) -> dict[str, str]:
    """Return what dbt's processes are told: where PostgreSQL and the project are, and where to leave their files."""
    parts = conninfo_to_dict(postgres_url)
    return {
        "SONIK_DBT_HOST": str(parts.get("host", "localhost")),
        "SONIK_DBT_PORT": str(parts.get("port", 5432)),
        "SONIK_DBT_USER": str(parts.get("user", "postgres")),
        "SONIK_DBT_DATABASE": str(parts.get("dbname", "sonik")),
        "SONIK_DBT_SSLMODE": str(parts.get("sslmode", "prefer")),
        # dbt scrubs variables of this prefix from its logs.
        "DBT_ENV_SECRET_SONIK_PASSWORD": str(parts.get("password", "")),
        "DBT_TARGET_PATH": str(home / "dbt"),
    }


def by_hand(postgres_url: str, home: Path) -> dict[str, str]:
    """Return the variables by which `dbt` works in a shell, wherever it is called."""
    places = {"DBT_PROJECT_DIR": str(PROJECT), "DBT_PROFILES_DIR": str(PROJECT), "DBT_LOG_PATH": str(home / "logs")}
    return variables(postgres_url, home) | places


def point_at(postgres_url: str, home: Path) -> None:
    """Tell dbt, through the environment of this process."""
    os.environ |= variables(postgres_url, home)


def keep_parse(target: Path, home: Path) -> None:
    """Keep what dbt parsed for the next build (it saves 4 s), and drop the finished build's other files.

    dbt parses again for every other server, so this is kept by home and not in the project.
    """
    parsed = target / PARTIAL.name
    if parsed.exists():
        parsed.replace(home / "dbt" / PARTIAL.name)
    shutil.rmtree(target, ignore_errors=True)


def fingerprint() -> str:
    """Return a hash of what views are made of: the project's text, and the dbt that reads it."""
    digest = hashlib.sha256("".join(version(name) for name in ("dbt-core", "dbt-postgres")).encode())
    for path in sorted(path for path in _files() if path.is_file()):
        digest.update(f"{path.relative_to(PROJECT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _newest() -> float:
    return max(path.stat().st_mtime for path in _files())


def _files() -> Iterator[Path]:
    for path in (PROJECT / name for name in _SOURCES):
        yield from [path] if path.is_file() else path.rglob("*")
