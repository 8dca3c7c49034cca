"""The slot: made, advanced, lost."""

from typing import Any

import psycopg
import pytest

from resources.errors import TerminalError
from sonik_assets.changes import acks, feed, slot
from sonik_assets.changes.lsn import Lsn
from sonik_assets.migrations import migrate
from tests.support.feed import connect
from tests.support.old_postgres import OldPostgres, installed

type Connection = psycopg.Connection[Any]


def confirmed(pg: Connection) -> Lsn:
    """Return where the slot is."""
    found = slot.state(pg).confirmed
    assert found is not None
    return found


def test_each_database_has_a_slot_of_its_own() -> None:
    assert slot.name("sonik") == "sonik"
    assert slot.name("test_1") == "sonik_test_1"
    odd = {slot.name("Größe"), slot.name("x" * 63), slot.name("größe"), slot.name("a-b")}
    assert len(odd) == 4
    assert all(name.isascii() and name.islower() and len(name) <= 63 for name in odd)


def test_it_is_made_once_and_told(pg: Connection) -> None:
    assert not slot.ensure(pg)
    state = slot.state(pg)
    assert (state.exists, state.lost, state.limit) == (True, False, "4GB")
    assert state.retained >= 0
    assert state.safe is not None
    slot.drop(pg)
    assert not slot.state(pg).exists
    assert slot.ensure(pg)


def test_it_advances_to_the_store_that_is_least_far(pg: Connection) -> None:
    begin = confirmed(pg)
    assert slot.advance(pg) is None
    pg.execute("insert into unified.entities values (uuidv7())")
    first = slot.position(pg)
    pg.execute("insert into unified.entities values (uuidv7())")
    second = slot.position(pg)
    acks.acknowledge(pg, "a", second, applied=True)
    assert slot.advance(pg, ["a", "b"]) is None
    acks.acknowledge(pg, "b", first, applied=False)
    assert confirmed(pg) == begin
    assert slot.advance(pg, ["a", "b"]) == first == confirmed(pg)
    acks.acknowledge(pg, "b", begin, applied=True)
    assert slot.advance(pg) is None
    assert confirmed(pg) == first
    acks.forget(pg, "b")
    assert slot.advance(pg) == second
    # Nothing that was let go is told again, whatever a reader says.
    assert [batch.keys for batch in feed.read(pg, begin, ["entities"])] == [{}]


def test_acknowledgements_never_go_back(pg: Connection) -> None:
    assert acks.acknowledged(pg, "a") is None
    acks.acknowledge(pg, "a", Lsn(10), applied=False)
    acks.acknowledge(pg, "a", Lsn(20), applied=True)
    acks.acknowledge(pg, "a", Lsn(15), applied=True)
    acks.acknowledge(pg, "a", Lsn(30), applied=False)
    found = acks.acknowledged(pg, "a")
    assert found is not None
    assert (found.lsn, found.applied) == (30, 20)


def test_edges_tell_their_whole_row_once_published(pg: Connection) -> None:
    query = "select relname, relreplident from pg_class where oid = any(%s::regclass[])"
    named = ["unified.entities", "unified.relationships"]
    assert dict(pg.execute(query, [named]).fetchall()) == {"entities": "d", "relationships": "f"}
    pg.execute("alter table unified.relationships replica identity default")
    pg.execute("select ops.publish('unified.relationships')")
    assert dict(pg.execute(query, [named]).fetchall())["relationships"] == "f"


def test_a_lost_slot_is_noticed_and_made_anew(pg: Connection) -> None:
    try:
        pg.execute("alter system set max_slot_wal_keep_size = '1MB'")
        pg.execute("select pg_reload_conf()")
        for n in range(3):
            pg.execute(f"create table public.filler_{n} as select 1 as n")
            pg.execute("select pg_switch_wal()")
        pg.execute("checkpoint")
        state = slot.state(pg)
        assert (state.exists, state.lost) == (True, True)
        with pytest.raises(TerminalError, match="cannot be used"):
            next(feed.read(pg, Lsn(0), ["entities"]))
    finally:
        pg.execute("alter system reset max_slot_wal_keep_size")
        pg.execute("select pg_reload_conf()")
    slot.recreate(pg)
    assert not slot.state(pg).lost
    pg.execute("insert into unified.entities values (uuidv7())")
    assert next(feed.read(pg, Lsn(0), ["entities"])).keys["entities"]


def test_a_missing_slot_is_an_error_that_says_so(pg: Connection) -> None:
    slot.drop(pg)
    with pytest.raises(TerminalError, match="does not exist"):
        next(feed.read(pg, Lsn(0), ["entities"]))
    # The lock is free again.
    slot.ensure(pg)


def test_who_may_not_replicate_is_told_what_to_ask_for(pg: Connection) -> None:
    pg.execute("create role sonik_no_replication login")
    try:
        slot.drop(pg)
        pg.execute("set role sonik_no_replication")
        with pytest.raises(TerminalError, match="alter role"):
            slot.ensure(pg)
    finally:
        pg.execute("reset role")
        pg.execute("drop role sonik_no_replication")


@pytest.mark.skipif(not installed(), reason="needs binaries of a server to start with other settings")
def test_a_server_without_a_logical_log_is_told_how_to_switch_it_on() -> None:
    binaries = next(iter(installed().values()))
    server = OldPostgres(binaries, settings={"wal_level": "replica"})
    expected = pytest.raises(TerminalError, match="alter system set wal_level = logical")
    with server, connect(server.url) as pg, expected:
        slot.ensure(pg)


def test_edges_of_before_the_migration_tell_their_whole_row(pg: Connection) -> None:
    pg.execute("alter table unified.relationships replica identity default")
    pg.execute("drop table ops.store_acks, ops.waiting_edges")
    pg.execute("delete from ops.migrations where name = '0009_feed'")
    with pg.transaction():
        assert migrate(pg) == ["0009_feed"]
    query = "select relreplident from pg_class where oid = 'unified.relationships'::regclass"
    assert pg.execute(query).fetchall() == [("f",)]
