"""Indexes, versions and what is really gone from the disk."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from resources.errors import TerminalError
from resources.settings import Settings
from resources.stores import lance_indexes, lance_versions, lancedb
from sonik_assets.vectors import upkeep as keeping
from sonik_assets.vectors.sync import sync
from sonik_assets.vectors.upkeep import erase_deleted, existing, sweep, upkeep
from tests.support.searchable import venue
from tests.support.unified import World

ERASED = "Fulana Secretísima"


def found_on_disk(folder: str, text: str) -> list[str]:
    return [path.name for path in Path(folder).rglob("*") if path.is_file() and text.encode() in path.read_bytes()]


def test_what_was_deleted_is_on_no_disk_after_it_is_erased(place: Settings, world: World) -> None:
    url = str(place.postgres_url)
    gone = venue(world, ERASED)
    venue(world, "Sala Uno")
    sync(place, url, "entities", run="one")
    world.pg.execute("delete from unified.entities where id = %s", [gone])
    sync(place, url, "entities", run="two")
    assert found_on_disk(place.lancedb_uri, ERASED), "or the test looks for the wrong bytes"
    kept = erase_deleted(place, url, "entities")
    assert (kept.rows, kept.versions) == (1, 1)
    assert found_on_disk(place.lancedb_uri, ERASED) == []
    assert found_on_disk(place.lancedb_uri, "secretisima") == []
    assert (sweep(place, url, at_once=False), sweep(place, url, at_once=True)) == (0, 1)
    assert world.pg.execute("select count(*) from ops.embeddings").fetchone() == (1,)
    said = sync(place, url, "entities")
    assert (said.how, said.lance_versions) == ("followed", 0), "the position came along"
    table = existing(place, "entities")
    assert table.search("sala", query_type="fts", fts_columns="text").to_list()


def test_upkeep_cleans_old_versions_and_keeps_the_position(
    place: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = str(place.postgres_url)
    for n in range(4):
        venue(world, f"Sala {n}")
        sync(place, url, "entities", run=f"{n}")
    table = existing(place, "entities")
    assert len(lance_versions.versions(table)) == 4
    assert upkeep(place, url, "entities").cleaned <= 0, "a week has not passed"
    monkeypatch.setattr(keeping.lance_versions, "KEPT", timedelta(0))
    kept = upkeep(place, url, "entities")
    assert (kept.rows, kept.versions) == (4, 1)
    assert sync(place, url, "entities").how == "followed"
    assert upkeep(place, url, "entities").versions == 1


def test_without_a_table_there_is_nothing_to_keep(place: Settings, world: World) -> None:
    with pytest.raises(TerminalError, match="has no table entities"):
        upkeep(place, str(place.postgres_url), "entities")


def rows(count: int, first: int = 0) -> pa.Table:
    dice = np.random.default_rng(first)
    vectors = dice.normal(size=(count, 384)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    ids = [f"{first + n}" for n in range(count)]
    given = {
        "id": ids,
        "document_id": ids,
        "text": [f"canción número {id}" for id in ids],
        "text_folded": [f"apresentacao numero {id}" for id in ids],
        "vector": pa.FixedSizeListArray.from_arrays(pa.array(vectors.ravel()), 384),
    }
    columns = [given.get(field.name, pa.nulls(count, field.type)) for field in lancedb.SCHEMA]
    return pa.table([pa.array(c) if isinstance(c, list) else c for c in columns], schema=lancedb.SCHEMA)


def test_a_vector_index_is_made_when_it_pays_and_again_when_many_are_outside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lance_indexes, "VECTOR_ROWS", 500)
    monkeypatch.setattr(lance_indexes, "VECTOR_OUTSIDE", 800)
    table = lancedb.overwrite(lancedb.connect(str(tmp_path)), "t", iter(rows(499).to_batches()), {})
    lance_indexes.ensure(table)
    assert "vector" not in {index.columns[0] for index in table.list_indices()}
    table.add(rows(200, 1_000))
    lance_indexes.ensure(table)
    (index,) = [index for index in table.list_indices() if index.columns == ["vector"]]
    assert (index.num_indexed_rows, index.num_unindexed_rows) == (699, 0)
    version = table.version
    lance_indexes.ensure(table)
    assert table.version == version
    table.add(rows(799, 5_000))
    lance_indexes.ensure(table)
    assert outside(table) == 799
    table.add(rows(2, 9_000))
    lance_indexes.ensure(table)
    assert outside(table) == 0


def outside(table) -> int:  # type: ignore[no-untyped-def]
    return next(index.num_unindexed_rows for index in table.list_indices() if index.columns == ["vector"])


@pytest.mark.parametrize(
    ("column", "asked"), [("text", "canciones"), ("text", "CANCION"), ("text_folded", "apresentação")]
)
def test_words_are_found_stemmed_in_spanish_and_folded_in_any_language(tmp_path: Path, column: str, asked: str) -> None:
    table = lancedb.overwrite(lancedb.connect(str(tmp_path)), "t", iter(rows(3).to_batches()), {})
    lance_indexes.ensure(table)
    assert len(table.search(asked, query_type="fts", fts_columns=column).to_list()) == 3


def test_two_merges_at_once_leave_one_row_a_key(tmp_path: Path) -> None:
    table = lancedb.overwrite(lancedb.connect(str(tmp_path)), "t", iter(rows(10).to_batches()), {})
    lance_indexes.ensure(table)
    others = [lancedb.open_table(lancedb.connect(str(tmp_path)), "t") for _ in range(3)]
    for other in others:
        merge = other.merge_insert("id").use_index(False)  # noqa: FBT003 - their signature
        merge.when_matched_update_all().when_not_matched_insert_all().execute(rows(5, 100))
    table.checkout_latest()
    assert table.count_rows() == 15
