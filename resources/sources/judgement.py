"""What a record says of itself: its key, its clock, and whether it keeps its table's contract.

Pure. One pass over the JSON: msgspec decodes what is judged and skips the rest (ten JSONPaths took 88 µs an event,
this takes 10).
"""

import hashlib
import re
from collections.abc import Sequence
from functools import cache
from operator import attrgetter
from types import NoneType
from typing import Any

import msgspec
import polars as pl

from resources.sources.catalogue import SourceTable

Record = str | bytes
_NUL = re.compile(rb"(?:^|[^\\])(?:\\\\)*\\u0000")
"""A NUL as JSON writes it; not the text of a backslash followed by u0000."""
_SHOWN = 60
_NOTHING = msgspec.Raw(b"null")
_keys = msgspec.json.Decoder(dict[str, msgspec.Raw])


def judge(records: Sequence[Record], table: SourceTable, *, split: bool = False) -> tuple[pl.DataFrame, frozenset[str]]:
    """Return record_id, source_updated_at, deleted_at and reason of each record, and all fields not in the contract.

    `split`: a parser has cut the records out of a JSON text, so each is one value, and they are decoded as one list.
    `reason` is null where the record is good. In a table without a key the record's text is its key, as MD5.
    """
    rows, reasons, unknown = (_decode_list(records, table) if split else None) or _decode(records, table)
    values = {name: _unwrapped(list(map(attrgetter(name), rows))) for name in _judged(table)}
    for index in _with_nul(records):
        reasons[index] = reasons[index] or "a NUL character, which no store can hold"
    ids = _ids([_texts(values[name]) for name in table.key]) if table.key else hashes(records)
    _fault(reasons, [n for n, id in enumerate(ids) if not id], f"missing key {', '.join(table.key)}")
    for name in table.contract.required:
        blank = [n for n, text in enumerate(_texts(values[name])) if not text or not text.strip()]
        _fault(reasons, blank, f"missing {name}")
    for name, kind in table.contract.fields.items():
        if kind != "any":
            _judge_field(reasons, values[name], name, kind)
    times = {
        name: _first_instant([_texts(values[each]) for each in names], len(rows))
        for name, names in _clocks(table).items()
    }
    for name, (text, at) in times.items():
        # A clock that cannot be read is not none: the record would never again be newer than what is known.
        for index in (text.is_not_null() & at.is_null()).arg_true():
            fault = f"{' or '.join(_clocks(table)[name])}: expected time, got {text[index][:_SHOWN]}"
            reasons[index] = reasons[index] or fault
    frame = pl.DataFrame({"record_id": ids, "reason": reasons}, {"record_id": pl.String, "reason": pl.String})
    return frame.with_columns(at.alias(name) for name, (_, at) in times.items()), unknown


def instant(text: pl.Expr) -> pl.Expr:
    """Parse ISO 8601 text to UTC microseconds; without an offset it is UTC; anything else is null."""
    full = text.str.to_datetime("%+", time_unit="us", time_zone="UTC", strict=False)
    formats = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d")
    bare = [text.str.to_datetime(each, time_unit="us", strict=False).dt.replace_time_zone("UTC") for each in formats]
    return pl.coalesce(full, *bare)


def _clocks(table: SourceTable) -> dict[str, tuple[str, ...]]:
    return {"source_updated_at": table.updated, "deleted_at": table.deleted}


def _first_instant(columns: list[list[str | None]], rows: int) -> tuple[pl.Series, pl.Series]:
    """Return the first text of each row that is present, and the time that it says."""
    if not columns:
        return pl.Series([None] * rows, dtype=pl.String), pl.Series([None] * rows, dtype=pl.Datetime("us", "UTC"))
    text = pl.DataFrame({str(n): pl.Series(column, dtype=pl.String) for n, column in enumerate(columns)})
    first = text.select(text=pl.coalesce(pl.all()))
    return first.to_series(), first.select(at=instant(pl.col("text"))).to_series()


def _read(table: SourceTable) -> tuple[str, ...]:
    """Return the fields that tell key, clock and deletion."""
    return (*table.key, *table.updated, *table.deleted)


def _judged(table: SourceTable) -> tuple[str, ...]:
    """Return all fields whose values are looked at."""
    kinds = (name for name, kind in table.contract.fields.items() if kind != "any")
    return tuple(dict.fromkeys((*_read(table), *table.contract.required, *kinds)))


_Decoded = tuple[list[Any], list[str | None], frozenset[str]]


@cache
def _decoders(table: SourceTable) -> tuple[Any, ...]:
    """Return a strict decoder, which refuses unknown fields, a lax one, and a strict one of lists."""
    judged, kinds = _judged(table), table.contract.fields
    fields: list[tuple[str, Any, Any]] = [
        (name, Any, None) if name in judged and kinds.get(name) != "list" else (name, msgspec.Raw, _NOTHING)
        for name in dict.fromkeys((*kinds, *judged))
    ]
    strict, lax = (msgspec.defstruct("Row", fields, forbid_unknown_fields=each) for each in (True, False))
    return tuple(map(msgspec.json.Decoder, (strict, lax, list[strict])))  # type: ignore[valid-type]


def _decode_list(records: Sequence[Record], table: SourceTable) -> _Decoded | None:
    """Return the rows where all of them are as they should be: the usual case, at half the cost."""
    try:
        rows = _decoders(table)[2].decode(b"[" + b",".join(map(_bytes, records)) + b"]")
    except msgspec.DecodeError:
        return None
    return rows, [None] * len(records), frozenset()


def _decode(records: Sequence[Record], table: SourceTable) -> _Decoded:
    strict, lax = (decoder.decode for decoder in _decoders(table)[:2])
    rows, names, nothing = list[Any](), set[str](), lax(b"{}")
    reasons: list[str | None] = [None] * len(records)
    for index, record in enumerate(records):
        try:
            rows.append(strict(record))
        except msgspec.DecodeError:
            try:
                rows.append(lax(record))
                names.update(_keys.decode(record))
            except (msgspec.DecodeError, UnicodeError):
                rows.append(nothing)
                reasons[index] = "not a JSON object"
    return rows, reasons, frozenset(names - set(table.contract.fields))


def _with_nul(records: Sequence[Record]) -> list[int]:
    suspects = [n for n, r in enumerate(records) if ("\\u0000" if r.__class__ is str else b"\\u0000") in r]  # type: ignore[operator]
    return [n for n in suspects if _NUL.search(_bytes(records[n]))]


def _bytes(record: Record) -> bytes:
    return record if isinstance(record, bytes) else record.encode("utf-8", "surrogatepass")


def _ids(parts: list[list[str | None]]) -> list[str | None]:
    if len(parts) == 1:
        return [part or None for part in parts[0]]
    return [":".join(found) if all(found) else None for found in zip(*parts, strict=True)]


def hashes(records: Sequence[Record]) -> list[str | None]:
    """Return the keys of records that have none."""
    return [hashlib.md5(_bytes(record), usedforsecurity=False).hexdigest() for record in records]


def _unwrapped(values: list[Any]) -> list[Any]:
    """Return the values with MongoDB's extended JSON as text: {"$oid": "a"} is a, {"$date": ..} alike."""
    return [_inner(value) if value.__class__ is dict else value for value in values]


def _inner(value: dict[str, Any]) -> Any:
    if len(value) != 1:
        return value
    [(name, inner)] = value.items()
    if name == "$date" and inner.__class__ is not str:
        return _epoch(_text(_inner(inner) if inner.__class__ is dict else inner))
    return _text(inner) if name[:1] == "$" and inner.__class__ is not dict else value


def _texts(values: list[Any]) -> list[str | None]:
    return [value if value is None or value.__class__ is str else _text(value) for value in values]


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else msgspec.json.encode(value).decode()


def _epoch(milliseconds: str | None) -> str | None:
    """Return a time that extended JSON writes as a number; null where no calendar has it."""
    found = pl.select(pl.lit(milliseconds).cast(pl.Int64, strict=False)).item()
    if found is None or not -62_135_596_800_000 <= found < 253_402_300_800_000:
        return None
    return str(pl.select(pl.from_epoch(pl.lit(found), "ms").dt.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")).item())


def _fault(reasons: list[str | None], wrong: list[int], fault: str) -> None:
    """Note the fault of each of these records that has none yet."""
    for index in wrong:
        reasons[index] = reasons[index] or fault


def _judge_field(reasons: list[str | None], values: list[Any], name: str, kind: str) -> None:
    """Note the values that are not of the kind. What most values are is let through at once."""
    if kind == "list":
        wrong = [(n, v) for n, v in enumerate(values) if v is not _NOTHING and memoryview(v)[0] not in b"[n"]
        shown = [(n, bytes(v).decode("utf-8", "replace")) for n, v in wrong]
    elif kind == "text":
        shown = [(n, _text(v) or "") for n, v in enumerate(values) if v.__class__ in (dict, list)]
    else:
        shown = _unlike(values, *_LIKE[kind])
    for index, text in shown:
        reasons[index] = reasons[index] or f"{name}: expected {kind}, got {text.strip(chr(34))[:_SHOWN]}"


def _unlike(values: list[Any], sure: tuple[type, ...], like: pl.Expr) -> list[tuple[int, str]]:
    """Return index and text of the values that are neither of a sure class nor, as `text`, like the expression."""
    odd = [n for n, value in enumerate(values) if value.__class__ not in sure]
    texts = pl.DataFrame(
        {"index": odd, "text": _texts([values[n] for n in odd])}, {"index": pl.Int64, "text": pl.String}
    )
    return list(texts.filter(~like.fill_null(value=False)).iter_rows())


_LIKE: dict[str, tuple[tuple[type, ...], pl.Expr]] = {
    "number": ((NoneType, int, float), pl.col("text").cast(pl.Float64, strict=False).is_finite()),
    "amount": ((NoneType,), pl.col("text").str.contains(r"(?i)^\s*\d[\d.,]*\s*[km]?\s*$")),
    "time": ((NoneType,), instant(pl.col("text")).is_not_null()),
}
"""Kind -> classes that need no look, and what the others' text must be like."""
