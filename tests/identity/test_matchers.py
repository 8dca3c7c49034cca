"""Matchers in the database: kept once, adopted by a person, trained anew where the code has moved on."""

import orjson
import pytest
from zstandard import ZstdCompressor, ZstdDecompressor

from resources.errors import TerminalError
from sonik_assets.identity import matchers
from sonik_assets.identity.matching.model import released
from sonik_assets.identity.resolve import Options, resolve


def test_the_first_run_adopts_one_of_each_type_there_is(world):
    world.mention("directus/artists/1", "artist", name="Nébula")
    resolve(world.connection)
    assert matchers.versions(world.connection) == {"artist": released("artist").version}
    with pytest.raises(TerminalError, match="sonik identity matchers"):
        matchers.adopt(world.connection, "artist-none")


def test_a_matcher_of_another_version_of_the_code_is_replaced_and_everything_read_again(world):
    world.mention("directus/artists/1", "artist", name="Nébula")
    world.mention("scraper/artist_profiles/ra:1", "artist", name="Nebula", instagram="@nebula")
    resolve(world.connection)
    ids = world.rows("select record_id, entity_id from identity.entity_map order by 1")
    content = orjson.loads(ZstdDecompressor().decompress(released("artist").payload()))
    content["model"]["comparisons"][0]["comparison_levels"][1]["label_for_charts"] = "of old"
    old = ZstdCompressor().compress(orjson.dumps(content))
    world.connection.execute("update identity.matchers set version = 'artist-old', payload = %s", [old])
    report = resolve(world.connection)
    assert report.full
    assert matchers.versions(world.connection) == {"artist": released("artist").version}
    assert world.rows("select record_id, entity_id from identity.entity_map order by 1") == ids
    assert not resolve(world.connection, options=Options()).full
