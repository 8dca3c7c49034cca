"""The Dagster side: outputs, metadata, and checks that fail on what breaks an invariant."""

import dagster as dg
import psycopg
import pytest

from resources.dagster import Stores
from resources.errors import TransientError
from sonik_assets.identity.assets import ASSETS
from sonik_assets.identity.checks import CHECKS, INVARIANTS


@pytest.fixture
def stores(world, database, tmp_path, monkeypatch):
    world.mention("directus/venues/1", "venue", name="Nebula", instagram="@nebula", website="no site")
    world.event("directus/events/1", name="X", venue="directus/venues/1", starts_at_text="2026-03-01")
    monkeypatch.setenv("SONIK_EXPORTS", str(tmp_path))
    monkeypatch.setattr(Stores, "postgres", lambda _: psycopg.connect(database))
    return Stores()


def test_the_step_reports_what_it_did(stores):
    result = dg.materialize([*ASSETS, *CHECKS], resources={"stores": stores})
    assert result.success
    seen = {
        event.asset_key.path[-1]: {key: value.value for key, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }
    assert set(seen) == {"identifiers", "entity_map", "visitors"}
    assert all({"rows_in", "rows_out", "rows_rejected", "seconds"} <= set(values) for values in seen.values())
    assert seen["entity_map"]["entities"] == {"venue": 1, "event": 1}
    assert seen["identifiers"]["refused"] == {"domain: not a URL": 1}
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert set(checks) == set(INVARIANTS)
    assert all(check.passed and check.blocking for check in checks.values())


@pytest.mark.parametrize(
    ("damage", "check"),
    [
        (
            "alter table identity.entities drop constraint entities_entity_type_canonical_scheme_canonical_id_key;"
            "insert into identity.entities select uuidv7(), entity_type, canonical_scheme, canonical_id, first_seen_at"
            " from identity.entities",
            "no_shared_canonical_ids",
        ),
        ("delete from identity.entity_map where table_name = 'venues'", "every_record_in_one_entity"),
        ("delete from identity.entities where entity_type = 'event'", "every_record_in_one_entity"),
    ],
)
def test_a_broken_invariant_fails_its_check_with_a_sample(stores, world, damage, check):
    dg.materialize(ASSETS, resources={"stores": stores})
    world.connection.execute(damage)
    only_checks = dg.AssetSelection.checks(*CHECKS)
    result = dg.materialize(
        [*ASSETS, *CHECKS], selection=only_checks, resources={"stores": stores}, raise_on_error=False
    )
    found = {check.check_name: check for check in result.get_asset_check_evaluations() if not check.passed}
    assert check in found
    assert found[check].metadata["violations"].value >= 1
    assert len(found[check].metadata["sample"].value) >= 1
    assert "select" in str(found[check].metadata["sql"].value)


def test_a_dead_server_is_one_clear_error(monkeypatch, tmp_path):
    monkeypatch.setenv("SONIK_HOME", str(tmp_path))
    with pytest.raises(TransientError, match="sonik up"):
        dg.materialize(ASSETS, resources={"stores": Stores()})
