"""Answers follow the change feed: what changed is dropped, never before graphs and vectors have it."""

import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import redis

from resources.encoders import Vectors
from resources.errors import TransientError
from resources.settings import Settings
from sonik_assets.cache import drop
from sonik_assets.cache.drop import STORE, Dropped
from sonik_assets.changes import acks, slot
from sonik_assets.changes.lsn import Lsn
from sonik_assets.changes.writer import only_writer
from sonik_assets.serving import shelf
from sonik_assets.serving.answers import Asked, Made, answer
from sonik_assets.serving.shelf import Held
from tests.support import feed
from tests.support.vectors import unit

TABLES = """
create table unified.event_artists (event_id uuid, artist_id uuid, primary key (event_id, artist_id));
create table unified.tickets (id uuid primary key, purchase_id uuid, event_id uuid, person_id uuid);
create table unified.events (id uuid primary key, name text, venue_id uuid);
create table unified.concepts (id uuid primary key, name text);
select ops.publish('unified.event_artists'), ops.publish('unified.tickets'), ops.publish('unified.events'),
    ops.publish('unified.concepts');
"""


@pytest.fixture
def pg(database: str) -> Iterator["psycopg.Connection[Any]"]:
    with feed.connect(database) as made, made.transaction():
        feed.migrate(made)
        made.execute(feed.TABLES + TABLES)
    with feed.followed(database) as connection:
        yield connection


@pytest.fixture
def held(client: redis.Redis, place: Settings) -> Held:
    return shelf.held(place, client)


@pytest.fixture
def followed(pg: "psycopg.Connection[Any]", place: Settings, held: Held) -> Settings:
    """Return settings whose answers are up to date."""
    assert follow(place, held).emptied == "nobody knows how far the answers are"
    return place


def follow(place: Settings, held: Held, **more: Any) -> Dropped:
    assert place.postgres_url is not None
    return drop.follow(place.postgres_url, held, **more)


def ids(count: int) -> list[str]:
    return [str(uuid.uuid4()) for _ in range(count)]


def keep(place: Settings, prompt: str, *cites: str, kind: str = "query", vector: Vectors | None = None) -> None:
    near = unit() if vector is None else vector
    answer(place, Asked(kind, prompt, "", "staff"), lambda: near, lambda _: Made(prompt, frozenset(cites)))


def kept(held: Held) -> set[str]:
    return {about["prompt"] for about, _ in held.entries.about()}


def test_what_cites_a_changed_record_is_dropped(followed: Settings, held: Held, pg: "psycopg.Connection[Any]") -> None:
    one, other, new = ids(3)
    pg.execute("insert into unified.entities values (%s), (%s)", [one, other])
    follow(followed, held)
    keep(followed, "one", one)
    keep(followed, "other", other)
    keep(followed, "total", "*")
    pg.execute("update unified.entities set name = 'x' where id = %s", [one])
    done = follow(followed, held)
    assert (done.changed, done.answers, done.emptied) == (1, 2, "")
    assert kept(held) == {"other"}
    assert follow(followed, held) == Dropped()
    pg.execute("delete from unified.entities where id = %s", [other])
    pg.execute("insert into unified.entities values (%s)", [new])
    assert {each["prompt"] for each in follow(followed, held).asked} == {"other"}


def test_rows_tell_the_records_that_they_belong_to(
    followed: Settings, held: Held, pg: "psycopg.Connection[Any]"
) -> None:
    before, after, start, event, artist, ticket, person, edge = ids(8)
    pg.execute("insert into unified.relationships values (%s, 'A', %s, 'T', 'B', %s)", [edge, start, before])
    pg.execute("insert into unified.event_artists values (%s, %s)", [event, artist])
    pg.execute("insert into unified.tickets values (%s, null, %s, %s)", [ticket, event, person])
    follow(followed, held)
    for name, id in {"start": start, "before": before, "after": after}.items():
        keep(followed, name, id)
    pg.execute("update unified.relationships set to_id = %s where id = %s", [after, edge])
    assert {each["prompt"] for each in follow(followed, held).asked} == {"start", "before", "after"}
    for name, id in {"event": event, "artist": artist}.items():
        keep(followed, name, id)
    pg.execute("delete from unified.event_artists")
    assert {each["prompt"] for each in follow(followed, held).asked} == {"event", "artist"}
    for name, id in {"event": event, "person": person}.items():
        keep(followed, name, id)
    pg.execute("update unified.tickets set purchase_id = %s", [artist])
    assert {each["prompt"] for each in follow(followed, held).asked} == {"event", "person"}


@pytest.mark.parametrize(
    "change", ["insert into unified.events values (%s, 'new')", "update unified.events set id = %s"]
)
def test_a_document_may_belong_in_any_answer(
    followed: Settings, held: Held, pg: "psycopg.Connection[Any]", change: str
) -> None:
    pg.execute("insert into unified.events values (gen_random_uuid(), 'old')")
    follow(followed, held)
    keep(followed, "search", "a", kind="search")
    keep(followed, "lazy", "a", kind="query")
    pg.execute("insert into unified.tickets values (gen_random_uuid())")
    assert follow(followed, held).asked == []
    pg.execute(change, ids(1))  # type: ignore[arg-type]
    assert [each["prompt"] for each in follow(followed, held).asked] == ["search"]
    assert kept(held) == {"lazy"}


def test_rows_that_go_tell_what_they_held(followed: Settings, held: Held, pg: "psycopg.Connection[Any]") -> None:
    event, *artists, before, after, ticket = ids(6)
    for artist in artists:
        pg.execute("insert into unified.event_artists values (%s, %s)", [event, artist])
    pg.execute("insert into unified.events values (%s, 'e', %s)", [event, before])
    pg.execute("insert into unified.tickets values (%s, null, %s)", [ticket, event])
    follow(followed, held)
    keep(followed, "ticket's event", event)
    pg.execute("delete from unified.tickets")
    assert {each["prompt"] for each in follow(followed, held).asked} == {"ticket's event"}
    keep(followed, "before", before)
    pg.execute("update unified.events set venue_id = %s", [after])
    pg.execute("update unified.events set venue_id = null")
    assert {each["prompt"] for each in follow(followed, held).asked} == {"before"}
    for artist in artists:
        keep(followed, artist, artist)
    pg.execute("delete from unified.event_artists")
    assert {each["prompt"] for each in follow(followed, held).asked} == set(artists)


def test_it_is_never_ahead_of_other_stores(followed: Settings, held: Held, pg: "psycopg.Connection[Any]") -> None:
    (one,) = ids(1)
    acks.acknowledge(pg, "vectors/events", slot.position(pg), applied=True)
    acks.acknowledge(pg, "graph/operations", slot.position(pg), applied=True)
    keep(followed, "one", one)
    pg.execute("insert into unified.entities values (%s)", [one])
    acks.acknowledge(pg, "graph/operations", slot.position(pg), applied=True)
    assert follow(followed, held).answers == 0
    acks.acknowledge(pg, "vectors/events", slot.position(pg), applied=True)
    assert follow(followed, held).answers == 1


def test_small_batches_tell_the_same(followed: Settings, held: Held, pg: "psycopg.Connection[Any]") -> None:
    many = ids(25)
    for number, id in enumerate(many):
        keep(followed, f"q{number}", id)
    pg.execute("insert into unified.entities select unnest(%s::uuid[])", [many])
    done = follow(followed, held, batch=10)
    assert (done.changed, done.answers, kept(held)) == (25, 25, set())


def test_a_table_that_is_emptied_drops_everything(
    followed: Settings, held: Held, pg: "psycopg.Connection[Any]"
) -> None:
    keep(followed, "one", "a")
    pg.execute("truncate unified.content")
    done = follow(followed, held)
    assert (done.emptied, done.answers) == ("a table was emptied, made anew or newly published", 1)
    keep(followed, "two", "a")
    assert follow(followed, held) == Dropped()


def test_redis_emptied_or_behind(
    followed: Settings, held: Held, pg: "psycopg.Connection[Any]", client: redis.Redis
) -> None:
    old = client.get(f"{held.root}:position")
    pg.execute("insert into unified.concepts select gen_random_uuid()")
    follow(followed, held)
    keep(followed, "one", "a")
    client.set(f"{held.root}:position", old)  # type: ignore[arg-type]
    done = follow(followed, held)
    assert done.emptied.startswith("Redis lost what it had")
    assert done.answers == 1
    client.delete(*client.scan_iter(f"{held.root}:*"))
    assert follow(followed, held).emptied == "nobody knows how far the answers are"
    assert follow(followed, held) == Dropped()


def test_another_log(followed: Settings, held: Held, pg: "psycopg.Connection[Any]", client: redis.Redis) -> None:
    keep(followed, "one", "a")
    client.set(f"{held.root}:position", str(Lsn(slot.position(pg) + (1 << 30))))
    assert "ahead of PostgreSQL's log" in follow(followed, held).emptied
    slot.drop(pg)
    keep(followed, "two", "a")
    done = follow(followed, held)
    assert (done.emptied[:7], kept(held)) == ("the log", set())


def test_redis_away_is_another_time(followed: Settings, held: Held, pg: "psycopg.Connection[Any]") -> None:
    before = acks.acknowledged(pg, STORE)
    gone = Held(shelf.connect("unix:///nowhere/redis.sock"), "gone")
    with pytest.raises(TransientError, match="Redis failed while answers were dropped"):
        follow(followed, gone)
    assert acks.acknowledged(pg, STORE) == before


def test_one_at_a_time(followed: Settings, held: Held, pg: "psycopg.Connection[Any]") -> None:
    with only_writer(pg, STORE), pytest.raises(TransientError, match="another process"):
        follow(followed, held)
