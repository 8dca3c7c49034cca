"""Reads Debezium change envelopes, with or without schema, into batches in the order of their source.

`c`, `u` and `r` carry the record as it is after the change, `d` deletes it; a tombstone (null) follows its `d` and
says nothing more. A column that the envelope does not carry is left as it was (`partial`). How single values are
turned into the form that the source's API gives them: `debezium_values.py`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import polars as pl

from resources.sources import batches, debezium_values
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable

MOST_CHANGES = 50_000
MOST_BYTES = 32 << 20
"""Changes, and bytes of envelopes, that are put in order at once."""
_NOTHING = msgspec.Raw(b"null")
_BEGINNING, _END = -62_135_596_800_000_000, 253_402_300_800_000_000
"""The years 1 to 9999 in microseconds."""


class _Line(msgspec.Struct):
    """Everything a line may be: an envelope, one with its schema, or a message with key and value."""

    op: Any = None
    before: msgspec.Raw = _NOTHING
    after: msgspec.Raw = _NOTHING
    source: msgspec.Raw = _NOTHING
    ts_ms: Any = None
    ts_us: Any = None
    ts_ns: Any = None
    schema: msgspec.Raw = _NOTHING
    payload: msgspec.Raw = _NOTHING
    key: msgspec.Raw = _NOTHING
    value: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


@dataclass
class _Change:
    """One envelope: what it says of which record, and when."""

    shown: str
    """What is judged and stored: the record, or the line where there is none."""
    origin: str
    is_delete: bool = False
    time: int | None = None
    """Microseconds since 1970, by the source."""
    position: tuple[int, int, int] | None = None
    fault: str | None = None


_line = msgspec.json.Decoder(_Line)
_object = msgspec.json.Decoder(dict[str, Any])


def batches_of(lines: Iterable[pl.DataFrame], table: SourceTable) -> Iterator[Batch]:
    """Yield the batches of envelopes, a line each (columns `payload`, `origin`).

    A record's changes are in the order of its source's log, whatever the order of the lines, and their clocks never
    go back: the last change has the latest. That holds across batches too for what was deleted.
    """
    gathered: list[_Change] = []
    size, floors = 0, dict[str, int]()
    for frame in lines:
        for text, origin in frame.select("payload", "origin").iter_rows():
            if change := _change(text, origin, table):
                gathered.append(change)
                size += len(text)
            if len(gathered) >= MOST_CHANGES or size >= MOST_BYTES:
                yield _batch(gathered, table, floors)
                gathered, size = [], 0
    if gathered:
        yield _batch(gathered, table, floors)


def _batch(changes: list[_Change], table: SourceTable, floors: dict[str, int]) -> Batch:
    """Return the changes as a batch, each record's by position; no clock of a record is below its `floors`."""
    frame = pl.DataFrame({"payload": [c.shown for c in changes], "origin": [c.origin for c in changes]})
    batch = batches.from_lines(frame, table, partial=True)
    own = batch.rows["source_updated_at"].dt.truncate("1ms").to_physical().to_list()  # as precise as an API is
    ids, reasons = batch.rows["record_id"].to_list(), batch.rows["reason"].to_list()
    clocks: list[int | None] = [None] * len(changes)
    order: list[int] = []
    for id, mine in _by_record(ids, changes).items():
        floor = floors.get(id or "")
        for index in mine:
            change = changes[index]
            clock = clocks[index] = _clock(change, own[index], floor)
            reasons[index] = _reason(change, clock, id, reasons[index])
            if reasons[index] is None and clock is not None:
                floor = clock + change.is_delete  # what comes back is newer than its deletion
                if id and (change.is_delete or clock != (change.time if own[index] is None else own[index])):
                    floors[id] = floor
        order += mine
    rows = batch.rows.with_columns(
        source_updated_at=pl.Series(clocks, dtype=pl.Int64).cast(batches.TIME),
        reason=pl.Series(reasons, dtype=pl.String),
        deleted_at=pl.Series([t if c.is_delete else None for c, t in zip(changes, clocks, strict=True)], dtype=pl.Int64)
        .cast(batches.TIME),
    )  # fmt: skip
    return Batch(rows[order].select(batches.COLUMNS), unknown=batch.unknown)


def _clock(change: _Change, own: int | None, floor: int | None) -> int | None:
    """Return when the change was: by the record's own clock, so that API and log agree, and never before the last."""
    if change.is_delete:
        known = [t for t in (change.time, own, floor) if t is not None]
    else:
        known = [t for t in (own if own is not None else change.time, floor) if t is not None]
    return max(known, default=None)


def _reason(change: _Change, clock: int | None, id: str | None, judged: str | None) -> str | None:
    if change.fault:
        return change.fault
    if clock is None:
        return "not a Debezium envelope: no ts_ms"
    return None if change.is_delete and id else judged  # of what is gone the key is enough


def _by_record(ids: list[str | None], changes: list[_Change]) -> dict[str | None, list[int]]:
    """Return the indexes of each record's changes, in the order of the source."""
    mine: dict[str | None, list[int]] = {}
    for index, id in enumerate(ids):
        mine.setdefault(id, []).append(index)
    for indexes in mine.values():
        if len(indexes) > 1:
            if all(changes[n].position for n in indexes):
                indexes.sort(key=lambda n: changes[n].position or ())
            else:  # some do not say where they stand, as the rows of an incremental snapshot
                indexes.sort(key=lambda n: (changes[n].time or 0, changes[n].position or ()))
    return mine


def _change(text: str, origin: str, table: SourceTable) -> _Change | None:
    """Return what the line says; None of a tombstone, which says nothing more."""
    change = _Change(text, origin)
    try:
        key, schema, envelope = _parts(text)
        if envelope is None:
            return None
        source = _object.decode(envelope.source) if _is_object(envelope.source) else {}
        change.time = _time(source) if _time(source) is not None else _time(msgspec.structs.asdict(envelope))
        change.position, change.is_delete = _position(source), envelope.op == "d"
        change.fault = _fault(envelope.op)
        if not change.fault:
            record = _record(envelope, key, schema, table)
            change.shown = record or text
            change.fault = None if record else _WITHOUT
    except (msgspec.DecodeError, UnicodeError) as error:
        change.fault = f"not a Debezium envelope: {error}"
    except debezium_values.ValueFormError as error:
        change.fault = str(error)
    return change


def _record(envelope: _Line, key: bytes, schema: bytes, table: SourceTable) -> str | None:
    """Return the record that the envelope carries, in the form of the source's API."""
    if envelope.op == "d":
        return debezium_values.identity(_unquoted(envelope.before), key, schema, table)
    after = _unquoted(envelope.after)
    return debezium_values.converted(after, "after", schema, table) if _is_object(after) else None


def _parts(text: str) -> tuple[bytes, bytes, _Line | None]:
    """Return the key, the schema and the envelope of a line in any of its forms; no envelope: a tombstone."""
    line, schema, key = _line_of(text.encode()), b"", b""
    if line and line.value is not msgspec.UNSET:
        key = _unquoted(line.key)
        line = _line_of(line.value)
    if line and line.op is None and (bytes(line.payload) != b"null" or bytes(line.schema) != b"null"):
        key, schema = key or _unquoted(line.key), bytes(line.schema)
        line = _line_of(line.payload)
    return key, schema, line


def _line_of(raw: bytes | msgspec.Raw) -> _Line | None:
    text = _unquoted(raw)
    return None if text.strip() in (b"null", b"") else _line.decode(text)


def _unquoted(raw: bytes | msgspec.Raw) -> bytes:
    """Return JSON text that was written as a JSON string as what it is."""
    text = bytes(raw)
    return msgspec.json.decode(text, type=str).encode() if text[:1] == b'"' else text


def _is_object(raw: bytes | msgspec.Raw) -> bool:
    return bytes(raw).lstrip()[:1] == b"{"


def _time(said: dict[str, Any]) -> int | None:
    """Return microseconds since 1970, as precisely as they are said."""
    for name, factor, divisor in (("ts_ns", 1, 1000), ("ts_us", 1, 1), ("ts_ms", 1000, 1)):
        value = said.get(name)
        if type(value) is int and _BEGINNING <= value * factor // divisor < _END:
            return value * factor // divisor
    return None


def _position(source: dict[str, Any]) -> tuple[int, int, int] | None:
    """Return where the change stands in its source's log: PostgreSQL's LSN, MySQL's file and place, MongoDB's order."""
    try:
        if source.get("lsn") is not None:
            return int(source["lsn"]), 0, 0
        if source.get("file") and source.get("pos") is not None:
            return int(str(source["file"]).rpartition(".")[2]), int(source["pos"]), int(source.get("row") or 0)
        if source.get("ord") is not None and source.get("ts_ms") is not None:
            return int(source["ts_ms"]) // 1000, int(source["ord"]), 0
    except (TypeError, ValueError):
        return None
    return None


_WITHOUT = "Debezium envelope without the record: keep `before` on deletes and `after` on changes"


def _fault(op: Any) -> str | None:
    """Return why an envelope of this kind cannot be taken, or null."""
    if op == "t":
        return "the source's table was truncated: its log does not name the records; reconcile it with its source"
    return None if op in ("c", "u", "r", "d") else "not a Debezium envelope: no op of c, u, r, d"
