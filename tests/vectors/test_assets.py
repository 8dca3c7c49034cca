from pathlib import Path

import dagster as dg
import pytest

from resources.dagster import Stores
from resources.settings import Settings
from resources.stores import lancedb
from sonik_assets.vectors.assets import ASSETS
from sonik_assets.vectors.checks import CHECKS
from tests.support.searchable import venue
from tests.support.unified import World


@pytest.fixture
def stores(place: Settings, monkeypatch: pytest.MonkeyPatch) -> Stores:
    assert place.postgres_url is not None
    monkeypatch.setenv("SONIK_HOME", str(place.home))
    monkeypatch.setenv("SONIK_POSTGRES_URL", place.postgres_url)
    monkeypatch.setenv("SONIK_LANCEDB_URI", place.lancedb_uri)
    return Stores()


def test_assets_fill_the_tables_and_their_checks_hold(stores: Stores, world: World) -> None:
    venue(world, "Club Niceto")
    result = dg.materialize([*ASSETS, *CHECKS], resources={"stores": stores})
    checks = result.get_asset_check_evaluations()
    assert [check.passed for check in checks] == [True] * 5
    (event,) = result.asset_materializations_for_node("vectors__entities")
    assert event.metadata["rows_out"].value == 1
    assert event.metadata["embedded"].value == 1


def test_a_surplus_row_fails_the_check(stores: Stores, place: Settings, world: World) -> None:
    surplus = venue(world, "Club Niceto")
    assert dg.materialize(ASSETS, resources={"stores": stores}).success
    world.pg.execute("delete from unified.entities")
    (check,) = [c for c in CHECKS if c.check_key.asset_key.path[-1] == "entities"]
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [*ASSETS, check],
            selection=dg.AssetSelection.checks(check),
            resources={"stores": stores},
            instance=instance,
            raise_on_error=False,
        )
    (evaluation,) = result.get_asset_check_evaluations()
    assert not evaluation.passed
    assert evaluation.metadata["sample"].value == [surplus]
    assert Path(place.lancedb_uri).exists()
    assert lancedb.table_names(lancedb.connect(place.lancedb_uri)) == [
        "concepts",
        "content",
        "entities",
        "events",
    ]
