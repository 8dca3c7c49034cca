"""The clock: what each schedule requests at its time, and when it has nothing to ask for."""

from datetime import UTC, datetime

import dagster as dg
import pytest

from resources.dagster import Stores
from resources.sources.catalogue import TABLES
from sonik_assets.schedules import every_morning, every_week_reconcile

SUNDAY = datetime(2026, 11, 22, 5, tzinfo=UTC)
VARIABLES = ("DIRECTUS_URL", "TWENTY_URL", "MONGO_URL")


@pytest.fixture(autouse=True)
def nothing_live(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


def reconcile() -> dg.RunRequest | dg.SkipReason:
    context = dg.build_schedule_context(scheduled_execution_time=SUNDAY, resources={"stores": Stores()})
    said = every_week_reconcile(context)
    assert isinstance(said, dg.RunRequest | dg.SkipReason)
    return said


def test_nothing_is_reconciled_where_nothing_is_live() -> None:
    said = reconcile()
    assert isinstance(said, dg.SkipReason)
    assert all(name in str(said.skip_message) for name in VARIABLES)


def test_every_table_of_a_live_source_is_reconciled_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIRECTUS_URL", "http://127.0.0.1:1")
    said = reconcile()
    assert isinstance(said, dg.RunRequest)
    names = {table.name for table in TABLES if table.source == "directus"}
    assert said.asset_selection == [dg.AssetKey(["raw_directus", t.name]) for t in TABLES if t.source == "directus"]
    assert said.run_config == {"ops": {f"raw_directus__{name}": {"config": {"reconcile": True}} for name in names}}
    assert said.run_key == said.tags["dagster/asset_partition_range_end"] == "2026-11-22"


def test_every_morning_reads_the_last_week() -> None:
    said = every_morning(dg.build_schedule_context(scheduled_execution_time=SUNDAY))
    assert isinstance(said, dg.RunRequest)
    days = [said.tags[f"dagster/asset_partition_range_{end}"] for end in ("start", "end")]
    assert days == ["2026-11-15", "2026-11-21"]
