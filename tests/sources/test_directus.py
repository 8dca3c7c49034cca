"""The Directus reader against a server that behaves as the contract says; one test for each pitfall.

Those that only need what `Cms` offers run against a real Directus too: tests/live/test_directus.py.
"""

import json
import logging
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.sources import Request, batches, directus, paging
from resources.sources.batches import Batch
from resources.sources.catalogue import table
from tests.support.directus_server import TOKEN, DirectusServer, Relation, error, too_many
from tests.support.faults import Answer, Asked, Fault

LINE_UP = Relation("events", "artists", "events_artists", "events_id")


class Cms(Protocol):
    """A Directus that a test may write to: the contract server, or a real one."""

    url: str
    token: str
    now: datetime

    def insert(self, name: str, /, **values: Any) -> Any: ...
    def update(self, name: str, /, *ids: Any, **values: Any) -> None: ...
    def delete(self, name: str, id: Any, /) -> None: ...
    def link(self, relation: Relation, other: str, ours: Any, theirs: Any, /) -> None: ...


@pytest.fixture(params=["pg", "sqlite"])
def cms(request: pytest.FixtureRequest) -> Iterator[DirectusServer]:
    with served(request.param) as server:
        yield server


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directus, "LIMIT", 10)
    monkeypatch.setattr(directus, "ID_LIMIT", 10)
    monkeypatch.setattr(directus, "BATCH_ROWS", 20)


class served(DirectusServer):
    """The collections that the tests use; at the end nothing but GET and SEARCH was asked, and never for "all"."""

    def __init__(self, database: str = "pg", **how: Any) -> None:
        super().__init__(database, **how)
        self.table("venues")
        self.table("artists")
        self.table("events")
        self.table("events_artists", dated=False, integer_ids=True)
        self.relations.append(LINE_UP)

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        assert not self.forbidden
        assert all(asked.params.get("limit") != "-1" for asked in self.requests)


def settings_of(cms: Cms, **changed: str) -> Settings:
    return Settings.from_env({"DIRECTUS_URL": cms.url, "DIRECTUS_TOKEN": cms.token, **changed})


def collection(cms: Cms, relation: str = "directus.venues", **changed: str) -> directus.Collection:
    client = directus.connect(settings_of(cms, **changed), sleep=lambda _: None)
    return directus.Collection(client, table(relation))


def read(cms: Cms, relation: str = "directus.venues", **request: Any) -> list[Batch]:
    return list(collection(cms, relation).read(Request(**request)))


def rows(found: list[Batch]) -> pl.DataFrame:
    return pl.concat([batches.empty(), *(batch.rows for batch in found)])


def ids(found: list[Batch]) -> list[str]:
    return rows(found).filter(pl.col("payload").is_not_null())["record_id"].to_list()


def gone(found: list[Batch]) -> set[str]:
    return set(rows(found).filter(pl.col("payload").is_null())["record_id"])


def told(caught: pytest.ExceptionInfo[Exception]) -> str:
    """Return all that a log would show; no secret is in it."""
    text = "".join(traceback.format_exception(caught.value))
    assert TOKEN not in text
    return str(caught.value)


# -- on any Directus


def test_new_and_updated_records_come_once(cms: Cms) -> None:
    some = [cms.insert("venues", name=f"v{n}") for n in range(5)]
    cms.update("venues", *some[:2], name="renamed")
    found = read(cms)
    assert sorted(ids(found)) == sorted(some)
    assert rows(found)["reason"].null_count() == rows(found).height


def test_a_window_begins_with_its_start_and_ends_before_its_end(cms: Cms) -> None:
    some = [cms.insert("venues", name=f"v{n}") for n in range(5)]
    cms.update("venues", some[4], name="renamed")
    clock = dict(rows(read(cms)).select("record_id", "source_updated_at").iter_rows())
    assert set(ids(read(cms, window=(clock[some[1]], clock[some[3]])))) == {some[1], some[2]}
    assert set(ids(read(cms, window=(clock[some[3]], None)))) == {some[3], some[4]}
    assert set(ids(read(cms, window=(None, clock[some[1]])))) == {some[0]}


def test_a_bulk_update_gives_one_time_to_more_rows_than_a_page(cms: Cms, small_pages: None) -> None:
    some = [cms.insert("venues", name=f"v{n}") for n in range(35)]
    cms.update("venues", *some, name="same")
    assert sorted(ids(read(cms))) == sorted(some)


def test_a_line_up_is_whole_and_known_by_the_artists_ids(cms: Cms) -> None:
    artists = [cms.insert("artists", name=f"a{n}") for n in range(103)]
    event = cms.insert("events", name="festival")
    cms.insert("events", name="no line-up")
    cms.link(LINE_UP, "artists_id", event, artists)
    found = [json.loads(text) for text in rows(read(cms, "directus.events")).drop_nulls("payload")["payload"]]
    line_ups = {row["name"]: [each["artists_id"] for each in row["artists"]] for row in found}
    assert sorted(line_ups["festival"]) == sorted(artists)
    assert line_ups["no line-up"] == []


def test_a_collection_without_clocks_is_read_whole_in_any_window(cms: Cms, small_pages: None) -> None:
    artists = [cms.insert("artists", name=f"a{n}") for n in range(25)]
    cms.link(LINE_UP, "artists_id", cms.insert("events", name="festival"), artists)
    window = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 2, tzinfo=UTC))
    assert len(set(ids(read(cms, "directus.events_artists", window=window)))) == 25
    assert collection(cms, "directus.events_artists").touched(window[0]) == []


def test_deletes_come_from_the_activity_log(cms: Cms) -> None:
    some = [cms.insert("venues", name=f"v{n}") for n in range(4)]
    other = cms.insert("artists", name="of another collection")
    cms.delete("venues", some[0])
    cms.delete("venues", some[2])
    cms.delete("artists", other)
    found = read(cms)
    assert gone(found) & {*some, other} == {some[0], some[2]}
    tombstone = rows(found).filter(record_id=some[0]).to_dicts()[0]
    assert tombstone["deleted_at"] == tombstone["source_updated_at"]
    assert abs(tombstone["deleted_at"] - cms.now) < timedelta(minutes=1)


def test_ids_are_all_ids(cms: Cms, small_pages: None) -> None:
    some = [cms.insert("venues", name=f"v{n}") for n in range(35)]
    assert sorted(id for page in collection(cms).ids() for id in page) == sorted(some)
    assert list(collection(cms, "directus.events").ids()) == []


def test_touched_days(cms: Cms, small_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    some = [cms.insert("venues", name=f"v{n}") for n in range(25)]
    cms.update("venues", *some[:3], name="renamed")
    today = cms.now.date()
    assert collection(cms).touched(cms.now - timedelta(minutes=5)) == [today]
    assert collection(cms).touched(cms.now + timedelta(minutes=5)) == []
    monkeypatch.setattr(directus, "TOUCHED_PAGES", 1)
    assert collection(cms).touched(cms.now - timedelta(minutes=5)) == [today]


def test_marked_records_come_whatever_their_clock_and_are_gone_where_they_are_not_there(cms: Cms) -> None:
    kept, lost = cms.insert("venues", name="kept"), cms.insert("venues", name="lost")
    cms.delete("venues", lost)
    found = read(cms, window=(cms.now + timedelta(days=2), None), marked=[kept, lost, "no id"])
    assert ids(found) == [kept]
    assert gone(found) >= {lost, "no id"}


def test_a_collection_that_is_not_there(cms: Cms) -> None:
    with pytest.raises(TerminalError, match="/items/brands: Directus forbids this, or does not have it") as caught:
        read(cms, "directus.brands")
    told(caught)


def test_a_wrong_token(cms: Cms) -> None:
    wrong = cms.token[::-1]
    with pytest.raises(TerminalError, match="DIRECTUS_TOKEN is not valid") as caught:
        list(collection(cms, DIRECTUS_TOKEN=wrong).read(Request()))
    assert wrong not in "".join(traceback.format_exception(caught.value))


def test_a_wrong_url(cms: Cms) -> None:
    with pytest.raises(TerminalError, match="is DIRECTUS_URL the address"):
        list(collection(cms, DIRECTUS_URL=f"{cms.url}/nowhere").read(Request()))


def test_a_read_goes_on_where_it_was_killed(cms: Cms, small_pages: None) -> None:
    some = [cms.insert("venues", name=f"v{n}") for n in range(60)]
    cms.update("venues", *some[:5], name="renamed")
    for kept in range(1, 4):
        reading, before = collection(cms).read(Request()), list[Batch]()
        before = [next(reading) for _ in range(kept)]
        reading.close()
        # As if it had begun after all of it: what was touched since comes again, and is not counted here.
        after = read(cms, position={**before[-1].position, "began": "2100-01-01T00:00:00.000Z"})
        assert set(ids(before)) | set(ids(after)) == set(some)
        assert len(ids(before)) + len(ids(after)) <= len(some) + 1


# -- what only a server that does as it is told can show


def test_records_are_verbatim() -> None:
    with served() as server:
        server.insert("venues", name="Ñandú \u2028", latitude="52.50", new_field={"a": [1.0, None]})
        page = server.respond(Asked("GET", "/items/venues", {}, {"Authorization": f"Bearer {TOKEN}"}, b"", ""))
        assert rows(read(server))["payload"].to_list() == [page.body[len('{"data":[') : -len("]}")].decode()]
        assert read(server)[0].unknown == {"new_field"}


def test_records_without_clocks_are_in_every_window() -> None:
    with served() as server:
        some = [server.insert("venues", dated=False, name=f"v{n}") for n in range(3)]
        assert sorted(ids(read(server, window=(server.now, server.now)))) == sorted(some)


def test_a_role_that_may_not_read_the_clocks_reads_everything(small_pages: None) -> None:
    with served() as server:
        some = [server.insert("venues", name=f"v{n}") for n in range(25)]
        server.tables["venues"].hidden = {"date_created", "date_updated"}
        assert sorted(set(ids(read(server, window=(server.now, None))))) == sorted(some)


def test_a_microsecond_at_a_bound_loses_no_row() -> None:
    with served() as server:
        server.step = timedelta(microseconds=300)
        some = [server.insert("venues", name=f"v{n}") for n in range(20)]
        clock = dict(rows(read(server)).select("record_id", "source_updated_at").iter_rows())
        middle = server.now - timedelta(microseconds=10 * 300 + 100)
        early, late = ids(read(server, window=(None, middle))), ids(read(server, window=(middle, None)))
        assert set(early) | set(late) == set(some)
        # The extract filters by the clock that Directus shows.
        assert all(id in early for id in some if clock[id] < middle)
        assert all(id in late for id in some if clock[id] >= middle)


@pytest.mark.parametrize("part", ["artists", "events_artists"])
def test_a_relation_that_the_role_may_not_read_is_an_error(part: str) -> None:
    with served() as server:
        server.insert("events", name="festival")
        server.tables["events_artists"].forbidden = part == "events_artists"
        server.tables["events"].hidden = {part}
        with pytest.raises(TerminalError, match="events come without artists: the role of DIRECTUS_TOKEN") as caught:
            read(server, "directus.events")
        told(caught)


@pytest.mark.parametrize(("limit_max", "info"), [(30, True), (30, False), (300, False)])
def test_the_servers_limit_is_kept(limit_max: int, info: bool) -> None:  # noqa: FBT001
    with served(limit_max=limit_max, info=info) as server:
        some = [server.insert("venues", name=f"v{n}") for n in range(70)]
        if limit_max < directus.SAFE_LIMIT and not info:
            with pytest.raises(TerminalError, match="INVALID_QUERY"):
                read(server)
        else:
            assert sorted(ids(read(server))) == sorted(some)


def test_the_servers_limit_does_not_cut_a_line_up() -> None:
    with served(limit_max=30) as server:
        event = server.insert("events", name="festival")
        server.link(LINE_UP, "artists_id", event, [server.insert("artists", name=f"a{n}") for n in range(150)])
        assert len(json.loads(rows(read(server, "directus.events"))["payload"][0])["artists"]) == 150


def test_the_bookmark_is_behind_what_may_still_be_committed() -> None:
    with served() as server:
        server.now = datetime.now(UTC) - timedelta(hours=3)
        some = [server.insert("venues", name=f"v{n}") for n in range(3)]
        server.delete("venues", some[0])
        server.now = datetime.now(UTC) - timedelta(minutes=5)
        server.delete("venues", some[1])
        found = read(server)
        assert (gone(found), found[-1].bookmark) == ({some[0], some[1]}, {"activity": 4})
        assert gone(read(server, bookmark=found[-1].bookmark)) == {some[1]}
        assert gone(read(server, window=(server.now - timedelta(hours=1), None))) == {some[1]}


def test_many_deletes(small_pages: None) -> None:
    with served() as server:
        some = [server.insert("venues", name=f"v{n}") for n in range(35)]
        for id in some:
            server.delete("venues", id)
        assert gone(read(server)) == set(some)


def test_a_role_that_may_not_read_the_activity_log(caplog: pytest.LogCaptureFixture) -> None:
    with served() as server, caplog.at_level(logging.WARNING):
        kept, lost = server.insert("venues", name="kept"), server.insert("venues", name="lost")
        server.delete("venues", lost)
        server.tables["directus_activity"].forbidden = True
        found = read(server, bookmark={"activity": 7})
        assert (ids(found), gone(found), found[-1].bookmark) == ([kept], set(), None)
    assert "deletes are found only where all ids are compared" in caplog.text
    assert TOKEN not in caplog.text


@pytest.mark.parametrize("token", ["expired", "tampered", "wrong"])
def test_any_bad_token(token: str) -> None:
    with served() as server, pytest.raises(TerminalError, match="DIRECTUS_TOKEN is not valid"):
        list(collection(server, DIRECTUS_TOKEN=token).read(Request()))


@pytest.mark.parametrize("name", ["DIRECTUS_URL", "DIRECTUS_TOKEN"])
def test_a_setting_that_is_missing_is_named(name: str) -> None:
    with served() as server, pytest.raises(TerminalError, match=f"{name} is not set"):
        collection(server, **{name: ""})


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (error(400, "INVALID_QUERY", "Invalid query. Nonsense."), r"400 INVALID_QUERY\): Invalid query. Nonsense"),
        (Answer(431), "too long for the server"),
        (Answer(404, b"<html>"), "DIRECTUS_URL"),
        (Answer(301, headers={"Location": "https://elsewhere.example/items"}), "redirects to elsewhere.example"),
    ],
)
def test_answers_that_asking_again_does_not_change(answer: Answer, said: str) -> None:
    with served() as server:
        server.fail(answer, path="/items")
        with pytest.raises(TerminalError, match=said):
            read(server)


@pytest.mark.parametrize("faults", [["reset"], ["truncated"], ["half JSON"], [Answer(503)] * 2, [too_many()] * 5])
def test_faults_that_pass(faults: list[Fault], small_pages: None) -> None:
    with served() as server:
        some = [server.insert("venues", name=f"v{n}") for n in range(25)]
        server.fail(*faults, path="/items")
        assert sorted(ids(read(server))) == sorted(some)


def test_a_failure_that_stays_is_transient() -> None:
    with served() as server:
        server.fail(*[error(500, "INTERNAL_SERVER_ERROR")] * 3, path="/items")
        with pytest.raises(
            TransientError, match="directus: GET /items/venues failed 3 times, at last: status 500"
        ) as caught:
            read(server)
        told(caught)


def test_a_rate_limit_is_waited_for_as_its_reset_says() -> None:
    slept: list[float] = []
    with served() as server:
        server.fail(too_many(seconds=30), too_many())
        client = directus.connect(settings_of(server), sleep=slept.append)
        list(directus.Collection(client, table("directus.venues")).read(Request()))
    assert 28 < slept[0] <= 30


def test_a_page_that_comes_twice_is_noticed(small_pages: None) -> None:
    with served() as server:
        some = [server.insert("venues", name=f"v{n}") for n in range(45)]
        server.fail("half JSON", "half JSON", "duplicate", "duplicate", path="/items/venues")
        assert set(ids(read(server))) == set(some)


def test_a_server_that_knows_one_page_only_is_given_up(small_pages: None) -> None:
    with served() as server:
        for n in range(45):
            server.insert("venues", name=f"v{n}")
        server.fail(*["duplicate"] * 200, path="/items/venues")  # type: ignore[list-item]
        with pytest.raises(TransientError, match="the same page comes again and again"):
            list(collection(server).ids())


def test_rows_deleted_between_pages_hide_no_other_row(small_pages: None) -> None:
    with served() as server:
        some = [server.insert("venues", name=f"v{n}") for n in range(95)]
        doomed = iter(some[::2])
        server.before = lambda asked: asked.path == "/items/venues" and server.delete("venues", next(doomed))
        found = set(ids(read(server)))
        assert found >= set(some[1::2])


def test_rows_that_move_a_little_do_not_send_the_reader_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """All without a clock: going on by clock would mean to begin again."""
    monkeypatch.setattr(directus, "LIMIT", 50)
    with served() as server:
        some = sorted(server.insert("venues", dated=False, name=f"v{n}") for n in range(600))
        doomed = iter(some[:100])
        server.before = lambda asked: "offset" in asked.params and server.delete("venues", next(doomed))
        found = ids(read(server))
        assert set(found) >= set(some[100:])
        assert len(found) < 610


def test_a_list_that_always_moves_is_given_up(small_pages: None) -> None:
    with served() as server:
        for n in range(40):
            server.insert("venues", dated=False, name=f"v{n}")

        def churn(_: Asked) -> None:
            server.tables["venues"].rows.clear()
            for _ in range(40):
                server.insert("venues", dated=False, name="new")

        server.before = churn
        with pytest.raises(TransientError, match="venues changes faster than it can be read"):
            read(server)


def test_large_offsets_begin_again_at_a_later_clock(small_pages: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "ANCHOR_PAGES", 2)
    with served() as server:
        some = [server.insert("venues", name=f"v{n}") for n in range(200)]
        assert set(ids(read(server))) == set(some)
        assert max(int(asked.params.get("offset", 0)) for asked in server.requests) <= (2 + 2 * paging.AHEAD) * 10


Step = tuple[str, int]


@given(
    st.lists(
        st.tuples(st.sampled_from(["insert", "update", "delete", "bulk", "nothing"]), st.integers(0, 59)), max_size=25
    ),
    st.booleans(),
)
def test_a_record_that_nobody_touches_is_read_whatever_else_happens(history: list[Step], dated: bool) -> None:  # noqa: FBT001
    with pytest.MonkeyPatch.context() as patch, served() as server:
        patch.setattr(directus, "LIMIT", 7)
        written = {server.insert("venues", dated=dated or n % 2 == 0, name=f"v{n}"): {f"v{n}"} for n in range(60)}
        server.update("venues", *list(written)[20:40], status="published")
        calm, steps = set(written), iter(history)

        def meanwhile(asked: Asked) -> None:
            what, n = next(steps, ("nothing", 0))
            here = list(server.tables["venues"].rows)
            if what == "insert":
                written[server.insert("venues", name=f"new {n}")] = {f"new {n}"}
            elif what == "delete":
                calm.discard(here[n % len(here)])
                server.delete("venues", here[n % len(here)])
            elif what in ("update", "bulk"):
                some = here[n:][: 1 if what == "update" else 20]
                calm.difference_update(some)
                for id in some:
                    written[id].add(f"changed {len(steps_done)}")
                server.update("venues", *some, name=f"changed {len(steps_done)}")
            steps_done.append(what)

        steps_done: list[str] = []
        server.before = meanwhile
        found = rows(read(server)).filter(pl.col("payload").is_not_null())
        assert set(found["record_id"]) >= calm
        for record in found.iter_rows(named=True):
            assert json.loads(record["payload"])["name"] in written[record["record_id"]]
