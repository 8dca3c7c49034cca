"""The vector tables in an object store: the same code, the same words."""

from dataclasses import replace

import pytest

from resources.errors import TerminalError
from resources.settings import Settings
from resources.stores import lance_versions
from sonik_assets.vectors.parity import parity
from sonik_assets.vectors.sync import sync
from sonik_assets.vectors.upkeep import erase_deleted, existing, go_back
from tests.support.object_store import bucket, s3_server  # noqa: F401 - a fixture
from tests.support.searchable import venue
from tests.support.unified import World


def test_a_bucket_holds_the_tables_as_a_folder_does(place: Settings, world: World, s3: str) -> None:
    there, url = replace(place, lancedb_uri=f"{bucket(s3)}/vectors"), str(place.postgres_url)
    gone = venue(world, "Sala Uno")
    assert sync(there, url, "entities", run="one").how == "anew"
    venue(world, "Sala Dos")
    world.pg.execute("delete from unified.entities where id = %s", [gone])
    followed = sync(there, url, "entities", run="two")
    assert (followed.how, followed.done.written, followed.done.deleted) == ("followed", 1, 1)
    assert parity(world.pg, there, "entities").holds
    assert [version.rows for version in lance_versions.versions(existing(there, "entities"))] == [1, 1]
    assert go_back(there, url, "entities", "run-one") == 1
    assert sync(there, url, "entities").how == "compared"
    assert erase_deleted(there, url, "entities").versions == 1
    assert parity(world.pg, there, "entities").holds


def test_a_bucket_that_is_not_there_is_named(place: Settings, world: World, s3: str) -> None:
    nowhere = replace(place, lancedb_uri="s3://no-such-bucket/vectors")
    venue(world, "Sala Uno")
    with pytest.raises(TerminalError, match="s3://no-such-bucket/vectors"):
        sync(nowhere, str(place.postgres_url), "entities")
