"""Extended JSON: the same as json_util for every BSON type, and as mongoexport where json_util has no say."""

import json
from datetime import UTC, datetime
from typing import Any

import bson
import pytest
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from hypothesis import given
from hypothesis import strategies as st

from resources.sources import extended_json

LONG = st.integers(-(2**63), 2**63 - 1)
KEYS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
OPTIONS = CodecOptions[dict[str, Any]](datetime_conversion=DatetimeConversion.DATETIME_AUTO)
UINT32 = st.integers(0, 2**32 - 1)

OBJECT_IDS = st.binary(min_size=12, max_size=12).map(bson.ObjectId)
DECIMALS = st.binary(min_size=16, max_size=16).map(bson.Decimal128.from_bid)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    LONG,
    LONG.map(bson.Int64),
    LONG.map(DatetimeMS),
    st.datetimes(timezones=st.just(UTC)),
    st.floats(),
    TEXTS,
    st.binary(max_size=20),
    st.builds(bson.Binary, st.binary(min_size=16, max_size=16), st.sampled_from([0, 3, 4, 5, 6, 9, 128])),
    OBJECT_IDS,
    DECIMALS,
    st.builds(bson.Regex, KEYS, st.integers(0, 127).map(lambda flags: flags & ~1)),
    st.builds(bson.Timestamp, UINT32, UINT32),
    st.builds(bson.Code, TEXTS),
    st.builds(bson.Code, TEXTS, st.dictionaries(KEYS, st.floats(), max_size=2)),
    st.builds(bson.DBRef, KEYS, OBJECT_IDS | st.floats(), st.none() | KEYS),
    st.just(bson.MinKey()),
    st.just(bson.MaxKey()),
)
VALUES = st.recursive(SCALARS, lambda v: st.lists(v, max_size=4) | st.dictionaries(KEYS, v, max_size=4), max_leaves=12)


def reference(raw: bytes) -> Any:
    """What json_util says of the document, parsed, fields in order."""
    text = json_util.dumps(bson.decode(raw, OPTIONS), json_options=json_util.RELAXED_JSON_OPTIONS)
    return pairs(text)


def pairs(text: str | bytes) -> Any:
    return json.loads(text, object_pairs_hook=list)


@given(st.dictionaries(KEYS, VALUES, max_size=6))
def test_it_says_what_json_util_says(document: dict[str, Any]) -> None:
    raw = bson.encode(document)
    assert pairs(extended_json.text(raw)) == reference(raw)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (float("nan"), {"$numberDouble": "NaN"}),
        ([{"deep": float("-inf")}], [{"deep": {"$numberDouble": "-Infinity"}}]),
        (-1, -1),
        (bson.Int64(2**53 + 1), 2**53 + 1),
        (datetime(2026, 11, 13, 23, 21, 6, 569000, tzinfo=UTC), {"$date": "2026-11-13T23:21:06.569Z"}),
        (datetime(2026, 11, 13, 23, 21, 6, tzinfo=UTC), {"$date": "2026-11-13T23:21:06Z"}),
        (datetime(1970, 1, 1, tzinfo=UTC), {"$date": "1970-01-01T00:00:00Z"}),
        (datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC), {"$date": {"$numberLong": "-1"}}),
        (DatetimeMS(2**60), {"$date": {"$numberLong": str(2**60)}}),
        (bson.Decimal128("12.3400"), {"$numberDecimal": "12.3400"}),
        (bson.Code("f()"), {"$code": "f()"}),
        ("a\0b\u2028\U0001f3b6", "a\0b\u2028\U0001f3b6"),
        (1.0, 1.0),
    ],
)
def test_what_is_easily_got_wrong(value: Any, said: Any) -> None:
    text = extended_json.text(bson.encode({"value": value}))
    assert json.loads(text) == {"value": said}
    assert repr(json.loads(text)["value"]) == repr(said)


def test_a_field_that_comes_twice_is_there_once_with_its_last_value() -> None:
    body = b"\x10a\x00\x01\x00\x00\x00\x10b\x00\x02\x00\x00\x00\x10a\x00\x03\x00\x00\x00\x00"
    raw = (len(body) + 4).to_bytes(4, "little") + body
    assert pairs(extended_json.text(raw)) == reference(raw) == [("a", 3), ("b", 2)]


def test_bytes_that_are_no_utf8_cost_themselves_only() -> None:
    raw = bson.encode({"_id": 1, "name": "caf\u00e9!"}).replace("\u00e9".encode(), b"\xff\xfe")
    assert json.loads(extended_json.text(raw)) == {"_id": 1, "name": "caf\ufffd\ufffd!"}


def test_what_nests_deeper_than_orjson_goes_is_written_all_the_same() -> None:
    document: dict[str, Any] = {"end": bson.Int64(1)}
    for _ in range(300):
        document = {"a": document}
    raw = bson.encode(document)
    assert pairs(extended_json.text(raw)) == reference(raw)


@given(st.lists(st.dictionaries(KEYS, TEXTS, max_size=3), max_size=5))
def test_a_stream_is_split_into_its_documents(documents: list[dict[str, Any]]) -> None:
    raws = [bson.encode(document) for document in documents]
    assert list(extended_json.split(b"".join(raws))) == raws
