"""What `sonik doctor` checks. Each check looks at one thing, changes nothing, and knows how to fix it."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from resources import embedded
from resources.embedded.layout import Layout, socket_fits
from resources.encoders import encoder, minilm
from resources.errors import SonikError
from resources.settings import ROOT, Settings

FREE_GIGABYTES = 2


@dataclass(frozen=True)
class Finding:
    """One check's result; `fix` is what to do when it is not ok."""

    name: str
    ok: bool
    found: str
    fix: str


def examine(settings: Settings) -> list[Finding]:
    """Run every check; one that breaks is a finding too."""
    findings = [_python(), _disk(settings), _socket_length(settings), _manifest(), _weights(settings)]
    findings += [*_servers(settings), _graph_users(settings)]
    findings += [_asked(settings, *question) for question in POSTGRES_QUESTIONS]
    return [*findings, _change_feed(settings), *_circuits(settings)]


def _python() -> Finding:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Finding("Python 3.12", version == "3.12", version, "run `make setup`")


def _disk(settings: Settings) -> Finding:
    existing = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(existing).free / 1e9
    fix = f"free {FREE_GIGABYTES} GB, or set SONIK_HOME to a folder on another disk"
    return Finding("disk space", free >= FREE_GIGABYTES, f"{free:.1f} GB free on {existing}", fix)


def _socket_length(settings: Settings) -> Finding:
    folder = Layout(settings.home).postgres_folder
    found = str(folder) if socket_fits(settings.home) else f"SONIK_HOME is long, sockets are in {folder}"
    # A long home is no fault once `sonik up` has placed the sockets elsewhere.
    placed = socket_fits(settings.home) or (settings.home / "run").is_symlink()
    return Finding("socket path", placed, found, "run `sonik up`: it puts sockets in a short folder")


def _manifest() -> Finding:
    manifest = ROOT / "dbt_project" / "target" / "manifest.json"
    found = "parsed" if manifest.is_file() else f"{manifest} is missing"
    return Finding("dbt manifest", manifest.is_file(), found, "run `make setup`")


def _weights(settings: Settings) -> Finding:
    try:
        if settings.embedder != "minilm":
            return Finding("embedder", ok=True, found=encoder(settings).model_id, fix="")
        weights = minilm.verified("model.safetensors", minilm.folder())
    except SonikError as error:
        fix = "run `make setup`" if settings.embedder == "minilm" else "see docs/embeddings.md"
        return Finding("embedder", ok=False, found=str(error), fix=fix)
    return Finding("embedder", ok=True, found=str(weights), fix="")


def _servers(settings: Settings) -> list[Finding]:
    fix = {True: "run `sonik up`", False: "start that server, or check its URL"}
    return [
        Finding(each.name, each.running, each.version or each.problem or "", fix[each.embedded])
        for each in embedded.status(settings)
    ]


def _graph_users(settings: Settings) -> Finding:
    try:
        wrong = embedded.isolation(settings)
    except SonikError as error:
        return Finding("graph users", ok=False, found=str(error), fix="run `sonik up`")
    given = "; for a server given by URL set SONIK_FALKORDB_AGENT_PASSWORD and SONIK_FALKORDB_READER_PASSWORD first"
    fix = "run `sonik up`" + (given if settings.falkordb_url else "")
    return Finding("graph users", not wrong, "; ".join(wrong) or "each does what it may, and no more", fix)


POSTGRES_QUESTIONS: tuple[tuple[str, str, Callable[[str], bool], str], ...] = (
    (
        "wal_level",
        "show wal_level",
        lambda found: found == "logical",
        "set wal_level = logical on the server and restart it: the change feed needs it",
    ),
    (
        "pgvector",
        "select coalesce(max(default_version), 'none') from pg_available_extensions where name = 'vector'",
        lambda found: found != "none",
        "install pgvector on the server",
    ),
)


def _asked(settings: Settings, name: str, question: str, good: Callable[[str], bool], fix: str) -> Finding:
    from resources.stores import postgres

    try:
        with postgres.connect(embedded.endpoints(settings).postgres, timeout_seconds=5) as connection:
            row = connection.execute(question.encode()).fetchone()
    except SonikError as error:
        return Finding(name, ok=False, found=str(error), fix="start PostgreSQL first")
    found = str(row[0]) if row else "no answer"
    return Finding(name, good(found), found, fix)


def _change_feed(settings: Settings) -> Finding:
    """Tell how much of the log the slot keeps, and which store is furthest behind."""
    import psycopg

    from resources.stores import postgres
    from sonik_assets.changes import slot

    try:
        with postgres.connect(embedded.endpoints(settings).postgres, timeout_seconds=5) as connection:
            state = slot.state(connection)
            last = connection.execute(_FURTHEST_BEHIND).fetchone() or ("no store", 0)
    except SonikError as error:
        return Finding("change feed", ok=False, found=str(error), fix="start PostgreSQL first")
    except psycopg.errors.UndefinedTable:
        return Finding("change feed", ok=True, found="nothing has run yet", fix="")
    if not state.exists:
        return Finding("change feed", ok=last[0] == "no store", found="there is no slot", fix="run `sonik run`")
    kept = f"{state.retained / 1e6:.0f} MB of the log are kept (limit {state.limit})"
    kept += f"; {last[0]} is {last[1] / 1e6:.0f} MB back"
    ok = not state.lost and (state.safe is None or state.retained < state.safe)
    return Finding(
        "change feed", ok, "it is lost" if state.lost else kept, "run `sonik run`: stores catch up, or are made anew"
    )


_FURTHEST_BEHIND = """
select store, pg_wal_lsn_diff(pg_current_wal_lsn(), lsn)::float8 from ops.store_acks order by lsn, store limit 1
"""


def _circuits(settings: Settings) -> list[Finding]:
    """Return a finding for each source that failed last; a source that answers has none."""
    import psycopg

    from resources.stores import postgres
    from sonik_assets.raw import circuit

    try:
        with postgres.connect(embedded.endpoints(settings).postgres, timeout_seconds=5) as connection:
            states = circuit.states(connection)
    except (SonikError, psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        return []  # PostgreSQL is down, which is a finding of its own, or nothing has run yet
    return [
        Finding(
            f"source {each['source']}",
            ok=False,
            found=f"{_state(each['open_until'])}, failed {each['failures']} times in a row, last "
            f"{each['failed_at']:%Y-%m-%d %H:%M} UTC: {each['reason']}",
            fix=f"see why it fails; `sonik circuit close {each['source']}` asks it again at once",
        )
        for each in states
    ]


def _state(open_until: datetime | None) -> str:
    return f"left alone until {open_until:%Y-%m-%d %H:%M:%S} UTC" if open_until else "still asked"
