"""Twenty against its contract server: one small test for each line of the contract."""

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from resources.sources import twenty
from resources.sources.catalogue import table
from tests.support.crm import Crm
from tests.support.faults import Answer, Asked
from tests.support.twenty_server import KEY, START, shown

PEOPLE = table("twenty.people")
DAY = timedelta(days=1)
MIDNIGHT = START.replace(hour=0)


@pytest.fixture
def crm() -> Iterator[Crm]:
    with Crm() as server:
        yield server
    assert server.forbidden == []


# -- reading


@pytest.mark.parametrize("name", ["people", "companies", "opportunities"])
def test_every_object_is_found_under_its_plural(crm: Crm, name: str) -> None:
    id = crm.put(name, name="Ñandú")
    (batch,) = crm.batches(name=name)
    assert batch.rows["record_id"].to_list() == [id]
    assert batch.rows["origin"].to_list() == [f"/rest/{name}"]


def test_the_payload_is_what_was_sent_byte_for_byte(crm: Crm) -> None:
    text = '{"id":"3f1c2a54-8b0e-4c7d-9a11-5d2e6f708192","n":1.50,"big":12345678901234567890,"é":"é"}'
    crm.fail(Answer(200, f'{{"data":{{"people":[ {text} ]}},"pageInfo":{{"hasNextPage":false}}}}'.encode()))
    assert crm.read()["payload"].to_list() == [text]


def test_absent_unknown_and_renamed_fields_are_taken(crm: Crm) -> None:
    for field in (
        {"annualRevenue": {"amountMicros": "1"}},
        {"annualRecurringRevenue": {"amountMicros": 1}},
        {"new": 1},
    ):
        crm.put("companies", name="a", **field)
    (batch,) = crm.batches(name="companies")
    assert batch.rows["reason"].null_count() == 3
    assert batch.unknown == {"new"}


def test_pages_follow_has_next_page_however_few_rows_they_hold() -> None:
    with Crm(limit_max=7) as crm:
        made = {crm.put() for _ in range(50)}
        assert crm.ids() == made
        assert {asked.params["limit"] for asked in crm.lists} == {"200"}


def test_an_empty_object_is_no_row_and_no_error(crm: Crm) -> None:
    assert crm.read().height == 0


def test_the_key_is_sent_as_bearer_and_relations_are_not_asked_for(crm: Crm) -> None:
    crm.read()
    assert crm.lists[0].headers["Authorization"] == f"Bearer {KEY}"
    assert crm.lists[0].params["depth"] == "0"


def test_a_page_is_200_rows_and_a_batch_ten_pages(crm: Crm) -> None:
    for _ in range(2_100):
        crm.put()
    assert [batch.rows.height for batch in crm.batches()][:2] == [2_000, 100]


# -- windows


def test_a_window_holds_its_start_and_not_its_end(crm: Crm) -> None:
    inside = {crm.put(updatedAt=at) for at in (MIDNIGHT, MIDNIGHT + DAY - timedelta(microseconds=1))}
    for at in (MIDNIGHT - timedelta(milliseconds=1), MIDNIGHT + DAY):
        crm.put(updatedAt=at)
    assert crm.ids((MIDNIGHT, MIDNIGHT + DAY)) == inside


def test_half_open_windows(crm: Crm) -> None:
    before, after = crm.put(updatedAt=MIDNIGHT - DAY), crm.put(updatedAt=MIDNIGHT + DAY)
    assert crm.ids((None, MIDNIGHT)) == {before}
    assert crm.ids((MIDNIGHT, None)) == {after}


def test_bounds_finer_than_milliseconds_lose_nothing(crm: Crm) -> None:
    at = MIDNIGHT + timedelta(microseconds=1_700)
    id = crm.put(updatedAt=at)
    assert crm.ids((at, None)) == crm.ids((None, at + timedelta(microseconds=1))) == {id}


def test_a_record_without_a_clock_is_in_every_window(crm: Crm) -> None:
    id = crm.put(updatedAt=None)
    assert crm.ids((MIDNIGHT, MIDNIGHT + DAY)) == crm.ids((None, MIDNIGHT)) == crm.ids() == {id}


def test_soft_deleted_records_come_with_the_time_of_their_end(crm: Crm) -> None:
    id = crm.put()
    crm.soft_delete("people", id)
    for window in ((None, None), (MIDNIGHT, MIDNIGHT + DAY), (MIDNIGHT, None)):
        rows = crm.read(window)
        assert rows["record_id"].to_list() == [id]
        assert rows["deleted_at"].to_list() == [crm.now]


# -- pages that change


def test_a_record_touched_between_pages_is_read_again() -> None:
    with Crm(limit_max=2) as crm:
        first = min(crm.put() for _ in range(6))
        crm.before = lambda asked: crm.put(id=first, jobTitle="new") if len(crm.requests) == 2 else None
        crm.now = datetime.now(UTC)
        rows = crm.read().filter(record_id=first)
    assert [json.loads(payload).get("jobTitle") for payload in rows["payload"]] == [None, "new"]


def test_a_record_deleted_between_pages_hides_no_other() -> None:
    with Crm(limit_max=2) as crm:
        made = sorted(crm.put() for _ in range(8))
        crm.before = lambda asked: crm.delete("people", made[0]) if len(crm.requests) == 2 else None
        assert crm.ids() == set(made)


def test_many_records_of_one_moment_come_to_an_end() -> None:
    """In the order of `updatedAt`, whose cursors have only milliseconds, these pages would repeat for ever."""
    with Crm(limit_max=2) as crm:
        at = START + timedelta(microseconds=123_456)
        made = {crm.put(updatedAt=at + timedelta(microseconds=n % 3)) for n in range(9)}
        assert crm.ids((MIDNIGHT, MIDNIGHT + DAY)) == made


def test_a_read_goes_on_where_it_was_killed(crm: Crm) -> None:
    crm.limit_max = 1
    made = sorted(crm.put() for _ in range(25))
    first, *_ = crm.batches((MIDNIGHT, None))
    crm.requests.clear()
    again = crm.read((MIDNIGHT, None), position=json.loads(json.dumps(first.position)))
    assert set(first.rows["record_id"]) | set(again["record_id"]) == set(made)
    assert crm.lists[0].params["starting_after"]
    assert first.rows.height == twenty.BATCH_PAGES


def test_a_read_that_goes_on_later_has_what_was_touched_since(crm: Crm) -> None:
    crm.limit_max = 1
    crm.now = datetime.now(UTC) - timedelta(minutes=1)
    first_id = min(crm.put() for _ in range(15))
    first, *_ = crm.batches()
    crm.put(id=first_id, jobTitle="new")
    assert first_id in crm.ids(position=first.position)


def test_a_window_that_ended_before_the_read_began_is_read_once(crm: Crm) -> None:
    crm.limit_max = 1
    for _ in range(3):
        crm.put(updatedAt=MIDNIGHT - DAY)
    crm.read((None, MIDNIGHT))
    crm.limit_max = 200
    crm.read((None, None))
    assert len(crm.lists) == 3 + 1


@given(
    st.lists(
        st.tuples(st.sampled_from(["put", "touch", "soft", "hard"]), st.integers(0, 30), st.integers(0, 8)),
        max_size=25,
    ),
    st.integers(1, 4),
)
@examples(max_examples=40)
def test_what_stays_is_read_whatever_others_do_meanwhile(acts: list[tuple[str, int, int]], size: int) -> None:
    """Acts: what, to which record, before which request. Old records must come with this read, all others with two."""
    with Crm(limit_max=size) as crm:
        crm.now = datetime.now(UTC) - DAY
        for _ in range(12):
            crm.put()
        crm.now = began = datetime.now(UTC)

        def act(asked: Asked) -> None:
            for what, which, when in acts:
                alive = sorted(crm.records["people"])
                if when == len(crm.requests) - 1 and alive:
                    do(crm, what, alive[which % len(alive)])

        crm.before = act
        rows = crm.read()
        crm.before = None
        rows = pl.concat([rows, crm.read((began, None))])
        newest = rows.sort("source_updated_at").unique("record_id", keep="last")
        for id, record in crm.records["people"].items():
            row = newest.row(by_predicate=pl.col("record_id") == id, named=True)
            assert json.loads(row["payload"])["updatedAt"] == shown(record["updatedAt"])
            assert (row["deleted_at"] is None) == (record["deletedAt"] is None)


def do(crm: Crm, what: str, id: str) -> None:
    if what == "put":
        crm.put()
    elif what == "touch":
        crm.put(id=id)
    elif what == "soft":
        crm.soft_delete("people", id)
    else:
        crm.delete("people", id)


# -- marked records


def test_marked_records_are_read_whatever_their_clock(crm: Crm) -> None:
    old, soft = crm.put(updatedAt=MIDNIGHT - DAY), crm.put(updatedAt=MIDNIGHT - DAY)
    crm.soft_delete("people", soft)
    crm.put(id=soft, updatedAt=MIDNIGHT - DAY)
    assert crm.ids((MIDNIGHT, MIDNIGHT + DAY), marked=[old, soft, old.upper()]) == {old, soft}


def test_a_marked_record_that_is_gone_is_a_tombstone(crm: Crm) -> None:
    here, gone = crm.put(), crm.put()
    crm.delete("people", gone)
    before = datetime.now(UTC)
    *_, last = crm.batches((MIDNIGHT - DAY, MIDNIGHT), marked=[here, gone])
    (row,) = last.rows.to_dicts()
    assert (row["record_id"], row["payload"]) == (gone, None)
    assert before <= row["deleted_at"] == row["source_updated_at"] <= datetime.now(UTC)


def test_many_marked_records_are_asked_for_in_short_urls(crm: Crm) -> None:
    made = {crm.put() for _ in range(250)}
    crm.limit_max = 60
    assert crm.ids((MIDNIGHT - DAY, MIDNIGHT), marked=sorted(made)) == made
    assert max(len(asked.target) for asked in crm.lists) < 8_192


def test_a_mark_that_cannot_be_an_id_asks_for_nothing(crm: Crm) -> None:
    crm.read(marked=['x"],or(id[is]:NOT_NULL', ""])
    assert len(crm.lists) == 1


# -- ids and days


def test_ids_are_those_of_all_records(crm: Crm) -> None:
    crm.limit_max = 2
    made = {crm.put() for _ in range(5)}
    crm.soft_delete("people", min(made))
    lists = list(twenty.ids(crm.settings(), PEOPLE, client=crm.client()))
    assert [len(some) for some in lists] == [2, 2, 1]
    assert {id for some in lists for id in some} == made


@pytest.mark.parametrize(
    ("days", "expected"),
    [([], []), ([0], [0]), ([0, 0, 3], [0, 3]), ([0, 1, 2, 3, 4, 7], [0, 1, 2, 3, 4, 5, 6, 7]), (range(5), range(5))],
)
def test_touched_days(crm: Crm, days: list[int], expected: list[int]) -> None:
    crm.put(updatedAt=None)
    crm.put(updatedAt=MIDNIGHT - DAY)
    for day in days:
        crm.put(updatedAt=MIDNIGHT + day * DAY + timedelta(hours=23, minutes=59))
    found = twenty.touched(crm.settings(), PEOPLE, MIDNIGHT, client=crm.client())
    assert found == [date(2026, 11, 1 + day) for day in expected]
    assert len(crm.lists) <= twenty.TOUCHED_DAYS + 1


def test_a_soft_delete_touches_its_day(crm: Crm) -> None:
    id = crm.put(updatedAt=MIDNIGHT - DAY)
    crm.soft_delete("people", id)
    assert twenty.touched(crm.settings(), PEOPLE, MIDNIGHT, client=crm.client()) == [START.date()]
