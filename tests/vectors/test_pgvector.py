"""`unified.embeddings` holds what LanceDB holds, and row-level security holds for it."""

import uuid

import psycopg
import pytest

from resources.settings import Settings
from resources.stores import lancedb
from sonik_assets.migrations import FOLDER
from sonik_assets.serving.scope import Agent, Organizer, Staff, scoped
from sonik_assets.vectors import pgvector
from sonik_assets.vectors.parity import copy_parity
from sonik_assets.vectors.pgvector import Copied, copy
from sonik_assets.vectors.sync import sync
from tests.support.protected import protect
from tests.support.searchable import venue
from tests.support.unified import World


def run(place: Settings) -> Copied:
    done = copy(place, str(place.postgres_url))
    assert done is not None
    return done


def test_it_follows_and_agrees_with_lancedb(place: Settings, world: World) -> None:
    ids = [venue(world, f"Sala {n}", city="Lima") for n in range(4)]
    world.add("unified.content", title="Guía", body="palabra " * 200)
    first = run(place)
    assert (first.written, first.rows, first.texts.embedded) == (6, 6, 6)
    assert (run(place).why, run(place).written) == ("", 0)
    world.pg.execute("delete from unified.entities where id = %s", [ids[0]])
    world.pg.execute("update unified.entities set name = 'Otra' where id = %s", [ids[1]])
    changed = run(place)
    assert (changed.why, changed.written, changed.deleted, changed.rows) == ("", 1, 1, 5)
    for name in ("entities", "content"):
        sync(place, str(place.postgres_url), name)
        assert copy_parity(world.pg, name).holds
        table = lancedb.open_table(lancedb.connect(place.lancedb_uri), name)
        theirs = {row["id"]: row["vector"] for row in table.search().to_arrow().to_pylist()}
        query = "select id, vector::real[] from unified.embeddings where table_name = %s"
        ours = dict(world.pg.execute(query, [name]).fetchall())
        assert ours == {id: pytest.approx(vector, abs=1e-6) for id, vector in theirs.items()}


def test_a_join_in_sql_finds_the_nearest(place: Settings, world: World) -> None:
    club, theatre = venue(world, "Club de techno"), venue(world, "Teatro de ópera")
    run(place)
    nearest = """
    select e.id::text from unified.embeddings as v
    inner join unified.embeddings as mine on mine.document_id = %s
    inner join unified.entities as e on e.id = v.document_id and e.id <> mine.document_id
    order by v.vector <=> mine.vector
    """
    assert world.pg.execute(nearest, [club]).fetchall() == [(theatre,)]
    (index,) = world.pg.execute("select indexdef from pg_indexes where indexname = 'embeddings_vector'").fetchone()
    assert "hnsw" in index
    assert "vector_cosine_ops" in index


def test_a_lost_slot_means_comparing(place: Settings, world: World, database: str) -> None:
    gone = venue(world, "Sala")
    run(place)
    world.pg.execute("delete from unified.entities where id = %s", [gone])
    from sonik_assets.changes import slot

    with psycopg.connect(database, autocommit=True) as pg:
        slot.drop(pg)
    done = run(place)
    assert (done.deleted, done.rows) == (1, 0)
    assert "the log from" in done.why


def test_a_table_that_was_dropped_is_filled_again(place: Settings, world: World) -> None:
    venue(world, "Sala")
    run(place)
    world.pg.execute("drop table unified.embeddings")
    assert (run(place).rows, run(place).why) == (1, "")


def test_a_server_without_pgvector_is_left_alone(
    place: Settings, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector, "is_available", lambda _: False)
    assert copy(place, str(place.postgres_url)) is None
    assert world.pg.execute("select to_regclass('unified.embeddings')").fetchone() == (None,)


def test_each_role_sees_vectors_of_what_it_sees(place: Settings, world: World, database: str) -> None:
    mine, other = (world.entity("Organization", name) for name in ("Luna", "Sol"))
    person = world.entity("Person", "Ana")
    events = {owner: world.add("unified.events", name="Noche", organizer_id=owner) for owner in (mine, other)}
    protect(world.pg)
    world.pg.execute(rules())
    run(place)
    with psycopg.connect(database) as pg:
        assert seen(pg, Staff()) == {mine, other, person, *events.values()}
        assert seen(pg, Agent()) == {mine, other, *events.values()}
        assert seen(pg, Organizer(uuid.UUID(mine))) == {mine, events[mine]}
        assert seen(pg, Organizer(uuid.uuid4())) == set()


def rules() -> str:
    """Return what migration 0011 says of who sees vectors."""
    text = (FOLDER / "0011_vectors.sql").read_text()
    return text[text.index("insert into ops.access") :]


def seen(pg: psycopg.Connection, scope: Staff | Agent | Organizer) -> set[str]:
    with scoped(pg, scope) as reading:
        return {str(row[0]) for row in reading.execute("select document_id from unified.embeddings")}
