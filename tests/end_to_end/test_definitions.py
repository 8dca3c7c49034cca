"""The definitions as Dagster loads them: complete, cheap to import, and silent about every store."""

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg

from resources.settings import ROOT
from sonik_assets.definitions import build_defs
from sonik_assets.unified.assets import ANALYSES, MARTS, STAGING, UNIFIED

INVARIANTS = {
    "no_shared_canonical_ids",
    "every_record_in_one_entity",
    "no_duplicate_canonical_ids",
    "one_event_per_event_key",
    "claims_are_as_the_log_says",
    "graph_is_as_the_tables",
    "vectors_hold_same_ids",
}
WARNINGS = {
    "change_feed_is_read",
    "embeddings_hold_same_ids",
    "every_field_is_known",
    "no_double_bookings",
    "one_open_claim_an_entity",
}
"""Besides those of values that a source told and a model could not read."""
# Prints what importing opens: sockets of any kind, and files under the home.
WATCH = """
import os, sys
def watch(event, arguments):
    home = os.environ["SONIK_HOME"]
    if event == "socket.connect" or (event in ("open", "os.mkdir") and str(arguments[0]).startswith(home)):
        print(event, arguments)
sys.addaudithook(watch)
import sonik_assets.definitions
"""


def test_every_asset_says_what_it_is() -> None:
    specs = build_defs().resolve_all_asset_specs()
    assert len(specs) > 60
    for what in ("group_name", "owners", "kinds", "description"):
        assert [spec.key.to_user_string() for spec in specs if not getattr(spec, what)] == []
    assert {spec.group_name for spec in specs} == {
        "raw", "staging", "identity", "unified", "marts", "graph", "vectors", "cache",
    }  # fmt: skip


def test_raw_assets_are_daily_and_run_a_range_at_once() -> None:
    raw = [
        asset
        for asset in build_defs().resolve_asset_graph().assets_defs
        if asset.keys and all(key.path[0].startswith("raw_") for key in asset.keys)
    ]
    assert len(raw) == 26
    assert all(isinstance(asset.partitions_def, dg.DailyPartitionsDefinition) for asset in raw)
    assert {asset.backfill_policy for asset in raw} == {dg.BackfillPolicy.single_run()}


def test_invariants_block_what_follows() -> None:
    graph = build_defs().resolve_asset_graph()
    blocking = {key.name for key in graph.asset_check_keys if graph.get_check_spec(key).blocking}
    only_warn = {key.name for key in graph.asset_check_keys} - blocking
    of_sources = {name for name in only_warn if name.startswith("every_value_of_")}
    assert only_warn - of_sources == WARNINGS
    assert len(of_sources) == 18
    assert blocking >= INVARIANTS


def test_a_failing_mart_stops_nothing_else() -> None:
    """Steps fail as a whole: nothing outside of the marts is after them."""
    graph = build_defs().resolve_asset_graph()
    marts = MARTS.keys | ANALYSES.keys
    after = {key for mart in marts for key in graph.get(mart).child_keys} - marts
    assert after == set()
    assert {graph.get(key).group_name for key in marts} == {"marts"}


def test_importing_knows_the_columns() -> None:
    specs = {spec.key: spec for spec in build_defs().resolve_all_asset_specs()}
    for part in (STAGING, UNIFIED, MARTS, ANALYSES):
        for key in part.keys:
            columns = specs[key].metadata["dagster/column_schema"].columns
            assert columns, key
            assert all(column.type != "?" and column.description for column in columns), key


def test_clocks_and_sensors_are_there_and_on() -> None:
    defs = build_defs()
    sensors = {sensor.name: sensor.default_status for sensor in defs.sensors or ()}
    running = dg.DefaultSensorStatus.RUNNING
    assert sensors == dict.fromkeys(("directus", "twenty", "mongo", "landing_zone", "change_feed", "follow"), running)
    assert {schedule.name for schedule in defs.schedules or ()} == {
        "every_morning",
        "every_week_reconcile",
        "every_night_upkeep",
    }
    assert defs.resolve_job_def("everything").partitions_def


def test_importing_opens_no_store(tmp_path: Path) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        [sys.executable, "-c", WATCH],
        env={"PATH": os.environ["PATH"], "SONIK_HOME": str(home)},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert not home.exists()
