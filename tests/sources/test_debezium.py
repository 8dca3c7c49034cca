"""Change envelopes: every form they come in, and that the last state is the source's, whatever their order."""

import base64
import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.sources import debezium
from resources.sources.catalogue import table
from resources.sources.debezium_values import UNAVAILABLE

VENUES, EVENTS, USERS = table("directus.venues"), table("directus.events"), table("mongo.users")
T = datetime(2026, 10, 1, 12, tzinfo=UTC)
MS = int(T.timestamp() * 1000)


def rows(source: Any, *lines: Any) -> list[dict[str, Any]]:
    texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
    frame = pl.DataFrame({"payload": texts, "origin": [f"f:{n + 1}" for n in range(len(texts))]})
    found = debezium.batches_of([frame], source)
    return [row for batch in found for row in batch.rows.to_dicts()]


def payloads(source: Any, *lines: Any) -> list[dict[str, Any]]:
    found = rows(source, *lines)
    assert [row["reason"] for row in found] == [None] * len(found)
    return [json.loads(row["payload"]) for row in found]


def envelope(op: str, record: dict[str, Any] | None, at: int = 0, **source: Any) -> dict[str, Any]:
    images = {"before": record, "after": None} if op == "d" else {"before": None, "after": record}
    return {**images, "op": op, "ts_ms": MS + at + 7, "source": {"ts_ms": MS + at, **source}}


def with_schema(message: dict[str, Any], *columns: dict[str, Any]) -> dict[str, Any]:
    record = [{"field": side, "type": "struct", "fields": list(columns)} for side in ("before", "after")]
    return {"schema": {"type": "struct", "fields": record}, "payload": message}


def test_a_change_has_the_records_own_clock_and_else_the_sources() -> None:
    own = {"id": "a", "date_updated": "2026-09-01T00:00:00.123456Z"}
    found = rows(VENUES, envelope("u", own), envelope("c", {"id": "b"}))
    assert [row["source_updated_at"] for row in found] == [datetime(2026, 9, 1, 0, 0, 0, 123000, tzinfo=UTC), T]
    assert all(row["partial"] and row["deleted_at"] is None for row in found)
    assert json.loads(found[0]["payload"]) == own


@pytest.mark.parametrize(
    ("source", "microseconds"),
    [({"ts_ns": 1_000_000_123_456}, 123), ({"ts_us": 1_000_000_456}, 456), ({"ts_ms": 1_000_000, "ts_us": None}, 0)],
)
def test_the_sources_clock_is_read_as_precisely_as_it_is_said(source: dict[str, Any], microseconds: int) -> None:
    found = rows(VENUES, {"op": "c", "after": {"id": "a"}, "source": source})
    assert found[0]["source_updated_at"].microsecond == microseconds


def test_a_deletion_says_who_and_when_and_keeps_only_what_the_log_knows() -> None:
    key_only = envelope("d", {"id": "a", "name": None}, 5)
    in_key = {"key": {"id": "b"}, "value": envelope("d", None)}
    in_schema = {"key": {"schema": {}, "payload": {"id": "c"}}, "value": with_schema(envelope("d", None))}
    found = rows(
        VENUES,
        key_only,
        in_key,
        in_schema,
        {"key": {"id": "b"}, "value": None},
        "null",
        {"payload": None, "schema": {}},
    )
    assert [json.loads(row["payload"]) for row in found] == [{"id": "a"}, {"id": "b"}, {"id": "c"}]
    assert [row["reason"] for row in found] == [None] * 3
    assert found[0]["deleted_at"] == found[0]["source_updated_at"] == T + timedelta(milliseconds=5)


def test_of_what_is_gone_the_key_is_enough_whatever_the_contract_requires() -> None:
    assert rows(table("mongo.engagement"), {"key": {"id": '"e1"'}, "value": envelope("d", None)})[0]["reason"] is None


def test_mongodb_is_read_from_text_and_in_the_form_of_exports() -> None:
    after = '{"_id": {"$oid": "66aa"}, "updatedAt": {"$date": 1790856000123}, "visits": {"$numberLong": "7"}, "x": "ñ"}'
    kept = '{"_id":{"$oid":"66aaaaaaaaaaaaaaaaaaaaaa"},"updatedAt":{"$date":"2026-10-01T12:00:00.123Z"}}'
    assert json.loads(rows(USERS, envelope("u", after.replace("66aa", "66" * 12)))[0]["payload"]) == {  # type: ignore[arg-type]
        "_id": {"$oid": "66" * 12},
        "updatedAt": {"$date": "2026-10-01T12:00:00.123Z"},
        "visits": 7,
        "x": "ñ",
    }
    found = rows(USERS, envelope("u", kept))  # type: ignore[arg-type]
    assert found[0]["payload"] == kept
    assert found[0]["source_updated_at"] == datetime(2026, 10, 1, 12, 0, 0, 123000, tzinfo=UTC)
    gone = {"key": {"id": '{"$oid":"66aaaaaaaaaaaaaaaaaaaaaa"}'}, "value": envelope("d", None)}
    assert rows(USERS, gone)[0]["record_id"] == "66aaaaaaaaaaaaaaaaaaaaaa"


@pytest.mark.parametrize("form", [UNAVAILABLE, [UNAVAILABLE], base64.b64encode(UNAVAILABLE.encode()).decode()])
def test_a_value_that_the_log_does_not_have_is_left_out(form: Any) -> None:
    assert payloads(VENUES, envelope("u", {"id": "a", "address": form, "city": None})) == [{"id": "a", "city": None}]


def test_numbers_and_texts_stay_as_they_were_written() -> None:
    text = '{"id":"a","capacity":12.50,"latitude":1e2,"name":"\\u00d1 \\/"}'
    line = f'{{"op":"u","ts_ms":{MS},"after":{text}}}'
    assert rows(VENUES, line)[0]["payload"] == text


CONNECT, DEBEZIUM = "org.apache.kafka.connect.data.", "io.debezium."


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ({"name": f"{CONNECT}Decimal", "parameters": {"scale": "2"}}, "MDk=", "123.45"),
        ({"name": f"{CONNECT}Decimal", "parameters": {"scale": "2"}}, "/w==", "-0.01"),
        ({"name": f"{CONNECT}Decimal", "parameters": {"scale": "0"}}, "AA==", "0"),
        ({"name": f"{DEBEZIUM}data.VariableScaleDecimal"}, {"scale": 1, "value": "MDk="}, "1234.5"),
        ({"name": f"{DEBEZIUM}time.MicroTimestamp"}, 1_790_856_000_123_456, "2026-10-01T12:00:00.123"),
        ({"name": f"{DEBEZIUM}time.NanoTimestamp"}, 1_790_856_000_000_000_000, "2026-10-01T12:00:00"),
        ({"name": f"{DEBEZIUM}time.Timestamp"}, 1_790_856_000_000, "2026-10-01T12:00:00"),
        ({"name": f"{CONNECT}Timestamp"}, -1, "1969-12-31T23:59:59.999"),
        ({"name": f"{DEBEZIUM}time.ZonedTimestamp"}, "2026-10-01T14:00:00.123456+02:00", "2026-10-01T12:00:00.123Z"),
        ({"name": f"{DEBEZIUM}time.Date"}, 20_727, "2026-10-01"),
        ({"name": f"{DEBEZIUM}time.MicroTime"}, 3_661_000_000, "01:01:01"),
        ({"name": f"{DEBEZIUM}data.Json"}, '{"a": [1.50]}', {"a": [1.5]}),
        (
            {"name": f"{DEBEZIUM}data.Uuid"},
            "6466c4ed-0aac-4eee-8cc7-25ef4bda9e2f",
            "6466c4ed-0aac-4eee-8cc7-25ef4bda9e2f",
        ),
        ({"type": "array", "items": {"name": f"{DEBEZIUM}time.Date"}}, [0, None], ["1970-01-01", None]),
        ({"type": "string"}, "123", "123"),
        ({"name": f"{DEBEZIUM}time.Date"}, None, None),
    ],
)
def test_values_are_read_as_their_schema_says(column: dict[str, Any], value: Any, expected: Any) -> None:
    message = with_schema(envelope("u", {"id": "a", "phone": value}), {"field": "phone", **column})
    assert payloads(VENUES, message) == [{"id": "a", "phone": expected}]


@pytest.mark.parametrize("number", [1_790_856_000_123, 1_790_856_000_123_456, 1_790_856_000_123_456_789])
def test_a_clock_is_one_with_its_schema_and_without(number: int) -> None:
    name = f"{DEBEZIUM}time.MicroTimestamp"
    bare = envelope("u", {"id": "a", "date_updated": number})
    schema = with_schema(
        envelope("u", {"id": "a", "date_updated": 1_790_856_000_123_456}), {"field": "date_updated", "name": name}
    )
    for message in (bare, schema):
        assert payloads(VENUES, message) == [{"id": "a", "date_updated": "2026-10-01T12:00:00.123Z"}]
        assert rows(VENUES, message)[0]["source_updated_at"] == T.replace(microsecond=123000)


def test_a_list_that_a_json_column_has_as_text_is_a_list() -> None:
    assert payloads(EVENTS, envelope("u", {"id": "a", "genres": '["salsa"]'})) == [{"id": "a", "genres": ["salsa"]}]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", "not a Debezium envelope"),
        ("[]", "not a Debezium envelope"),
        ({"id": "a"}, "not a Debezium envelope: no op of c, u, r, d"),
        ({"op": "m", "ts_ms": MS}, "no op of c, u, r, d"),
        ({"op": "t", "ts_ms": MS, "after": None}, "truncated: its log does not name the records"),
        ({"op": "u", "after": {"id": "a"}}, "no ts_ms"),
        ({"op": "u", "after": {"id": "a"}, "ts_ms": 10**18}, "no ts_ms"),
        ({"op": "d", "before": None, "ts_ms": MS}, "keep `before` on deletes and `after` on changes"),
        ({"op": "u", "after": None, "ts_ms": MS}, "keep `before` on deletes and `after` on changes"),
        ({"op": "u", "after": {"name": "x"}, "ts_ms": MS}, "missing key id"),
        ({"op": "u", "after": {"id": "a", "name": {}}, "ts_ms": MS}, "name: expected text"),
        (
            with_schema(envelope("u", {"id": "a", "x": "?"}), {"field": "x", "name": f"{CONNECT}Decimal"}),
            "x: not what the schema says",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_taken_says_why_and_the_rest_goes_on(line: Any, reason: str) -> None:
    found = rows(VENUES, line, envelope("c", {"id": "good"}))
    assert reason in found[0]["reason"]
    assert (found[1]["record_id"], found[1]["reason"]) == ("good", None)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"lsn": 99}, {"lsn": 100}),
        ({"file": "binlog.000009", "pos": 900, "row": 0}, {"file": "binlog.000010", "pos": 4, "row": 0}),
        ({"file": "binlog.000009", "pos": 4, "row": 1}, {"file": "binlog.000009", "pos": 4, "row": 2}),
        ({"ord": 9}, {"ord": 10}),
    ],
)
def test_changes_of_one_moment_are_in_the_order_of_the_log(first: dict[str, Any], second: dict[str, Any]) -> None:
    a, b = envelope("u", {"id": "a", "name": "A"}, **first), envelope("u", {"id": "a", "name": "B"}, **second)
    for lines in ((a, b), (b, a)):
        assert [p["name"] for p in payloads(VENUES, *lines)] == ["A", "B"]


def test_the_log_outranks_clocks_that_go_back() -> None:
    newer, older = ("2026-10-01T13:00:00.000Z", "2026-10-01T11:00:00.000Z")
    history = [
        envelope("c", {"id": "a", "name": "A", "date_updated": newer}, 0, lsn=1),
        envelope("u", {"id": "a", "name": "B", "date_updated": older}, 1, lsn=2),
        envelope("d", {"id": "a"}, 2, lsn=3),
        envelope("c", {"id": "a", "name": "C", "date_updated": older}, 3, lsn=4),
    ]
    assert state([history]) == {"a": {"id": "a", "name": "C", "date_updated": older}}
    assert state([history[:3]]) == {}


def test_order_holds_across_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debezium, "MOST_CHANGES", 1)
    old = "2026-09-01T00:00:00.000Z"
    assert state([[envelope("d", {"id": "a"}, 2), envelope("c", {"id": "a", "date_updated": old}, 3)]]) == {
        "a": {"id": "a", "date_updated": old}
    }


def state(files: Iterable[list[Any]]) -> dict[str, dict[str, Any]]:
    """Return the live records that a merge is left with: the last version, unless a deletion is not older."""
    found: dict[str, dict[str, Any]] = {}
    order = [row for file in files for row in rows(VENUES, *file)]
    dead: dict[str, datetime] = {}
    alive: dict[str, datetime] = {}
    for row in sorted(order, key=lambda row: row["source_updated_at"]):
        assert row["reason"] is None
        (dead if row["deleted_at"] else alive)[row["record_id"]] = row["source_updated_at"]
        found.setdefault(row["record_id"], {}).update(json.loads(row["payload"]))
    return {id: found[id] for id, at in alive.items() if id not in dead or at > dead[id]}


@st.composite
def histories(draw: st.DrawFn) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """Return a source's log, in its order, and what the source holds at its end."""
    log: list[dict[str, Any]] = []
    held: dict[str, dict[str, Any]] = {}
    at, zone = 0, draw(st.sampled_from(["lsn", "ord"]))
    for place in range(draw(st.integers(1, 12))):
        id = draw(st.sampled_from("ab"))
        at += draw(st.sampled_from([0, 0, 1, 1000]))
        where = {zone: place}
        if id in held and draw(st.booleans()):
            record = held.pop(id) if draw(st.booleans()) else {"id": held.pop(id)["id"]}
            log.append(envelope("d", record, at, **where))
            continue
        clock = {"date_updated": draw(st.sampled_from([None, "2026-10-01T11:59:59.000Z", "2026-10-01T12:00:01.000Z"]))}
        new = {"id": id, "name": draw(st.text('xyñ"\\', max_size=2)), **clock}
        unchanged = id in held and draw(st.booleans())
        log.append(
            envelope(
                "u" if id in held else draw(st.sampled_from("cr")),
                new | {"bio": UNAVAILABLE if unchanged else str(place)},
                at,
                **where,
            )
        )
        held[id] = new | {"bio": held[id]["bio"] if unchanged else str(place)}
    return log, held


@given(history=histories(), random=st.randoms(), schema=st.booleans())
def test_the_last_state_is_the_sources_whatever_the_order_of_files(
    history: tuple[list[dict[str, Any]], dict[str, dict[str, Any]]], random: Any, *, schema: bool
) -> None:
    log, held = history
    lines: list[Any] = [with_schema(e, {"field": "id", "type": "string"}) if schema else e for e in log]
    lines += random.sample(lines, len(lines) // 3)  # delivered twice
    lines += [{"key": {"id": "a"}, "value": None}]
    random.shuffle(lines)
    assert state([lines]) == held
