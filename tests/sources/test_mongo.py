"""The MongoDB reader against a server that speaks its protocol: real pymongo and PyMongoArrow over a real socket."""

import json
import logging
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import bson
import polars as pl
import pytest
from bson import json_util
from bson.datetime_ms import DatetimeMS

from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.sources import Request, Window, batches, exports, mongo, mongo_client
from resources.sources.batches import Batch
from resources.sources.catalogue import table
from tests.support.mongo_server import MongoServer

USERS, TICKETS = table("mongo.users"), table("mongo.tickets")
DAY = datetime(2026, 3, 1, tzinfo=UTC)
PASSWORD = "pa55-w0rd-of-mongo"  # noqa: S105 - the server's own


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo_client, "BASE_SECONDS", 0.001)


@pytest.fixture
def server() -> Iterator[MongoServer]:
    with MongoServer() as server:
        yield server
    server.assert_only_read()
    assert server.open_cursors == 0


@pytest.fixture
def replica() -> Iterator[MongoServer]:
    with MongoServer(replica_set=True) as server:
        yield server
    server.assert_only_read()
    assert server.open_cursors == 0


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mongo, "BATCH_ROWS", 10)
    monkeypatch.setattr(mongo, "ID_ROWS", 10)


def settings(server: MongoServer) -> Settings:
    return replace(Settings.from_env({}), mongo_url=server.url, mongo_database=server.database)


def read(server: MongoServer, name: str = "users", **request: Any) -> list[Batch]:
    return list(mongo.read(settings(server), table(f"mongo.{name}"), Request(**request)))


def rows(found: list[Batch]) -> pl.DataFrame:
    return pl.concat([batch.rows for batch in found]) if found else batches.empty()


def read_ids(server: MongoServer, name: str = "users", window: Window = (None, None), **request: Any) -> list[str]:
    return rows(read(server, name, window=window, **request))["record_id"].to_list()


def user(id: Any, at: Any = DAY, **more: Any) -> dict[str, Any]:
    return {"_id": id, "updatedAt": at, **more}


def every_type() -> dict[str, Any]:
    return {
        "_id": bson.ObjectId("6af79b629c4e07b1a2000001"),
        "updatedAt": DAY + timedelta(milliseconds=569),
        "amount": bson.Decimal128("12.3400"),
        "long": bson.Int64(2**53 + 1),
        "score": float("nan"),
        "longAgo": datetime(1950, 1, 1, tzinfo=UTC),
        "never": DatetimeMS(2**60),
        "raw": bson.Binary(b"\0\xff", 5),
        "like": bson.Regex("^a", "i"),
        "nested": {"list": [1, {"deep": bson.ObjectId("6af79b629c4e07b1a2000002")}, None]},
        "name": "Jos\u00e9 \U0001f3b6",
    }


# -- what is read


def test_a_record_is_the_same_live_and_as_an_export(server: MongoServer, tmp_path: Path) -> None:
    documents = [every_type(), user("text", bson.Int64(0)), user(7, DAY), {"_id": bson.Int64(8), "createdAt": DAY}]
    server.insert("users", *documents)
    lines = [json_util.dumps(each, json_options=json_util.RELAXED_JSON_OPTIONS) for each in documents]
    (tmp_path / "mongo").mkdir()
    (tmp_path / "mongo" / "users.ndjson").write_text("\n".join(lines))
    exported = rows(list(exports.read(replace(settings(server), exports=tmp_path), USERS, Request())))
    live = rows(read(server))
    columns = ["record_id", "source_updated_at", "deleted_at", "partial", "reason"]
    assert live.select(columns).sort("record_id").equals(exported.select(columns).sort("record_id"))
    texts = dict(live.select("record_id", "payload").iter_rows())
    for id, text in exported.select("record_id", "payload").iter_rows():
        assert json.loads(texts[id]) == json.loads(text)
    assert live["reason"].null_count() == 3  # a number is no time


def test_a_window_has_its_records_by_their_clock_and_those_without_one(server: MongoServer) -> None:
    late = DAY + timedelta(days=1)
    server.insert(
        "users",
        user("before", DAY - timedelta(milliseconds=1)),
        user("first", DAY),
        user("last", late - timedelta(milliseconds=1)),
        user("after", late),
        user("created", None, createdAt=DAY),
        {"_id": "created, never updated", "createdAt": DAY},
        user("created before", None, createdAt=DAY - timedelta(days=1)),
        user("updated before", DAY - timedelta(days=1), createdAt=DAY),
        {"_id": "no clock"},
        user("null clocks", None, createdAt=None),
        user("text clock", DAY.isoformat(), createdAt=DAY - timedelta(days=9)),
        user("number clock", 5),
        user("text created", None, createdAt="yesterday"),
    )
    dated = ["created", "created, never updated", "first", "last"]
    undated = ["no clock", "null clocks", "number clock", "text clock", "text created"]
    assert sorted(read_ids(server, window=(DAY, late))) == sorted(dated + undated)
    assert len(read_ids(server)) == len(set(read_ids(server))) == 13
    assert "after" in read_ids(server, window=(DAY, None))
    assert "before" in read_ids(server, window=(None, DAY))


def test_the_window_is_pushed_down_and_its_microseconds_are_rounded_outwards(server: MongoServer) -> None:
    server.insert("users", user("a", DAY))
    micro = timedelta(microseconds=1)
    assert read_ids(server, window=(DAY + micro, None)) == ["a"]
    assert read_ids(server, window=(None, DAY + micro)) == ["a"]
    assert read_ids(server, window=(None, DAY)) == []
    assert all(command["filter"] for command in server.asked("find"))
    assert server.asked("find")[0]["sort"] == {"updatedAt": 1, "_id": 1}


def test_the_table_that_has_one_clock_is_read_in_two_streams(server: MongoServer) -> None:
    server.insert("tickets", user(1), {"_id": 2})
    assert read_ids(server, "tickets") == ["1", "2"]
    assert len(server.asked("find")) == 2


def test_batches_stay_small(server: MongoServer, small_batches: None) -> None:
    server.insert("users", *(user(n, DAY + timedelta(seconds=n)) for n in range(35)))
    assert [batch.rows.height for batch in read(server)] == [10, 10, 10, 5]


def test_an_empty_collection_has_nothing(server: MongoServer) -> None:
    assert read(server) == []
    assert list(mongo.ids(settings(server), USERS)) == []
    assert mongo.touched(settings(server), USERS, DAY) == []


def test_a_record_that_breaks_its_contract_comes_with_the_reason(server: MongoServer) -> None:
    server.insert("users", user("a", anonymousIds="not a list"), user("nul", name="a\0b"))
    assert rows(read(server))["reason"].is_not_null().to_list() == [True, True]


# -- going on


@pytest.mark.parametrize("spacing", [timedelta(seconds=1), timedelta(0)])
def test_a_killed_read_goes_on_where_it_was(server: MongoServer, small_batches: None, spacing: timedelta) -> None:
    server.insert("users", *(user(n, DAY + spacing * n) for n in range(25)))
    server.insert("users", *({"_id": n, "createdAt": DAY + spacing * n} for n in range(25, 50)))
    server.insert("users", *({"_id": n} for n in range(50, 75)))
    whole = read(server)
    for kept in range(len(whole)):
        position = next((b.position for b in reversed(whole[: kept + 1]) if b.position), None)
        again = read(server, position=json.loads(json.dumps(position)))
        both = rows(whole[: kept + 1] + again)["record_id"].unique()
        assert len(both) == 75
    if spacing:  # nothing but the last clock is read again
        assert len(rows(read(server, position=whole[1].position))) == 75 - 20 + 1


def test_a_cursor_that_breaks_is_taken_up_again(server: MongoServer, small_batches: None) -> None:
    server.insert("users", *(user(n, DAY + timedelta(seconds=n)) for n in range(35)))
    server.fail("getMore", "reset", 43)
    assert sorted(set(map(int, read_ids(server)))) == list(range(35))
    later = [c["filter"]["$and"][1]["updatedAt"]["$gte"] for c in server.asked("find") if "$and" in c["filter"]]
    assert len(later) == 2


def test_three_failures_are_too_many(server: MongoServer) -> None:
    server.fail("find", 50, 50, 50)
    with pytest.raises(TransientError, match="failed 3 times"):
        read(server)
    assert len(server.asked("find")) == 3


@pytest.mark.parametrize("clock", [DAY, None])
def test_a_read_that_always_breaks_at_the_same_place_ends(
    server: MongoServer, small_batches: None, clock: datetime | None
) -> None:
    server.insert("users", *(user(n, clock) for n in range(35)))
    server.fail("getMore", *[43] * 20)
    with pytest.raises(TransientError, match="again and again"):
        read(server)


def test_a_server_that_dies_within_a_read_is_a_passing_error(
    small_batches: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mongo_client, "SELECTION_SECONDS", 0.2)
    with MongoServer() as server:
        server.insert("users", *(user(n, DAY + timedelta(seconds=n)) for n in range(35)))
        reading = mongo.read(settings(server), USERS, Request())
        assert next(reading).rows.height == 10
    with pytest.raises(TransientError):
        list(reading)


def test_a_reader_that_is_left_leaves_no_cursor(replica: MongoServer, small_batches: None) -> None:
    replica.insert("users", *(user(n) for n in range(35)))
    reading = mongo.read(settings(replica), USERS, Request())
    next(reading)
    assert replica.open_cursors == 2
    reading.close()
    assert replica.open_cursors == 0


# -- ids, marked records, days

IDS: list[Any] = [
    bson.ObjectId("6af79b629c4e07b1a2000001"),
    "text",
    "6af79b629c4e07b1a2000009",
    7,
    bson.Int64(2**40),
    1.5,
    bson.Binary(b"0123456789abcdef", 4),
]


def test_ids_are_the_record_ids(server: MongoServer, small_batches: None) -> None:
    server.insert("users", *(user(id) for id in IDS), *(user(f"t{n:02}") for n in range(25)))
    server.insert("users", *(user(bson.ObjectId()) for _ in range(20)), *(user(n) for n in range(100, 120)))
    found = [id for some in mongo.ids(settings(server), USERS) for id in some]
    assert sorted(found) == sorted(read_ids(server))
    assert len(found) == len(set(found)) == len(IDS) + 65
    assert {tuple(command["projection"]) for command in server.asked("find")[:1]} == {("_id",)}


def test_ids_that_no_store_can_hold_are_not_listed(server: MongoServer) -> None:
    server.insert("users", user(""), user("a\0b"), user("good"))
    assert list(mongo.ids(settings(server), USERS)) == [["good"]]


@pytest.mark.parametrize("id", IDS, ids=str)
def test_a_marked_record_is_read_whatever_its_clock_says(server: MongoServer, id: Any) -> None:
    server.insert("users", user(id, DAY - timedelta(days=30)), user("other", DAY - timedelta(days=30)))
    (marked,) = {text for some in mongo.ids(settings(server), USERS) for text in some} - {"other"}
    assert read_ids(server, window=(DAY, None), marked=[marked]) == [marked]


def test_an_id_may_be_a_decimal_or_a_time() -> None:
    assert bson.Decimal128("0.1") in mongo.possible_ids("0.1")
    assert DAY in mongo.possible_ids("2026-03-01T00:00:00Z")


def test_a_marked_record_that_is_not_there_is_gone(server: MongoServer) -> None:
    before = datetime.now(UTC)
    found = rows(read(server, marked=["6af79b629c4e07b1a2000001"]))
    assert found["record_id"].to_list() == ["6af79b629c4e07b1a2000001"]
    assert found["payload"].to_list() == [None]
    assert found["deleted_at"][0] >= before


def test_touched_days_are_counted_by_the_server(server: MongoServer) -> None:
    server.insert(
        "users",
        user(1, DAY + timedelta(hours=23, minutes=59)),
        user(2, DAY + timedelta(days=3)),
        user(3, DAY + timedelta(days=3, hours=1)),
        user(4, DAY - timedelta(seconds=1)),
        user(5, None, createdAt=DAY + timedelta(days=5)),
        user(6, DAY + timedelta(days=3), createdAt=DAY + timedelta(days=9)),
        user(7, "text"),
        user(8, [DAY]),
    )
    days = mongo.touched(settings(server), USERS, DAY)
    assert days == [date(2026, 3, 1), date(2026, 3, 4), date(2026, 3, 6)]


# -- change streams


def resumed(found: list[Batch]) -> dict[str, Any]:
    (bookmark,) = [batch.bookmark for batch in found if batch.bookmark]
    return json.loads(json.dumps(bookmark))  # type: ignore[no-any-return]


def test_deletes_come_as_tombstones_of_when_they_happened(replica: MongoServer) -> None:
    replica.insert("users", *(user(id) for id in IDS))
    bookmark = resumed(read(replica))
    before = datetime.now(UTC) - timedelta(seconds=1)
    replica.delete("users", *IDS)
    found = read(replica, window=(DAY + timedelta(days=1), None), bookmark=bookmark)
    gone = rows(found)
    assert sorted(gone["record_id"]) == sorted(read_ids_of(IDS))
    assert gone["payload"].null_count() == len(IDS)
    assert before < gone["deleted_at"].min() <= gone["deleted_at"].max() <= datetime.now(UTC)  # type: ignore[operator]
    assert gone["deleted_at"].equals(gone["source_updated_at"].alias("deleted_at"))
    assert rows(read(replica, window=(DAY + timedelta(days=1), None), bookmark=resumed(found))).height == 0


def read_ids_of(ids: list[Any]) -> list[str]:
    texts = [json_util.dumps({"_id": id}, json_options=json_util.RELAXED_JSON_OPTIONS).encode() for id in ids]
    return batches.from_records(texts, USERS, origin="").rows["record_id"].to_list()


def test_a_delete_without_wall_time_is_not_before_the_clock_of_its_record(replica: MongoServer) -> None:
    assert replica.log
    replica.log.wall_time = False
    replica.insert("users", user("a", datetime.now(UTC)))
    bookmark = resumed(read(replica))
    replica.delete("users", "a")
    (tombstone,) = rows(read(replica, bookmark=bookmark))["deleted_at"]
    assert tombstone >= datetime.now(UTC).replace(microsecond=0) - timedelta(seconds=1)
    assert tombstone.microsecond == 999_999


def test_what_happens_while_the_range_is_read_is_told_after_it(replica: MongoServer, small_batches: None) -> None:
    replica.insert("users", *(user(n, DAY + timedelta(seconds=n)) for n in range(25)))
    reading = mongo.read(settings(replica), USERS, Request(window=(DAY, DAY + timedelta(days=1))))
    found = [next(reading)]
    replica.delete("users", 3)
    replica.insert("users", user("late", DAY - timedelta(days=9)))
    replica.update("users", 4, name="its clock does not tell")
    found += list(reading)
    told = rows(found[-3:])
    assert told.filter(pl.col("payload").is_null())["record_id"].to_list() == ["3"]
    assert "late" in told["record_id"].to_list()
    assert "its clock does not tell" in "".join(told["payload"].drop_nulls())


def test_only_the_last_event_of_a_record_counts(replica: MongoServer) -> None:
    bookmark = resumed(read(replica))
    replica.insert("users", user("back"), user("gone"))
    replica.delete("users", "back", "gone")
    replica.insert("users", user("back", name="again"))
    found = rows(read(replica, window=(None, DAY), bookmark=bookmark))
    assert sorted(found.select("record_id", pl.col("payload").is_null()).iter_rows()) == [
        ("back", False),
        ("gone", True),
    ]


def test_a_killed_first_read_goes_on_with_the_token_it_began_with(replica: MongoServer, small_batches: None) -> None:
    replica.insert("users", *(user(n, DAY + timedelta(seconds=n)) for n in range(25)))
    reading = mongo.read(settings(replica), USERS, Request())
    position = next(reading).position
    reading.close()
    replica.delete("users", 3)
    found = rows(read(replica, position=position))
    assert found.filter(pl.col("payload").is_null())["record_id"].to_list() == ["3"]


def test_a_change_stream_that_breaks_tells_the_rest_now_or_the_next_time(replica: MongoServer) -> None:
    bookmark = resumed(read(replica))
    replica.insert("users", *(user(n) for n in range(5)))
    replica.delete("users", 1, 2)
    replica.fail("getMore", "reset")
    found = read(replica, window=(None, DAY), bookmark=bookmark)
    found += read(replica, window=(None, DAY), bookmark=resumed(found))
    assert sorted(rows(found)["record_id"]) == ["0", "1", "2", "3", "4"]


def test_a_change_stream_that_cannot_be_taken_up_at_once_is_opened_again(replica: MongoServer) -> None:
    bookmark = resumed(read(replica))
    replica.insert("users", user("a"))

    def fail_to_resume(name: str, command: dict[str, Any]) -> None:
        if name == "getMore":
            replica.before = None
            replica.fail("getMore", 43)
            replica.fail("aggregate", 50)

    replica.before = fail_to_resume
    assert read_ids(replica, window=(None, DAY), bookmark=bookmark) == ["a"]


@pytest.mark.parametrize("when", ["before", "within"])
def test_lost_history_begins_anew_and_says_so(
    replica: MongoServer, caplog: pytest.LogCaptureFixture, when: str
) -> None:
    assert replica.log
    bookmark = resumed(read(replica))
    replica.insert("users", user("a"))
    if when == "before":
        replica.log.forget()
        replica.log.events.append(replica.log.events[-1])
    else:
        replica.fail("getMore", 286)
    with caplog.at_level(logging.WARNING):
        found = read(replica, bookmark=bookmark)
    assert rows(found)["record_id"].to_list() == ["a"]
    assert "all ids are compared" in caplog.text
    replica.delete("users", "a")
    assert rows(read(replica, window=(None, DAY), bookmark=resumed(found)))["record_id"].to_list() == ["a"]


def test_a_collection_that_was_dropped_begins_anew(replica: MongoServer, caplog: pytest.LogCaptureFixture) -> None:
    replica.insert("users", user("a"))
    bookmark = resumed(read(replica))
    replica.delete("users", "a")
    replica.drop("users")
    replica.insert("users", user("b"))
    found = read(replica, bookmark=bookmark)
    assert sorted(rows(found)["record_id"]) == ["a", "b"]
    assert "drop" in caplog.text
    replica.delete("users", "b")
    assert rows(read(replica, window=(None, DAY), bookmark=resumed(found)))["record_id"].to_list() == ["b"]


def test_a_standalone_server_is_read_without_a_change_stream(
    server: MongoServer, caplog: pytest.LogCaptureFixture
) -> None:
    server.insert("users", user("a"))
    found = read(server)
    assert [batch.bookmark for batch in found] == [None]
    assert "all ids are compared" in caplog.text


# -- settings, errors, secrets


def test_a_login_is_used_and_told_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with MongoServer(password=PASSWORD) as server, caplog.at_level(logging.DEBUG):
        server.insert("users", user("a"))
        assert read_ids(server) == ["a"]
        wrong = replace(settings(server), mongo_url=server.url.replace(PASSWORD, f"{PASSWORD}-of-old"))
        with pytest.raises(TerminalError, match="refuses the login") as caught:
            list(mongo.read(wrong, USERS, Request()))
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in caplog.text
    assert PASSWORD not in repr(wrong)


@pytest.mark.parametrize(
    "url",
    [
        f"mongodb://sonik:{PASSWORD}@127.0.0.1:1/?authMechanismProperties=AWS_SESSION_TOKEN:{PASSWORD}",
        f"mongodb://sonik:{PASSWORD}@127.0.0.1:1/",
        f"mongodb://sonik:{PASSWORD}@@127.0.0.1:port/",
        f"mongodb://sonik:{PASSWORD}/@127.0.0.1:1/",
        f"http://sonik:{PASSWORD}@127.0.0.1/",
        f"mongodb://127.0.0.1:1/?readPreference={PASSWORD}",
    ],
)
def test_a_url_that_does_not_work_is_told_without_its_password(
    url: str, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    monkeypatch.setattr(mongo_client, "SELECTION_SECONDS", 0.1)
    found = replace(Settings.from_env({}), mongo_url=url, mongo_database="shop")
    with pytest.raises((TerminalError, TransientError)) as caught:
        list(mongo.ids(found, USERS))
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in "".join(str(warning.message) for warning in recwarn)


def test_a_missing_setting_is_named() -> None:
    bare = Settings.from_env({"MONGO_URL": "mongodb://127.0.0.1:1/"})
    with pytest.raises(TerminalError, match="MONGO_DATABASE"):
        list(mongo.read(bare, USERS, Request()))
    with pytest.raises(TerminalError, match="MONGO_URL"):
        mongo.touched(Settings.from_env({}), USERS, DAY)


@pytest.mark.parametrize(("code", "said"), [(13, "role `read`"), (2, "refuses what it is asked")])
def test_a_refusal_is_final(server: MongoServer, code: int, said: str) -> None:
    server.fail("find", code)
    with pytest.raises(TerminalError, match=said):
        read(server)
    assert len(server.asked("find")) == 1
