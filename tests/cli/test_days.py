"""The days that a run takes where nobody names them."""

from dataclasses import replace
from pathlib import Path

from resources.settings import Settings
from sonik_assets.cli import days
from sonik_assets.partitions import FIRST_DAY
from tests.support.exports import write


def test_records_older_than_the_first_partition_belong_to_it(tmp_path: Path) -> None:
    write(tmp_path, "mongo/users.ndjson", {"_id": "1", "updatedAt": {"$date": "2025-03-01T10:00:00Z"}})
    write(tmp_path, "directus/venues.ndjson", {"id": "1", "date_created": "2026-02-01T00:00:00Z"})
    assert days.every(replace(Settings.from_env({}), exports=tmp_path)) == (FIRST_DAY, "2026-02-01")


def test_changes_later_than_every_record_are_inside(tmp_path: Path) -> None:
    write(tmp_path, "directus/venues.ndjson", {"id": "1", "date_created": "2026-02-01T00:00:00Z"})
    gone = {"op": "d", "ts_ms": 1_771_000_000_000, "before": {"id": "1"}}  # 2026-02-13
    write(tmp_path, "debezium/sonik.public.venues.ndjson", gone)
    assert days.every(replace(Settings.from_env({}), exports=tmp_path)) == ("2026-02-01", "2026-02-13")
