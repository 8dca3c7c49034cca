"""The feed against a real slot."""

import contextlib
import random
import threading
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
import pytest

from resources.errors import TerminalError, TransientError
from sonik_assets.changes import acks, feed, slot
from sonik_assets.changes.folding import Batch
from sonik_assets.changes.lsn import Lsn
from tests.support.feed import connect, ids

TABLES = ("entities", "relationships")
type Connection = psycopg.Connection[Any]


@pytest.fixture
def start(pg: Connection) -> Lsn:
    """Return where the log is before anything of the test is on it."""
    return feed.settled_position(pg)


def add(pg: Connection, *names: str) -> list[str]:
    """Insert entities; return their ids."""
    made = [str(uuid.uuid4()) for _ in names]
    with pg.transaction(), pg.cursor() as cursor:
        cursor.executemany(
            "insert into unified.entities (id, name) values (%s, %s)", list(zip(made, names, strict=True))
        )
    return made


def told(batches: Sequence[Batch] | Iterator[Batch]) -> dict[str, dict[str, dict[str, str | None] | None]]:
    """Return all that the batches tell, of a key the first old row."""
    found: dict[str, dict[str, dict[str, str | None] | None]] = {}
    for batch in batches:
        for table, rows in batch.keys.items():
            for key, row in rows.items():
                known = found.setdefault(table, {})
                known[key] = known.get(key) or (None if row is None else dict(row))
    return found


def test_inserts_updates_and_deletes_are_told(pg: Connection, start: Lsn) -> None:
    kept, changed, gone = add(pg, "kept", "changed", "gone")
    pg.execute("update unified.entities set name = 'other', body = repeat('x', 5) where id = %s", [changed])
    pg.execute("delete from unified.entities where id = %s", [gone])
    *batches, last = feed.read(pg, start, TABLES)
    assert told(batches) == {"entities": {kept: None, changed: None, gone: {"id": gone}}}
    assert not last.keys
    assert last.end is not None
    assert start < (batches[0].end or 0) <= last.end
    assert len(batches[0].xids) == 3


def test_a_changed_key_is_both_keys(pg: Connection, start: Lsn) -> None:
    [old] = add(pg, "a")
    middle = feed.settled_position(pg)
    new = str(uuid.uuid4())
    pg.execute("update unified.entities set id = %s", [new])
    assert told(feed.read(pg, middle, TABLES)) == {"entities": {old: {"id": old}, new: None}}


def test_an_edge_is_told_with_its_oldest_row(pg: Connection) -> None:
    edge, ends = str(uuid.uuid4()), [str(uuid.uuid4()), str(uuid.uuid4())]
    pg.execute("insert into unified.relationships values (%s, 'Person', %s, 'LIKES', 'Artist', %s)", [edge, *ends])
    since = feed.settled_position(pg)
    pg.execute("update unified.relationships set weight = 0.5")
    pg.execute("update unified.relationships set weight = 0.25")
    pg.execute("delete from unified.relationships")
    row = {"id": edge, "from_label": "Person", "from_id": ends[0], "type": "LIKES", "to_label": "Artist"}
    assert told(feed.read(pg, since, TABLES)) == {"relationships": {edge: row | {"to_id": ends[1], "weight": "1"}}}


def test_a_value_out_of_line_that_was_not_touched_is_no_trouble(pg: Connection, start: Lsn) -> None:
    [id] = add(pg, "a")
    pg.execute("alter table unified.entities alter body set storage external")
    pg.execute("update unified.entities set body = repeat('long', 10000)")
    pg.execute("update unified.entities set name = 'b'")
    assert told(feed.read(pg, start, TABLES)) == {"entities": {id: None}}


def test_other_tables_are_left_out_and_rolled_back_changes_too(pg: Connection, start: Lsn) -> None:
    pg.execute("insert into unified.content values (uuidv7(), 'x')")
    with pg.transaction(force_rollback=True):
        pg.execute("insert into unified.entities (id) values (uuidv7())")
    assert told(feed.read(pg, start, TABLES)) == {}
    assert told(feed.read(pg, start, ["content"])).keys() == {"content"}


def test_months_are_told_as_their_table(pg: Connection, start: Lsn) -> None:
    pg.execute("insert into unified.interactions (id, kind, at, properties) values (uuidv7(), 'click', now(), '{}')")
    assert told(feed.read(pg, start, ["interactions"]))["interactions"].keys() == ids(pg, "interactions")


def test_what_was_read_to_its_end_is_not_told_again(pg: Connection, start: Lsn) -> None:
    add(pg, "a")
    ends = [batch.end for batch in feed.read(pg, start, TABLES)]
    [second] = add(pg, "b")
    for end in ends:
        assert end is not None
        assert told(feed.read(pg, end, TABLES)) == {"entities": {second: None}}


@pytest.mark.parametrize("action", ["truncate", "rebuild", "renamed", "publish"])
def test_what_no_list_of_keys_tells_asks_for_a_rebuild(pg: Connection, start: Lsn, action: str) -> None:
    add(pg, "a")
    made = "create table unified.entities__dbt_tmp (id uuid primary key, name text, body text);"
    swap = "drop table unified.entities; alter table unified.entities__dbt_tmp rename to entities;"
    pg.execute(
        {
            "truncate": "truncate unified.entities",
            "rebuild": f"{made}{swap} select ops.publish('unified.entities')",
            "renamed": f"{made} select ops.publish('unified.entities__dbt_tmp')",
            "publish": "create table unified.fresh (id uuid primary key); select ops.publish('unified.fresh')",
        }[action]
    )
    if action == "renamed":
        pg.execute("insert into unified.entities__dbt_tmp values (uuidv7())")
        pg.execute(swap)
    assert any(batch.rebuild for batch in feed.read(pg, start, (*TABLES, "fresh")))
    assert not any(batch.rebuild for batch in feed.read(pg, start, ["content"]))


def test_a_large_transaction_comes_in_batches_of_bounded_size(pg: Connection, start: Lsn) -> None:
    pg.execute("insert into unified.entities (id, name) select uuidv7(), 'n' from generate_series(1, 100000)")
    pg.execute("update unified.entities set name = 'm' where id in (select id from unified.entities limit 100)")
    *batches, last = feed.read(pg, start, TABLES, size=20_000)
    sizes = [len(batch.keys.get("entities", {})) for batch in batches]
    assert len(sizes) >= 5
    assert max(sizes) <= 20_000
    assert [batch.end is None for batch in batches][:5] == [True] * 5
    assert all(batch.xids for batch in batches)
    assert last.end is not None
    assert {key for batch in batches for key in batch.keys["entities"]} == ids(pg, "entities")


def test_others_may_use_slot_and_connection_while_batches_are_applied(
    pg: Connection, start: Lsn, database: str
) -> None:
    pg.execute("insert into unified.entities (id, name) select uuidv7(), 'n' from generate_series(1, 1000)")
    batches = feed.read(pg, start, TABLES, size=100)
    first = next(batches)
    with pg.transaction():
        pg.execute("set transaction isolation level repeatable read")
        assert len(ids(pg, "entities")) == 1000
    with connect(database) as other:
        other.execute("set lock_timeout = '5s'")
        assert len(told(feed.read(other, start, TABLES))["entities"]) == 1000
    rest = told([first, *batches])
    assert rest["entities"].keys() == ids(pg, "entities")


def test_a_reader_that_stops_midway_leaves_nothing_behind(pg: Connection, start: Lsn) -> None:
    pg.execute("insert into unified.entities (id, name) select uuidv7(), 'n' from generate_series(1, 1000)")
    batches = feed.read(pg, start, TABLES, size=100)
    next(batches)
    batches.close()  # type: ignore[attr-defined]
    assert pg.execute("select count(*) from pg_cursors").fetchall() == [(0,)]
    assert len(told(feed.read(pg, start, TABLES))["entities"]) == 1000


def test_a_transaction_is_refused(pg: Connection, start: Lsn) -> None:
    with pg.transaction(), pytest.raises(TerminalError, match="autocommit"):
        next(feed.read(pg, start, TABLES))


def test_waiting_is_true_while_something_is(pg: Connection, start: Lsn) -> None:
    assert feed.waiting(pg, "graph/a")
    acks.acknowledge(pg, "graph/a", start, applied=True)
    assert not feed.waiting(pg, "graph/a")
    slot.position(pg)
    pg.execute("create table public.elsewhere as select 1 as n")
    assert not feed.waiting(pg, "graph/a")
    for name in "abc":
        add(pg, name)
    assert feed.waiting(pg, "graph/a")
    *_, last = feed.read(pg, start, TABLES)
    assert last.end is not None
    acks.acknowledge(pg, "graph/a", last.end, applied=True)
    # The slot stands before all of it still.
    assert not feed.waiting(pg, "graph/a")
    add(pg, "d")
    assert feed.waiting(pg, "graph/a")


def test_what_others_wrote_is_passed_over(pg: Connection, start: Lsn) -> None:
    acks.acknowledge(pg, "graph/a", start, applied=True)
    acks.acknowledge(pg, "graph/behind", Lsn(1), applied=True)
    acks.acknowledge(pg, "graph/b", start, applied=True)
    assert not feed.pass_over(pg)
    pg.execute("create table public.others as select repeat('x', 1000) from generate_series(1, 3000)")
    feed.pass_over(pg)
    moved = {
        row[0]: (row[1], row[2]) for row in pg.execute("select store, lsn::text, applied_lsn::text from ops.store_acks")
    }
    assert moved["graph/behind"] == ("0/1", "0/1")
    assert moved["graph/a"] == moved["graph/b"]
    assert moved["graph/a"][1] == str(start)
    assert Lsn.parse(moved["graph/a"][0]) > start + 1_000_000
    acks.forget(pg, "graph/behind")
    slot.advance(pg)
    assert str(slot.state(pg).confirmed) == moved["graph/a"][0]
    assert not feed.pass_over(pg, least=1_000_000)


def test_what_waits_is_not_passed_over(pg: Connection, start: Lsn) -> None:
    acks.acknowledge(pg, "graph/a", start, applied=True)
    [id] = add(pg, "a")
    assert not feed.pass_over(pg, least=0)
    assert told(feed.read(pg, start, TABLES)) == {"entities": {id: None}}


def test_settled_waits_for_a_transaction_that_is_not_visible(pg: Connection, database: str) -> None:
    with connect(database) as other:
        other.execute("begin")
        xid = other.execute("select pg_current_xact_id()::text::int8").fetchall()[0][0] % 2**32
        with pytest.raises(TransientError, match=f"transaction {xid} "):
            feed.settled(pg, [xid], seconds=0.05)
        threading.Timer(0.2, lambda: other.execute("commit")).start()
        feed.settled(pg, [xid], seconds=10)
        feed.settled(pg, [])
        with pytest.raises(TransientError):
            feed.settled(pg, [xid + 1000], seconds=0.05)


def test_a_position_is_behind_all_that_was_committed(pg: Connection, start: Lsn) -> None:
    for name in "abcdefgh":
        [id] = add(pg, name)
        before = start
        start = feed.settled_position(pg)
        assert before < start
        assert told(feed.read(pg, before, TABLES)) == {"entities": {id: None}}
        assert told(feed.read(pg, start, TABLES)) == {}


class Follower:
    """A store that holds names by id and knows what it knows from the feed alone."""

    def __init__(self, pg: Connection, place: Lsn) -> None:
        self.pg, self.place, self.rows = pg, place, dict[str, str]()

    def follow(self, *, size: int = 50_000, batches: int | None = None) -> None:
        """Take what is new; after so many batches it is killed, between writing and remembering the place."""
        for number, batch in enumerate(feed.read(self.pg, self.place, TABLES, size), start=1):
            feed.settled(self.pg, batch.xids)
            keys = list(batch.keys.get("entities", {}))
            query = "select id::text, name from unified.entities where id = any(%s::uuid[])"
            found = dict(self.pg.execute(query, [keys]).fetchall())
            for key in keys:
                self.rows.pop(key, None)
            self.rows |= found
            if number == batches:
                return
            self.place = batch.end or self.place


PUT = """
insert into unified.entities values (%s, %s) on conflict (id) do update set name = excluded.name
"""
RENAME = """
update unified.entities set id = uuidv7() where id = %s and (select count(*) < 40 from unified.entities)
"""


def change(pg: Connection, chance: random.Random) -> None:
    """Commit one transaction of some changes to a few keys."""
    with pg.transaction(force_rollback=chance.random() < 0.1):
        for _ in range(chance.randint(1, 6)):
            id, name = uuid.UUID(int=chance.randint(1, 12)), str(chance.random())
            match chance.choice(["put", "put", "delete", "rename"]):
                case "put":
                    pg.execute(PUT, [id, name])
                case "delete":
                    pg.execute("delete from unified.entities where id = %s", [id])
                case _:
                    pg.execute(RENAME, [id])


def held(pg: Connection) -> dict[str, str]:
    """Return what a store should hold."""
    return dict(pg.execute("select id::text, name from unified.entities").fetchall())


@pytest.mark.parametrize("seed", range(3))
def test_a_store_that_is_killed_again_and_again_ends_up_like_the_tables(pg: Connection, start: Lsn, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same histories every time
    store = Follower(pg, start)
    for _ in range(12):
        for _ in range(chance.randint(0, 8)):
            change(pg, chance)
        store.follow(size=chance.choice([1, 3, 1000]), batches=chance.choice([None, 1, 2, 5]))
        acks.acknowledge(pg, "store", store.place, applied=True)
        slot.advance(pg)
    store.follow()
    assert store.rows == held(pg)


def test_nothing_is_missed_while_others_write(pg: Connection, start: Lsn, database: str) -> None:
    def write(seed: int) -> None:
        with connect(database) as other:
            other.execute(f"set synchronous_commit = {'on' if seed else 'off'}")
            chance = random.Random(seed)  # noqa: S311 - the same histories every time
            for _ in range(150):
                with contextlib.suppress(psycopg.errors.DeadlockDetected):
                    change(other, chance)

    writers = [threading.Thread(target=write, args=[seed]) for seed in range(2)]
    store = Follower(pg, start)
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        store.follow(size=10)
    store.follow()
    assert store.rows == held(pg)
