"""The contract of a record, judged without any server."""

import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.sources import batches, judgement
from resources.sources.catalogue import table


def annotate(relation: str, *lines: str) -> list[dict]:
    frame = pl.DataFrame({"payload": lines, "origin": [f"f:{n}" for n in range(len(lines))]})
    return batches.from_lines(frame, table(relation)).rows.to_dicts()


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"id":"a"', "not a JSON object"),
        ("[1]", "not a JSON object"),
        ('{"name":"x"}', "missing key id"),
        ('{"id":null}', "missing key id"),
        ('{"id":"a","latitude":"abc"}', "latitude: expected number, got abc"),
        ('{"id":"a","name":{"es":"x"}}', 'name: expected text, got {"es":"x"}'),
        ('{"id":"a","latitude":"NaN"}', "latitude: expected number, got NaN"),
        ('{"id":"a","latitude":"19.43"}', None),  # decimals are text where PostgreSQL is behind Directus
        ('{"id":7,"latitude":null,"new_field":[]}', None),
    ],
)
def test_reason(line: str, reason: str | None) -> None:
    assert annotate("raw_directus.venues", line)[0]["reason"] == reason


def test_a_record_never_updated_has_the_time_it_was_created() -> None:
    line = '{"id":"a","date_updated":null,"date_created":"2026-10-01T00:00:00.123Z"}'
    assert annotate("raw_directus.venues", line)[0]["source_updated_at"] == datetime(
        2026, 10, 1, 0, 0, 0, 123000, tzinfo=UTC
    )


def test_extended_json_is_unwrapped() -> None:
    line = '{"_id":{"$oid":"66aa"},"amount":{"$numberDecimal":"12.50"},"updatedAt":{"$date":"2026-10-01T01:00:00Z"}}'
    row = annotate("raw_mongo.transactions", line)[0]
    assert (row["record_id"], row["reason"]) == ("66aa", None)
    assert row["source_updated_at"] == datetime(2026, 10, 1, 1, tzinfo=UTC)


def test_a_scraped_record_is_known_by_provider_and_external_id() -> None:
    line = '{"provider":"instagram","external_id":"9","name":"x","scraped_at":"2026-10-01T00:00:00Z"}'
    assert annotate("raw_scraper.venue_info", line)[0]["record_id"] == "instagram:9"


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda x: st.lists(x) | st.dictionaries(st.text(), x),
    )
)
def test_no_line_breaks_the_reader(value: object) -> None:
    line = json.dumps({"id": "a", "name": value, "latitude": value, "date_updated": value})
    row = annotate("raw_directus.venues", line)[0]
    assert row["payload"] == line
    assert row["reason"] is None or any(part in row["reason"] for part in ("expected", "not a JSON", "a NUL"))


@given(st.text().filter(lambda t: "\n" not in t))
def test_no_text_breaks_the_reader(line: str) -> None:
    assert annotate("raw_directus.venues", line)[0]["payload"] == line


@given(st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1), timezones=st.timezones()))  # noqa: DTZ001
def test_every_iso_time_is_read_in_utc(moment: datetime) -> None:
    found = pl.DataFrame({"t": [moment.isoformat()]}).select(judgement.instant(pl.col("t"))).item()
    seconds = moment.utcoffset().total_seconds()
    expected = moment.astimezone(UTC) if seconds % 60 == 0 else None  # ISO 8601 has no seconds in an offset
    assert found == expected


def test_unknown_fields_are_kept_and_told() -> None:
    frame = pl.DataFrame({"payload": ['{"id":"a","novelty":1}', '{"id":"b"}'], "origin": ["f:1", "f:2"]})
    batch = batches.from_lines(frame, table("raw_directus.venues"))
    assert batch.unknown == {"novelty"}
    assert batch.rows["reason"].null_count() == 2
    assert batch.rows["payload"][0] == '{"id":"a","novelty":1}'


def test_records_of_an_api_are_judged_like_lines_of_a_file() -> None:
    lines = [
        '{"id":"ñ","latitude":"x"}',
        '{"id":7,"extra":{"a":[1]}}',
        '{"name":"\\u0000"}',
        '{"id":"a","date_updated":"2026-01-01"}',
    ]
    frame = pl.DataFrame({"payload": lines}).with_columns(origin=pl.lit("api"))
    a = batches.from_lines(frame, table("raw_directus.venues"))
    b = batches.from_records([line.encode() for line in lines], table("raw_directus.venues"), origin="api")
    assert a.rows.equals(b.rows)
    assert a.unknown == b.unknown == {"extra"}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"$date": "2026-10-01T01:00:00Z"}, datetime(2026, 10, 1, 1, tzinfo=UTC)),
        ({"$date": {"$numberLong": "-1"}}, datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC)),
        ({"$date": {"$numberLong": "9223372036854775807"}}, None),
    ],
)
def test_every_form_of_an_extended_date_is_read(value: object, expected: datetime | None) -> None:
    row = annotate("raw_mongo.transactions", json.dumps({"_id": "a", "updatedAt": value}))[0]
    assert row["source_updated_at"] == expected


@pytest.mark.parametrize("clock", [1_763_000_000, "yesterday", {"a": 1}])
def test_a_clock_that_cannot_be_read_is_not_none(clock: object) -> None:
    row = annotate("raw_directus.venues", json.dumps({"id": "a", "date_updated": clock}))[0]
    assert row["reason"].startswith("date_updated or date_created: expected time, got")


def test_a_time_with_a_blank_in_it_is_read() -> None:
    row = annotate("raw_directus.venues", '{"id": "a", "date_updated": "2026-11-01 10:00:00"}')[0]
    assert row["source_updated_at"] == datetime(2026, 11, 1, 10, tzinfo=UTC)
