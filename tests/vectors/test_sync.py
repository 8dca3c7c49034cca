from datetime import date

import numpy as np
import polars as pl
import pytest

from resources.embedder import Embedded, encoder
from resources.errors import TerminalError
from resources.settings import Settings
from resources.stores import lancedb
from sonik_assets.vectors.documents import TABLES, desired
from sonik_assets.vectors.parity import parity
from sonik_assets.vectors.sync import Synced, apply, sync
from tests.support.searchable import venue
from tests.support.unified import World


def run(place: Settings, name: str = "entities") -> Synced:
    assert place.postgres_url is not None
    return sync(place, place.postgres_url, name)


def rows(place: Settings, name: str = "entities") -> list[dict]:
    table = lancedb.open_table(lancedb.connect(place.lancedb_uri), name)
    return table.search().to_arrow().to_pylist()


def test_first_run_writes_all_and_second_nothing(place: Settings, world: World) -> None:
    id = venue(world, "Club Niceto", city="Bogotá", country="Colombia", genres=["Techno", "Música"], bio="Sala")
    first, second = run(place), run(place)
    assert (first.rows, first.written, first.embedded, first.lance_versions > 0) == (1, 1, 1, True)
    assert second == Synced(rows=1, written=0, deleted=0, embedded=0, truncated=0, lance_versions=0)
    (row,) = rows(place)
    assert row["text"] == "Club Niceto. venue, lugar. Bogotá, Colombia. Techno, Música. Sala"
    assert (row["id"], row["kind"], row["city_key"], row["genre_keys"]) == (
        id,
        "venue",
        "bogota",
        ["techno", "musica"],
    )
    assert np.linalg.norm(row["vector"]) == pytest.approx(1, abs=1e-5)


def test_only_a_new_text_is_embedded(place: Settings, world: World) -> None:
    ids = [venue(world, f"Sala {n}", city="Lima") for n in range(5)]
    run(place)
    world.pg.execute("update unified.entities set updated_at = now() + interval '1 day' where id = %s", [ids[0]])
    touched = run(place)
    assert (touched.written, touched.embedded) == (1, 0)
    world.pg.execute("update unified.entities set name = 'Otra' where id = %s", [ids[1]])
    venue(world, "Sala 2", city="Lima")
    changed = run(place)
    assert (changed.written, changed.embedded) == (2, 1)
    assert len(rows(place)) == 6


def test_vanished_rows_are_deleted(place: Settings, world: World) -> None:
    ids = [venue(world, f"Sala {n}") for n in range(4)]
    run(place)
    world.pg.execute("delete from unified.entities where id = any(%s)", [ids[:2]])
    assert run(place).deleted == 2
    assert {row["id"] for row in rows(place)} == set(ids[2:])
    world.pg.execute("delete from unified.entities")
    assert run(place).deleted == 2
    assert run(place).lance_versions == 0


def test_an_unfinished_index_is_finished_by_the_next_run(place: Settings, world: World) -> None:
    venue(world, "Sala Uno")
    run(place)
    table = lancedb.ensure_table(lancedb.connect(place.lancedb_uri), "entities")
    table.drop_index("text_idx")
    assert run(place).lance_versions > 0
    assert run(place).lance_versions == 0


def test_events_hold_line_up_venue_and_date(place: Settings, world: World) -> None:
    at = world.entity("Venue", "Matucana 100", city="Santiago")
    artist = world.entity("Artist", "Ana Tijoux")
    event = world.add("unified.events", name="Noche Rap", venue_id=at, local_date=date(2026, 5, 1), genres=["Rap"])
    world.add("unified.event_artists", event_id=event, artist_id=artist)
    run(place, "events")
    (row,) = rows(place, "events")
    assert row["text"] == "Noche Rap. Ana Tijoux. Matucana 100. Santiago. Rap. 2026-05-01"
    assert (row["city"], row["local_date"], row["genres"]) == ("Santiago", date(2026, 5, 1), ["Rap"])


def test_content_and_concepts(place: Settings, world: World) -> None:
    world.add("unified.content", type="article", title="Guía", city="Lima", body="palabra " * 900)
    world.add("unified.content", title="Nota")
    world.add("unified.concepts", name="Ticketing", domain="sales")
    assert run(place, "content").rows == 2
    assert {row["kind"] for row in rows(place, "content")} == {"article", "content"}
    run(place, "concepts")
    assert [row["text"] for row in rows(place, "concepts")] == ["Ticketing. sales"]


def test_an_empty_source_makes_an_empty_table(place: Settings, world: World) -> None:
    assert (run(place).rows, rows(place)) == (0, [])
    assert run(place).lance_versions == 0


class Broken:
    """An encoder that returns what it is told to."""

    model_id, dimension, max_tokens = "broken", 384, 256

    def __init__(self, vectors: np.ndarray) -> None:
        self.vectors = vectors

    def embed(self, texts: list[str]) -> Embedded:
        return Embedded(self.vectors, 0)


@pytest.mark.parametrize(
    "vectors",
    [np.ones((1, 10), np.float32), np.ones((2, 384), np.float32), np.full((1, 384), np.nan, np.float32)],
)
def test_a_bad_vector_leaves_the_table_untouched(
    place: Settings, world: World, database: str, vectors: np.ndarray
) -> None:
    venue(world, "Sala Uno")
    run(place)
    world.pg.execute("update unified.entities set name = 'Otra'")
    table = lancedb.ensure_table(lancedb.connect(place.lancedb_uri), "entities")
    before = table.version
    with pytest.raises(TerminalError, match="nothing was written"):
        apply(table, desired(database, TABLES["entities"], "broken"), Broken(vectors))  # type: ignore[arg-type]
    assert (table.version, rows(place)[0]["name"]) == (before, "Sala Uno")


def test_another_model_embeds_everything_again(place: Settings, world: World, database: str) -> None:
    venue(world, "Sala Uno")
    run(place)
    table = lancedb.ensure_table(lancedb.connect(place.lancedb_uri), "entities")
    other = desired(database, TABLES["entities"], "other model")
    assert apply(table, other, encoder(place)).embedded == 1


def test_parity_names_what_is_missing_and_what_is_surplus(place: Settings, world: World) -> None:
    kept = venue(world, "Sala Uno")
    surplus = venue(world, "Sala Dos")
    assert parity(world.pg, place, "entities").missing == tuple(sorted([kept, surplus]))
    run(place)
    assert parity(world.pg, place, "entities").holds
    world.pg.execute("delete from unified.entities where id = %s", [surplus])
    missing = venue(world, "Sala Tres")
    found = parity(world.pg, place, "entities")
    assert (found.holds, found.missing, found.surplus) == (False, (missing,), (surplus,))


def test_hashes_follow_model_and_text(world: World, database: str) -> None:
    venue(world, "Sala Uno")
    one, two = (desired(database, TABLES["entities"], model) for model in ("a", "b"))
    assert one["text_hash"][0] != two["text_hash"][0]
    assert isinstance(one, pl.DataFrame)
