"""A LanceDB table follows the change feed, and is compared or made anew where the feed cannot tell."""

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import psycopg
import pyarrow as pa
import pytest

from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from resources.encoders import Embedded, encoder
from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.stores import lance_versions, lancedb
from sonik_assets.changes import acks, slot
from sonik_assets.changes.writer import only_writer
from sonik_assets.vectors import sync as syncing
from sonik_assets.vectors.documents import PASSAGE_WORDS, SHOWN
from sonik_assets.vectors.parity import parity
from sonik_assets.vectors.position import place as place_of
from sonik_assets.vectors.sync import Synced, store_of, sync
from sonik_assets.vectors.upkeep import go_back, upkeep
from tests.support.searchable import venue, world_in
from tests.support.unified import World


def run(place: Settings, name: str = "entities", tag: str = "") -> Synced:
    assert place.postgres_url is not None
    return sync(place, place.postgres_url, name, run=tag)


def opened(place: Settings, name: str = "entities"):  # type: ignore[no-untyped-def]
    return lancedb.open_table(lancedb.connect(place.lancedb_uri), name)


def rows(place: Settings, name: str = "entities") -> list[dict]:
    return opened(place, name).search().limit(None).to_arrow().to_pylist()


def counts(said: Synced) -> tuple[str, int, int, int]:
    return said.how, said.done.written, said.done.deleted, said.done.texts.embedded


def test_first_run_writes_all_and_second_nothing(place: Settings, world: World) -> None:
    id = venue(world, "Club Niceto", city="Bogotá", country="Colombia", genres=["Techno", "Música"], bio="Sala")
    first, second = run(place), run(place)
    assert (counts(first), first.rows) == (("anew", 1, 0, 1), 1)
    assert (counts(second), second.lance_versions, second.changes) == (("followed", 0, 0, 0), 0, 0)
    (row,) = rows(place)
    assert row["text"] == "Club Niceto. venue, lugar. Bogotá, Colombia. Techno, Música. Sala"
    assert row["text_folded"] == "club niceto. venue, lugar. bogota, colombia. techno, musica. sala"
    assert (row["id"], row["document_id"], row["kind"], row["city_key"]) == (id, id, "venue", "bogota")
    assert row["genre_keys"] == ["techno", "musica"]
    parts = ["club niceto", "venue", "lugar", "bogota", "colombia", "techno", "musica", "sala"]
    words = {"name_words": "club niceto", "parts": parts}
    assert json.loads(row["shown"]) == {name: row[name] for name in SHOWN} | words
    assert np.linalg.norm(row["vector"]) == pytest.approx(1, abs=1e-5)


def test_only_a_new_text_is_embedded(place: Settings, world: World) -> None:
    ids = [venue(world, f"Sala {n}", city="Lima") for n in range(5)]
    run(place)
    world.pg.execute("update unified.entities set updated_at = now() + interval '1 day' where id = %s", [ids[0]])
    assert counts(run(place)) == ("followed", 1, 0, 0)
    world.pg.execute("update unified.entities set name = 'Otra' where id = %s", [ids[1]])
    venue(world, "Sala 2", city="Lima")
    assert counts(run(place)) == ("followed", 2, 0, 1)
    assert len(rows(place)) == 6
    world.pg.execute("update unified.entities set name = 'Sala 1' where id = %s", [ids[1]])
    assert counts(run(place)) == ("followed", 1, 0, 0), "a text that comes back is not embedded again"


def test_vanished_rows_are_deleted(place: Settings, world: World) -> None:
    ids = [venue(world, f"Sala {n}") for n in range(4)]
    run(place)
    world.pg.execute("delete from unified.entities where id = any(%s)", [ids[:2]])
    assert counts(run(place)) == ("followed", 0, 2, 0)
    assert {row["id"] for row in rows(place)} == set(ids[2:])
    world.pg.execute("delete from unified.entities")
    assert run(place).done.deleted == 2
    assert run(place).lance_versions == 0


def test_a_merge_leaves_one_and_events_follow_it(place: Settings, world: World) -> None:
    kept, gone = venue(world, "Sala Uno", city="Lima"), venue(world, "Sala 1", city="Lima")
    event = world.add("unified.events", name="Noche", venue_id=gone, local_date=date(2026, 5, 1))
    run(place), run(place, "events")
    with world.pg.transaction():
        world.pg.execute("update unified.events set venue_id = %s", [kept])
        world.pg.execute("delete from unified.entities where id = %s", [gone])
        world.add("identity.redirects", old_id=gone, new_id=kept, reason="merged")
    run(place), run(place, "events")
    assert [row["id"] for row in rows(place)] == [kept]
    assert [(row["id"], row["text"]) for row in rows(place, "events")] == [(event, "Noche. Sala Uno. Lima. 2026-05-01")]


def test_an_event_is_written_anew_when_its_artist_or_venue_is_renamed(place: Settings, world: World) -> None:
    at = world.entity("Venue", "Matucana 100", city="Santiago")
    artist = world.entity("Artist", "Ana Tijoux")
    event = world.add("unified.events", name="Noche Rap", venue_id=at, local_date=date(2026, 5, 1), genres=["Rap"])
    world.add("unified.event_artists", event_id=event, artist_id=artist)
    run(place, "events")
    (row,) = rows(place, "events")
    assert row["text"] == "Noche Rap. Ana Tijoux. Matucana 100. Santiago. Rap. 2026-05-01"
    assert (row["city"], row["local_date"], row["genres"]) == ("Santiago", date(2026, 5, 1), ["Rap"])
    world.pg.execute("update unified.entities set name = 'Anita' where id = %s", [artist])
    assert counts(run(place, "events")) == ("followed", 1, 0, 1)
    world.pg.execute("delete from unified.event_artists")
    run(place, "events")
    assert rows(place, "events")[0]["text"] == "Noche Rap. Matucana 100. Santiago. Rap. 2026-05-01"


def test_a_long_text_is_in_passages_that_overlap(place: Settings, world: World) -> None:
    words = [f"palabra{n}" for n in range(300)]
    id = world.add("unified.content", type="article", title="Guía", city="Lima", body=" ".join(words))
    world.add("unified.content", title="Nota")
    assert run(place, "content").rows == 4
    passages = {row["id"]: row["text"].removeprefix("Guía. Lima. ").split() for row in rows(place, "content")}
    assert {i for i in passages if i.startswith(id)} == {f"{id}#{n}" for n in range(3)}
    assert [len(text) <= PASSAGE_WORDS for text in passages.values()] == [True] * 4
    told = [passages[f"{id}#{n}"] for n in range(3)]
    assert [one[-24:] == next[:24] for one, next in pairwise(told)] == [True] * 2
    assert {word for text in told for word in text} == set(words)
    world.pg.execute("update unified.content set body = 'corto' where id = %s", [id])
    assert counts(run(place, "content"))[1:3] == (1, 2)
    assert [row["text"] for row in rows(place, "content") if row["document_id"] == id] == ["Guía. Lima. corto"]


def test_an_empty_source_makes_an_empty_table(place: Settings, world: World) -> None:
    assert (run(place).rows, rows(place)) == (0, [])
    assert run(place).lance_versions == 0
    venue(world, "Sala")
    assert counts(run(place)) == ("followed", 1, 0, 1)


def test_what_was_missed_is_found_by_comparing(place: Settings, world: World, database: str) -> None:
    ids = [venue(world, f"Sala {n}") for n in range(4)]
    run(place)
    world.pg.execute("delete from unified.entities where id = %s", [ids[0]])
    world.pg.execute("update unified.entities set name = 'Otra' where id = %s", [ids[1]])
    with psycopg.connect(database, autocommit=True) as pg:
        slot.drop(pg)
    assert counts(run(place)) == ("compared", 1, 1, 1)
    assert parity(world.pg, place, "entities").holds


def test_going_back_is_seen_and_made_good(place: Settings, world: World) -> None:
    venue(world, "Sala Uno")
    run(place, tag="first")
    venue(world, "Sala Dos")
    run(place, tag="second")
    assert [version.tag for version in lance_versions.versions(opened(place))] == ["run-second", "run-first"]
    assert go_back(place, str(place.postgres_url), "entities", "run-first") == 1
    assert [row["name"] for row in rows(place)] == ["Sala Uno"]
    assert counts(run(place)) == ("compared", 1, 0, 0)
    with pytest.raises(TerminalError, match="no version 'run-never'"):
        go_back(place, str(place.postgres_url), "entities", "run-never")


def test_an_older_copy_of_the_folder_is_noticed(place: Settings, world: World, tmp_path: Path) -> None:
    venue(world, "Sala Uno")
    run(place)
    shutil.copytree(place.lancedb_uri, tmp_path / "copy")
    venue(world, "Sala Dos")
    run(place)
    shutil.rmtree(place.lancedb_uri)
    shutil.copytree(tmp_path / "copy", place.lancedb_uri)
    assert "an older copy" in run(place).why
    assert parity(world.pg, place, "entities").holds
    shutil.rmtree(place.lancedb_uri)
    assert run(place).why == "there is no table yet"


def test_a_table_of_other_columns_is_made_anew(place: Settings, world: World) -> None:
    venue(world, "Sala Uno")
    lancedb.connect(place.lancedb_uri).create_table("entities", pl.DataFrame({"id": ["a"], "old": [1]}).to_arrow())
    assert counts(run(place)) == ("anew", 1, 0, 1)
    assert lancedb.has_our_schema(opened(place))


class Other:
    """Another model: MiniLM under another name, or what it is told to return."""

    dimension, max_tokens, languages = 384, 256, ("en",)

    def __init__(self, place: Settings, vectors: np.ndarray | None = None, model_id: str = "other") -> None:
        self.inner, self.vectors, self.model_id = encoder(place), vectors, model_id
        self.asked = 0

    def embed(self, texts: list[str]) -> Embedded:
        self.asked += len(texts)
        return Embedded(self.vectors, 0) if self.vectors is not None else self.inner.embed(texts)


def test_another_model_embeds_all_again_into_one_new_version(
    place: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue(world, "Sala Uno"), venue(world, "Sala Dos")
    run(place)
    reader = opened(place)
    monkeypatch.setattr(syncing, "encoder", lambda _: Other(place))
    said = run(place)
    assert (counts(said), said.why) == (
        ("anew", 2, 0, 2),
        "texts or vectors were made by other rules, or another model",
    )
    assert {row["model"] for row in rows(place)} == {"other"}
    assert lancedb.facts(opened(place))["model"] == "other"
    assert {row["model"] for row in reader.search().to_arrow().to_pylist()} != {"other"}, "who reads has one version"
    monkeypatch.undo()
    assert counts(run(place)) == ("anew", 2, 0, 0), "the first model's vectors are kept"


@pytest.mark.parametrize(
    "vectors",
    [
        np.ones((1, 10), np.float32),
        np.ones((2, 384), np.float32),
        np.full((1, 384), np.nan, np.float32),
        np.zeros((1, 384), np.float32),
    ],
)
def test_a_bad_vector_leaves_table_and_cache_untouched(
    place: Settings, world: World, vectors: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue(world, "Sala Uno")
    run(place)
    world.pg.execute("update unified.entities set name = 'Otra'")
    before = opened(place).version
    model = encoder(place).model_id
    with monkeypatch.context() as patched:
        patched.setattr(syncing, "encoder", lambda _: Other(place, vectors, model))
        with pytest.raises(TerminalError, match="nothing was written"):
            run(place)
    assert (opened(place).version, rows(place)[0]["name"]) == (before, "Sala Uno")
    assert world.pg.execute("select count(*) from ops.embeddings").fetchone() == (1,)
    assert counts(run(place)) == ("followed", 1, 0, 1)


def test_two_do_not_write_one_table(place: Settings, world: World, database: str) -> None:
    with psycopg.connect(database, autocommit=True) as other, only_writer(other, "vectors/entities"):
        with pytest.raises(TransientError, match="another process"):
            run(place)
        assert run(place, "concepts").rows == 0


def test_a_position_is_in_the_table_before_postgresql_is_told(
    place: Settings, world: World, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    venue(world, "Sala Uno")
    run(place)
    venue(world, "Sala Dos")

    def cut_short(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(syncing.acks, "acknowledge", cut_short)
        with pytest.raises(KeyboardInterrupt):
            run(place)
    with psycopg.connect(database, autocommit=True) as pg:
        acked, own = acks.acknowledged(pg, store_of("entities")), place_of(opened(place))
        assert acked is not None
        assert own is not None
        assert own.lsn > acked.lsn
    assert counts(run(place))[1:3] == (0, 0)
    assert parity(world.pg, place, "entities").holds


KILLED = """
import os, signal, sys
from resources.settings import Settings
from resources.embedded import Endpoints
from resources.embedded.urls import with_database
from resources.encoders import onnx
from sonik_assets.vectors import embedding, sync
embedding.CHUNK, left = 4, [int(sys.argv[1])]
keep = embedding._keep
def kept(*given):
    keep(*given)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
embedding._keep = kept
settings = Settings.from_env(os.environ)
sync.sync(settings, settings.postgres_url, "entities")
"""


def test_what_a_killed_run_embedded_is_not_embedded_again(place: Settings, world: World) -> None:
    for n in range(12):
        venue(world, f"Sala número {n}")
    environment = os.environ | {
        "SONIK_HOME": str(place.home),
        "SONIK_POSTGRES_URL": str(place.postgres_url),
        "SONIK_LANCEDB_URI": place.lancedb_uri,
    }
    killed = subprocess.run([sys.executable, "-c", KILLED, "2"], env=environment, cwd=Path.cwd(), check=False)
    assert killed.returncode == -signal.SIGKILL
    assert opened(place) is None, "a table is there whole or not at all"
    assert counts(run(place)) == ("anew", 12, 0, 4)


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


def test_an_enormous_and_an_odd_text_are_searchable_like_any(place: Settings, world: World) -> None:
    venue(world, "x" * 2_000_000)
    venue(world, "🎉 \u202e\ufffd ñandú\n\t'); drop table--")
    said = run(place)
    assert (said.rows, said.done.texts.truncated) == (2, 1)


def test_upkeep_does_not_take_what_somebody_else_wrote_for_ours(place: Settings, world: World) -> None:
    ids = [venue(world, f"Sala {n}") for n in range(3)]
    run(place)
    opened(place).delete(f"id = '{ids[0]}'")
    upkeep(place, str(place.postgres_url), "entities")
    assert counts(run(place)) == ("compared", 1, 0, 0)
    assert parity(world.pg, place, "entities").holds


def test_rows_that_are_there_twice_or_of_no_document_are_mended(place: Settings, world: World) -> None:
    venue(world, "Vieja")
    run(place)
    table = opened(place)
    twice = table.search().to_arrow()
    table.add(twice)
    none = twice.set_column(twice.schema.get_field_index("document_id"), "document_id", pa.nulls(1, pa.string()))
    table.add(none.set_column(0, table.schema.field("id"), pa.array(["stray"])))
    world.pg.execute("update unified.entities set name = 'Nueva'")
    assert run(place).how == "compared"
    assert [row["name"] for row in rows(place)] == ["Nueva"]
    assert run(place).lance_versions == 0


def test_a_folder_that_was_made_of_another_database_is_made_anew(
    place: Settings, world: World, endpoints: Endpoints
) -> None:
    venue(world, "Sala Uno")
    run(place)
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(endpoints.postgres, autocommit=True) as pg:
        pg.execute(f"create database {name} template template0")
        other = with_database(endpoints.postgres, name)
        with world_in(other) as second:
            venue(second, "Sala Dos")
            assert sync(place, other, "entities").why == "it was made of another database"
        assert run(place).why == "it was made of another database"
        assert parity(world.pg, place, "entities").holds
        pg.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = %s", [name])
        pg.execute(f"drop database {name} with (force)")


@pytest.mark.parametrize("day", ["12026-01-01", "0044-03-15 BC", "infinity"])
def test_a_day_that_no_calendar_has_is_none(place: Settings, world: World, day: str) -> None:
    world.pg.execute("insert into unified.events (name, local_date) values ('Noche', %s::date)", [day])
    run(place, "events")
    (row,) = rows(place, "events")
    assert (row["text"], row["local_date"]) == ("Noche", None)


def test_a_text_as_long_as_a_book_is_read_in_no_time(place: Settings, world: World) -> None:
    world.add("unified.content", title="Libro", body="palabra " * 40_000)
    world.pg.execute("set statement_timeout = '5s'")  # split once a passage it takes a minute
    assert parity(world.pg, place, "content").expected == 209
