"""The landing-zone sensor over several ticks: exactly what changed, once."""

import os
import time
from pathlib import Path

import dagster as dg
import pytest

from resources.dagster import Stores
from resources.sources import landing
from sensors.landing_zone import landing_zone
from tests.support.exports import write


def tick(cursor: str | None) -> tuple[list[dg.RunRequest], list[dg.SkipReason], str | None]:
    context = dg.build_sensor_context(cursor=cursor, resources={"stores": Stores()})
    said = list(landing_zone(context))
    requests = [s for s in said if isinstance(s, dg.RunRequest)]
    return requests, [s for s in said if isinstance(s, dg.SkipReason)], context.cursor


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SONIK_EXPORTS", str(tmp_path))
    return tmp_path


def drop(exports: Path, name: str, *days: str) -> Path:
    lines = [{"provider": "p", "external_id": d, "name": "x", "scraped_at": f"{d}T10:00:00Z"} for d in days]
    path = write(exports, f"landing/venue_info/p/{name}", *lines)
    settled = time.time() - 60
    os.utime(path, (settled, settled))
    return path


def test_a_file_is_asked_for_once_and_again_when_it_changes(exports: Path) -> None:
    drop(exports, "a.ndjson", "2026-10-01", "2026-10-03")
    requests, _, cursor = tick(None)
    assert [r.tags["dagster/asset_partition_range_start"] for r in requests] == ["2026-10-01"]
    assert [r.tags["dagster/asset_partition_range_end"] for r in requests] == ["2026-10-03"]
    again, skips, cursor = tick(cursor)
    assert not again
    assert "nothing new" in str(skips[0].skip_message)
    drop(exports, "a.ndjson", "2026-10-01", "2026-10-03", "2026-10-07")
    changed, _, _ = tick(cursor)
    assert changed[0].tags["dagster/asset_partition_range_end"] == "2026-10-07"
    assert changed[0].run_key != requests[0].run_key


def test_a_crash_before_the_cursor_is_kept_asks_for_the_same_run(exports: Path) -> None:
    drop(exports, "a.ndjson.gz", "2026-10-01")
    first, _, _ = tick(None)
    second, _, _ = tick(None)
    assert first[0].run_key == second[0].run_key


def test_a_file_still_being_written_waits(exports: Path) -> None:
    os.utime(drop(exports, "a.ndjson", "2026-10-01"))
    assert not tick(None)[0]
    assert landing.listing(exports, now=time.time() + 60)


def test_an_unreadable_file_does_not_stop_the_others(exports: Path) -> None:
    drop(exports, "bad.ndjson.gz").write_bytes(b"\x1f\x8b nothing")
    drop(exports, "good.ndjson", "2026-10-01")
    bad = exports / "landing/venue_info/p/bad.ndjson.gz"
    os.utime(bad, (time.time() - 60, time.time() - 60))
    requests, _, _ = tick(None)
    assert requests[0].tags["dagster/asset_partition_range_start"] == "2026-10-01"


def test_a_missing_folder_is_a_skip_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONIK_EXPORTS", "/nowhere")
    _, skips, _ = tick(None)
    assert "does not exist" in str(skips[0].skip_message)
