"""The values of Debezium's envelopes in the form that the source's own API gives them.

With a schema, what it names (decimals, times, JSON) is turned into text or JSON; without one a value stays as it is,
but for what the table's contract tells. Pure. What an envelope is: `debezium.py`.
"""

import base64
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

import msgspec

from resources.errors import TerminalError
from resources.sources.catalogue import SourceTable

UNAVAILABLE = "__debezium_unavailable_value"
"""Written for a large value that did not change: the record keeps the one it has."""
_ABSENT = frozenset(
    msgspec.json.encode(form)
    for text in (UNAVAILABLE, base64.b64encode(UNAVAILABLE.encode()).decode())
    for form in (text, [text], {text: text})
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EXTENDED = re.compile(r'"\$(?:date"\s*:\s*-?\d|number(?:Long|Int|Double)")')
"""Extended JSON of another form than the exports have."""
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list = msgspec.json.Decoder(list[msgspec.Raw])
Convert = Callable[[Any], Any]


class ValueFormError(TerminalError):
    """A value that is not what its schema says."""


def converted(record: bytes, side: str, schema: bytes, table: SourceTable) -> str:
    """Return the record (a JSON object) with its values in the API's form, and without those it does not know."""
    if table.source == "mongo":
        return _relaxed(record.decode())
    fields, kinds = _fields.decode(record), _kinds(schema, side) if schema else {}
    found = {
        name: _value(name, raw, kinds.get(name), table)
        for name, raw in fields.items()
        if bytes(raw).replace(b" ", b"") not in _ABSENT
    }
    if len(found) == len(fields) and all(found[name] is raw for name, raw in fields.items()):
        return record.decode()
    return msgspec.json.encode(found).decode()


def identity(before: bytes, key: bytes, schema: bytes, table: SourceTable) -> str | None:
    """Return what is known of a deleted record: `before` where there is one, else its key; None without either."""
    if before.lstrip()[:1] == b"{":
        fields = _fields.decode(converted(before, "before", schema, table))
        known = {name: raw for name, raw in fields.items() if bytes(raw) != b"null"}  # not kept in the log is no null
        if known:
            return msgspec.json.encode(known).decode()
    if key[:1] != b"{":
        return None
    fields = _fields.decode(key)
    if "payload" in fields and "schema" in fields:
        fields = _fields.decode(fields["payload"])
    raw = fields.get(table.key[0]) or next(iter(fields.values()), None)
    if raw is None:
        return None
    return msgspec.json.encode({table.key[0]: _inner(raw) if table.source == "mongo" else raw}).decode()


def _inner(raw: msgspec.Raw) -> msgspec.Raw:
    """Return MongoDB's key, which is written as JSON inside a string."""
    text = msgspec.json.decode(raw)
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, TypeError):
        return raw
    return msgspec.Raw(text.encode())


def _relaxed(text: str) -> str:
    """Return extended JSON as the exports have it."""
    if not _EXTENDED.search(text):
        return text
    from bson.json_util import RELAXED_JSON_OPTIONS, dumps, loads

    try:
        return dumps(loads(text, json_options=RELAXED_JSON_OPTIONS), json_options=RELAXED_JSON_OPTIONS)
    except (ValueError, TypeError, OverflowError) as error:
        raise ValueFormError(f"not extended JSON: {error}") from error


def _value(name: str, raw: msgspec.Raw, convert: Convert | None, table: SourceTable) -> Any:
    if bytes(raw) == b"null":
        return raw
    is_clock, is_text = name in table.updated, bytes(raw)[:1] == b'"'
    if convert:
        try:
            done = convert(msgspec.json.decode(raw))
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise ValueFormError(f"{name}: not what the schema says: {error}") from error
        return f"{done}Z" if is_clock and isinstance(done, str) and re.search(r"T[\d:.]+$", done) else done
    if is_clock and bytes(raw).lstrip(b"-").isdigit():
        return _clock(int(bytes(raw)))
    if is_text and table.contract.fields.get(name) == "list":
        return _json_list(raw)
    return raw


def _clock(number: int) -> str:
    """Return a clock that came without its schema: the unit is told by its size, as all are of our days."""
    unit = next((u for limit, u in ((10**14, 10**3), (10**17, 10**6)) if abs(number) < limit), 10**9)
    return _instant(number * 10**6 // unit)


def _json_list(raw: msgspec.Raw) -> Any:
    """Return a list that a JSON column has as text."""
    try:
        return _list.decode(msgspec.json.decode(raw))
    except msgspec.DecodeError:
        return raw


@lru_cache(maxsize=64)
def _kinds(schema: bytes, side: str) -> dict[str, Convert]:
    """Return how to read the columns of `before` or `after` that need it."""
    declared = (msgspec.json.decode(schema) or {}).get("fields") or []
    columns = next((field.get("fields") or [] for field in declared if field.get("field") == side), [])
    found = {column["field"]: _converter(column) for column in columns}
    return {name: convert for name, convert in found.items() if convert}


def _converter(column: dict[str, Any]) -> Convert | None:
    if column.get("type") == "array":
        inner = _converter(column.get("items") or {})
        return (lambda values: [v if v is None else inner(v) for v in values]) if inner else None
    name = str(column.get("name") or "")
    if name.endswith("connect.data.Decimal"):
        scale = int((column.get("parameters") or {}).get("scale", 0))
        return lambda value: _decimal(value, scale)
    return _BY_NAME.get(name)


def _decimal(value: str, scale: int) -> str:
    """Return a decimal, written as base64 of a big-endian integer, as text."""
    whole = int.from_bytes(base64.b64decode(value, validate=True), "big", signed=True)
    sign, digits, _ = Decimal(whole).as_tuple()
    return f"{Decimal((sign, digits, -scale)):f}"


def _instant(microseconds: int) -> str:
    """Return an instant as APIs write it: ISO 8601, milliseconds, Z."""
    at = _EPOCH + timedelta(microseconds=microseconds)
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"


def _zoned(value: str) -> str:
    return _instant((datetime.fromisoformat(value) - _EPOCH) // timedelta(microseconds=1))


def _local(unit: int) -> Convert:
    """Read a timestamp of `unit` a second that has no zone: it is written without one, and is no instant."""

    def convert(value: int) -> str:
        at = _EPOCH + timedelta(microseconds=value * 10**6 // unit)
        return f"{at:%Y-%m-%dT%H:%M:%S}" + (f".{at.microsecond // 1000:03d}" if at.microsecond >= 1000 else "")

    return convert


def _time_of_day(unit: int) -> Convert:
    def convert(value: int) -> str:
        at = (_EPOCH + timedelta(microseconds=value * 10**6 // unit)).time()
        return at.isoformat("milliseconds" if at.microsecond else "seconds")

    return convert


def _day(value: int) -> str:
    return str(date(1970, 1, 1) + timedelta(days=value))


def _json(value: str) -> msgspec.Raw:
    msgspec.json.decode(value)
    return msgspec.Raw(value.encode())


_BY_NAME: dict[str, Convert] = {
    "io.debezium.time.Timestamp": _local(10**3),
    "io.debezium.time.MicroTimestamp": _local(10**6),
    "io.debezium.time.NanoTimestamp": _local(10**9),
    "org.apache.kafka.connect.data.Timestamp": _local(10**3),
    "io.debezium.time.ZonedTimestamp": _zoned,
    "io.debezium.time.Date": _day,
    "org.apache.kafka.connect.data.Date": _day,
    "io.debezium.time.Time": _time_of_day(10**3),
    "io.debezium.time.MicroTime": _time_of_day(10**6),
    "io.debezium.time.NanoTime": _time_of_day(10**9),
    "org.apache.kafka.connect.data.Time": _time_of_day(10**3),
    "io.debezium.data.VariableScaleDecimal": lambda value: _decimal(value["value"], int(value["scale"])),
    "io.debezium.data.Json": _json,
}
"""A schema's name for a kind of value -> how to read it. UUIDs, enums and plain types are already as they should be."""
