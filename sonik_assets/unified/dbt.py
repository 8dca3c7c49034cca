"""The dbt project: where it is, its manifest, and how a run of it reaches PostgreSQL."""

import os
import subprocess
import sys
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from resources.errors import TerminalError
from resources.settings import ROOT

PROJECT = ROOT / "dbt_project"
EXECUTABLE = str(Path(sys.executable).with_name("dbt"))
MANIFEST = PROJECT / "target" / "manifest.json"
_PARSED_FOR = PROJECT / "target" / "parsed_for"
_PROFILE = ("SONIK_DBT_HOST", "SONIK_DBT_PORT", "SONIK_DBT_USER", "SONIK_DBT_DATABASE")
_SOURCES = ("dbt_project.yml", "profiles.yml", "macros", "models", "tests")


def manifest() -> Path:
    """Return the project's manifest, parsing the project again where a file is newer than it (5 s)."""
    if not MANIFEST.exists() or MANIFEST.stat().st_mtime < _newest():
        parse()
    return MANIFEST


def parse() -> None:
    """Parse the project for the profile that the environment names; TerminalError where dbt cannot."""
    command = [EXECUTABLE, "--quiet", "parse", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=PROJECT)  # noqa: S603 - our own
    if done.returncode:
        raise TerminalError(f"dbt cannot parse {PROJECT}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    _PARSED_FOR.write_text(_profile())


def point_at(postgres_url: str) -> None:
    """Tell dbt, through the environment of this process, where PostgreSQL is.

    dbt parses the whole project again (4 s a call) where the profile differs from the one it was parsed for, so
    a new place is parsed for once.
    """
    parts = conninfo_to_dict(postgres_url)
    os.environ |= {
        "SONIK_DBT_HOST": str(parts.get("host", "localhost")),
        "SONIK_DBT_PORT": str(parts.get("port", 5432)),
        "SONIK_DBT_USER": str(parts.get("user", "postgres")),
        "SONIK_DBT_DATABASE": str(parts.get("dbname", "sonik")),
        # dbt scrubs variables of this prefix from its logs.
        "DBT_ENV_SECRET_SONIK_PASSWORD": str(parts.get("password", "")),
    }
    if not _PARSED_FOR.exists() or _PARSED_FOR.read_text() != _profile():
        parse()


def _profile() -> str:
    return " ".join(f"{name}={os.environ.get(name, '')}" for name in _PROFILE)


def _newest() -> float:
    paths = (PROJECT / name for name in _SOURCES)
    files = (f for p in paths for f in ([p] if p.is_file() else p.rglob("*")))
    return max(f.stat().st_mtime for f in files)
