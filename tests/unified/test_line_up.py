"""An event's line-up: what the API folded into it, corrected by the junction's log."""

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

from sonik_assets.raw import schema
from sonik_assets.unified import dbt

T = datetime(2026, 10, 1, tzinfo=UTC)
ROW = """
insert into {relation} (record_id, payload, source_updated_at, payload_hash, first_seen_at, changed_at, deleted_at,
    partition_date, run_id)
values (%s, %s, %s, '', now(), now(), %s, '2026-10-01', 'test')
"""
EVENTS: dict[str, tuple[list[str] | None, list[str]]] = {
    # event: (what REST gave at T, the line-up)
    "no log": (["b", "a"], ["b", "a"]),
    "added since": (["b"], ["b", "a", "c"]),
    "removed since": (["a", "b"], ["b"]),
    "removed before": (["a"], ["a"]),
    "moved to a new link": (["a"], ["a"]),
    "told twice": (["a"], ["a"]),
    "only logged": (None, ["a"]),
    "removed and added": (["a", "b"], ["b", "c"]),
    "link without a clock": (["b"], ["b"]),
}
LINKS: list[tuple[str, str, int | None, int | None]] = [
    # event, artist, hours after T of its clock, hours after T of its end
    ("added since", "c", 2, None),
    ("added since", "a", 1, None),
    ("removed since", "a", 1, 1),
    ("removed before", "a", -1, -1),
    ("moved to a new link", "a", 1, 1),
    ("moved to a new link", "a", -1, None),
    ("told twice", "a", 1, None),
    ("only logged", "a", -1, None),
    ("removed and added", "a", 3, 3),
    ("removed and added", "c", 4, None),
    ("link without a clock", "a", None, None),
]


def after(hours: int | None) -> datetime | None:
    return None if hours is None else T + timedelta(hours=hours)


def fill(connection: psycopg.Connection[Any]) -> None:
    schema.ensure(connection)
    for event, (artists, _) in EVENTS.items():
        folded = {} if artists is None else {"artists": [{"artists_id": artist} for artist in artists]}
        values = (event, Jsonb({"id": event, "name": event, **folded}), T, None)
        connection.execute(ROW.format(relation="raw_directus.events"), values)
    for number, (event, artist, clock, end) in enumerate(LINKS):
        link = Jsonb({"id": number, "events_id": event, "artists_id": artist})
        values = (str(number), link, after(clock), after(end))
        connection.execute(ROW.format(relation="raw_directus.events_artists"), values)


def test_the_line_up_follows_the_junction(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOST", "PORT", "USER", "DATABASE", "SSLMODE"):
        monkeypatch.setenv(f"SONIK_DBT_{name}", "")
    monkeypatch.setenv("DBT_ENV_SECRET_SONIK_PASSWORD", "")
    monkeypatch.setenv("DBT_TARGET_PATH", "")
    with psycopg.connect(database) as connection:
        fill(connection)
    dbt.point_at(database, tmp_path)
    where = ["--project-dir", str(dbt.PROJECT), "--profiles-dir", str(dbt.PROJECT), "--log-path", str(tmp_path)]
    command = [
        dbt.EXECUTABLE,
        "--quiet",
        "run",
        *where,
        "--select",
        "stg_directus__events",
        "stg_directus__events_artists",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=dict(os.environ))
    assert done.returncode == 0, done.stdout
    with psycopg.connect(database) as connection:
        names = connection.execute(
            "select table_schema from information_schema.tables where table_name = 'stg_directus__events'"
        ).fetchone()
        assert names
        found = connection.execute(
            f"select record_id, artist_record_ids from {names[0]}.stg_directus__events"
        ).fetchall()
    assert dict(found) == {event: line_up for event, (_, line_up) in EVENTS.items()}
