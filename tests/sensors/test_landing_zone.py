"""The landing-zone sensor over several ticks: exactly the days and tables that files touch, once."""

import hashlib
import hmac
import json
import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from resources.dagster import Stores
from resources.settings import Settings
from sensors import landing_zone as module
from sensors.landing_zone import landing_zone, tick
from tests.support.exports import write

VENUES, WEBHOOKS = "raw_scraper.venue_info", "raw_twenty.webhooks"
SECRET = "hook"  # noqa: S105 - of this test
TODAY = str(datetime.now(UTC).date())


def look(cursor: str | None) -> tuple[list[dg.RunRequest], list[dg.SkipReason], str | None]:
    context = dg.build_sensor_context(cursor=cursor, resources={"stores": Stores()})
    said: list[Any] = list(landing_zone(context))  # type: ignore[call-overload]
    requests = [s for s in said if isinstance(s, dg.RunRequest)]
    return requests, [s for s in said if isinstance(s, dg.SkipReason)], context.cursor


def asked(request: dg.RunRequest) -> tuple[str, str, set[str]]:
    first, last = (request.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end"))
    return first, last, {".".join(key.path) for key in request.asset_selection or ()}


@pytest.fixture
def exports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SONIK_EXPORTS", str(tmp_path))
    for name in ("SONIK_LANDING_URI", "TWENTY_URL", "TWENTY_WEBHOOK_SECRET"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def settle(path: Path) -> Path:
    past = time.time() - 60
    os.utime(path, (past, past))
    return path


def drop(exports: Path, name: str, *days: str) -> Path:
    lines = [{"provider": "p", "external_id": d, "name": "x", "scraped_at": f"{d}T10:00:00Z"} for d in days]
    return settle(write(exports, f"landing/venue_info/p/{name}", *lines))


def test_each_range_of_days_is_a_request_for_the_table_touched(exports: Path) -> None:
    drop(exports, "a.ndjson", "2026-10-01", "2026-10-02", "2026-10-05")
    requests, _, cursor = look(None)
    assert [asked(r) for r in requests] == [
        ("2026-10-01", "2026-10-02", {VENUES}),
        ("2026-10-05", "2026-10-05", {VENUES}),
    ]
    again, skips, _ = look(cursor)
    assert not again
    assert "nothing new" in str(skips[0].skip_message)


def test_a_changed_file_is_asked_for_again_with_another_key(exports: Path) -> None:
    drop(exports, "a.ndjson", "2026-10-01")
    (first,), _, cursor = look(None)
    drop(exports, "a.ndjson", "2026-10-01", "2026-10-02")
    (changed,), _, _ = look(cursor)
    assert asked(changed) == ("2026-10-01", "2026-10-02", {VENUES})
    assert changed.run_key != first.run_key


def test_only_the_new_file_counts(exports: Path) -> None:
    drop(exports, "a.ndjson", "2026-10-01")
    cursor = look(None)[2]
    drop(exports, "b.ndjson.gz", "2026-10-07")
    (request,), _, _ = look(cursor)
    assert asked(request) == ("2026-10-07", "2026-10-07", {VENUES})


def test_a_crash_before_the_cursor_is_kept_asks_for_the_same_run(exports: Path) -> None:
    drop(exports, "a.ndjson.gz", "2026-10-01")
    first, _, _ = look(None)
    second, _, _ = look(None)
    assert first[0].run_key == second[0].run_key


def test_the_cursor_moves_only_after_everything_was_emitted(exports: Path) -> None:
    drop(exports, "a.ndjson", "2026-10-01", "2026-10-05")
    context = dg.build_sensor_context()
    said = tick(context, Settings.from_env())
    next(said), next(said)
    assert context.cursor is None
    assert list(said) == []
    assert context.cursor is not None


def test_files_for_which_no_time_was_left_wait_for_the_next_tick(exports: Path) -> None:
    drop(exports, "a.ndjson", "2026-10-01")
    drop(exports, "b.ndjson", "2026-10-05")
    times = iter((0.0, module.BUDGET_SECONDS + 1))
    context = dg.build_sensor_context()
    (request,) = tick(context, Settings.from_env(), lambda: next(times))
    assert isinstance(request, dg.RunRequest)
    assert asked(request)[0] == "2026-10-01"
    (later,), _, _ = look(context.cursor)
    assert asked(later)[0] == "2026-10-05"


def test_a_cursor_of_another_version_reads_all_again(exports: Path) -> None:
    drop(exports, "a.ndjson", "2026-10-01")
    for old in ('{"version": 1, "files": {"a": "1:2"}}', "not json", "[]"):
        assert len(look(old)[0]) == 1


def test_a_file_still_being_written_waits(exports: Path) -> None:
    os.utime(drop(exports, "a.ndjson", "2026-10-01"))
    assert not look(None)[0]


def test_an_unreadable_file_is_read_today_and_does_not_stop_the_others(exports: Path) -> None:
    settle(drop(exports, "bad.ndjson.gz")).write_bytes(b"\x1f\x8b nothing")
    settle(exports / "landing/venue_info/p/bad.ndjson.gz")
    requests, _, cursor = look(None)
    assert [asked(r) for r in requests] == [(TODAY, TODAY, {VENUES})]
    drop(exports, "good.ndjson", "2026-10-01")
    (request,), _, _ = look(cursor)
    assert asked(request)[0] == "2026-10-01"


def test_a_signed_webhook_has_its_table_read_too(exports: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TWENTY_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TWENTY_WEBHOOK_SECRET", SECRET)
    settle(write(exports, "landing/webhooks/twenty/a.ndjson", webhook("person", SECRET), webhook("company", "wrong")))
    (request,), _, _ = look(None)
    assert asked(request) == ("2026-10-03", "2026-10-03", {WEBHOOKS, "raw_twenty.people"})


def webhook(thing: str, secret: str) -> dict[str, Any]:
    record = {"id": "3f0c1d53-6f7e-4d3a-9a53-0d6f2b0c9a11"}
    body = json.dumps({"objectMetadata": {"nameSingular": thing}, "record": record})
    signed = hmac.new(secret.encode(), f"1:{body}".encode(), hashlib.sha256).hexdigest()
    headers = {"X-Twenty-Webhook-Signature": signed, "X-Twenty-Webhook-Timestamp": "1"}
    return {"received_at": "2026-10-03T10:00:00Z", "headers": headers, "body": body}


def test_a_change_log_touches_its_own_table(exports: Path) -> None:
    record = {"id": "1", "name": "x", "date_updated": "2026-10-04T10:00:00Z"}
    envelope = {"op": "u", "after": record, "source": {"ts_ms": 1790000000000, "lsn": 1}, "ts_ms": 1790000000000}
    settle(write(exports, "debezium/sonik.public.venues.ndjson", {"payload": envelope}))
    requests, _, _ = look(None)
    assert {name for r in requests for name in asked(r)[2]} == {"raw_directus.venues"}


def test_a_missing_folder_is_a_skip_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SONIK_EXPORTS", "/nowhere")
    monkeypatch.delenv("SONIK_LANDING_URI", raising=False)
    _, skips, cursor = look(None)
    assert "does not exist" in str(skips[0].skip_message)
    assert not cursor
