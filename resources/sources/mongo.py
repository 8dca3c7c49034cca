"""Reads MongoDB collections: records by window, ids, touched days. Uses only `find`, `aggregate` and change streams.

Here: what is asked, in which order, and how a read goes on. Not here: extended JSON (extended_json.py), what the change
stream tells (mongo_changes.py), connections and errors (mongo_client.py).

Streams, one after the other, as with Directus: records by their first clock; those without it by the second; those
without any date as a clock, which are in every window. Indexes that make each of them cheap, where `updated` and
`created` are the collection's clocks: {updated: 1, _id: 1} and {updated: 1, created: 1, _id: 1}.

PyMongoArrow reads what has a known schema: ids and days. Payloads do not go through it: it drops what its schema does
not name and has one type a column, so nothing would be verbatim.
"""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import DecimalException
from itertools import batched
from typing import Any

import bson
import polars as pl
import pyarrow as pa
from bson import json_util
from bson.codec_options import CodecOptions, DatetimeConversion
from bson.datetime_ms import DatetimeMS
from bson.errors import BSONError
from pymongo.collection import Collection as MongoCollection
from pymongo.errors import PyMongoError
from pymongo.read_preferences import PrimaryPreferred, SecondaryPreferred

from resources.errors import TransientError
from resources.settings import Settings
from resources.sources import Request, batches, extended_json, mongo_client
from resources.sources.batches import Batch, State
from resources.sources.catalogue import SourceTable
from resources.sources.mongo_changes import Changes

with warnings.catch_warnings():  # "size changed": built against an older pyarrow, whose structures have only grown
    warnings.simplefilter("ignore", RuntimeWarning)
    from pymongoarrow.api import Schema, aggregate_arrow_all, find_arrow_all  # type: ignore[import-untyped]
    from pymongoarrow.types import ObjectIdType  # type: ignore[import-untyped]

BATCH_ROWS = 5_000
MARGIN = timedelta(minutes=5)
"""How much the server's clock may differ from ours."""
MARKED = 1_000
ID_ROWS = 100_000
INTEGERS = ["int", "long"]
OTHER_IDS = ["double", "decimal", "object", "binData", "bool", "date", "timestamp", "minKey", "maxKey"]
"""Types of an `_id` that is neither an ObjectId, a text nor an integer."""
NO_DATES = [
    "double", "string", "object", "array", "binData", "objectId", "bool", "regex", "dbPointer", "javascript", "symbol",
    "javascriptWithScope", "int", "timestamp", "long", "decimal", "minKey", "maxKey",
]  # fmt: skip
"""Every type but date and null. Named one by one: unlike `$not`, this can use an index."""
END = datetime(9999, 12, 31, tzinfo=UTC)
"""Later than any day that can be named."""

Document = Mapping[str, Any]
Raw = MongoCollection[dict[str, Any]]

_EPOCH, _MS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_NUMBERS: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)


def read(settings: Settings, table: SourceTable, request: Request) -> Iterator[Batch]:
    """Yield the records of the window, then the marked ones, then what the change stream tells since the bookmark.

    A record may come twice, and what the change stream tells is of any window. Without a change stream (a standalone
    server, lost history) a warning is logged: deletes are then found only where all ids are compared.
    """
    with mongo_client.connected(settings) as database:
        yield from Collection(database[table.name], table).read(request)


def ids(settings: Settings, table: SourceTable) -> Iterator[list[str]]:
    """Yield the ids of all records, as `record_id` has them; without those that no store can hold."""
    with mongo_client.connected(settings) as database:
        yield from Collection(database[table.name], table).ids()


def touched(settings: Settings, table: SourceTable, since: datetime) -> list[date]:
    """Return the UTC days of the records touched since then, sorted, as the server counts them."""
    with mongo_client.connected(settings) as database:
        return Collection(database[table.name], table).touched(since)


@dataclass(frozen=True)
class _Stream:
    """Records in the order of their clock (None: without one, in no order)."""

    clock: str | None
    where: Document
    ids_only: bool = False


class Collection:
    """One collection of a connected server."""

    def __init__(self, collection: Raw, table: SourceTable) -> None:
        self._table, self._origin = table, f"mongo {collection.full_name}"
        self._bulk = collection.with_options(read_preference=SecondaryPreferred())
        # A secondary lags behind: what it does not have yet must not look deleted or untouched.
        self._latest = collection.with_options(read_preference=PrimaryPreferred())

    def read(self, request: Request) -> Iterator[Batch]:
        """See the module's `read`."""
        now = int((datetime.now(UTC) - MARGIN).timestamp() * 1000)
        at: State = {"began": now, **(request.position or {})}
        # The stream begins before the range is read: what is deleted meanwhile is in it.
        token = at.get("resume") or (request.bookmark or {}).get("resume")
        with closing(Changes(self._bulk, self._table, token)) as changes:
            streams = self._streams(*request.window)
            for number, stream in enumerate(streams, 1):
                if number >= at.get("stream", 1):
                    clock = at.get("clock") if number == at.get("stream") else None
                    place = {"stream": number, "resume": changes.token, "began": at["began"]}
                    yield from self._range(stream, clock, place)
            # A killed read goes on perhaps days later: what was touched since it began may be behind it.
            for stream in (each for each in streams if each.clock and request.position):
                for batch in self._range(stream, at["began"], {}):
                    yield replace(batch, position=None)
            for some in batched(request.marked, MARKED):
                yield from self._marked(some)
            yield from changes.drain()

    def ids(self) -> Iterator[list[str]]:
        """See the module's `ids`."""
        yield from self._typed_ids("objectId", ObjectIdType(), _hex)
        yield from self._typed_ids("string", pa.string(), _storable)
        yield from self._typed_ids(INTEGERS, pa.int64(), lambda found: found.cast(pl.String))
        others = _Stream(None, {"_id": {"$type": OTHER_IDS}}, ids_only=True)
        for records, _ in _Reading(self._latest, others, None):
            yield self._record_ids(records)

    def touched(self, since: datetime) -> list[date]:
        """See the module's `touched`."""
        days = set[str]()
        for stream in self._streams(since, END):
            if stream.clock:
                # Some day of a list of dates would fail the whole question.
                where = {**stream.where, stream.clock: {**stream.where[stream.clock], "$not": {"$type": "array"}}}
                day = {"$dateToString": {"format": "%Y-%m-%d", "date": f"${stream.clock}"}}
                days.update(mongo_client.retrying()(self._days, where, day))
        return sorted(map(date.fromisoformat, days))

    # -- records

    def _streams(self, start: datetime | None, end: datetime | None) -> list[_Stream]:
        clocks = self._table.updated
        without: list[Document] = [dict.fromkeys(clocks[:n]) for n in range(len(clocks) + 1)]
        dated = [_Stream(name, {**without[n], name: _within(start, end)}) for n, name in enumerate(clocks)]
        odd = [{**without[n], name: {"$type": NO_DATES}} for n, name in enumerate(clocks)]
        return [*dated, _Stream(None, {"$or": [*odd, without[-1]]})]

    def _range(self, stream: _Stream, clock: int | None, position: State) -> Iterator[Batch]:
        """Yield the stream's records from the clock on (milliseconds since 1970)."""
        for records, last in _Reading(self._bulk, stream, clock):
            found = None if last is None else {**position, "clock": last}
            yield batches.from_records(records, self._table, origin=self._origin, position=found)

    def _marked(self, marked: Sequence[str]) -> Iterator[Batch]:
        """Read records by id; what is not there is gone."""
        now, present = datetime.now(UTC), set[str]()
        candidates = [each for text in marked for each in possible_ids(text)]
        for records, _ in _Reading(self._latest, _Stream(None, {"_id": {"$in": candidates}}), None):
            batch = batches.from_records(records, self._table, origin=self._origin)
            present.update(batch.rows["record_id"].drop_nulls())
            yield batch
        gone = [text for text in marked if text not in present]
        if gone:
            yield batches.tombstones(gone, [now] * len(gone), origin=self._origin)

    # -- ids and days

    def _typed_ids(
        self, kind: str | list[str], arrow: pa.DataType, texts: Callable[[pl.Series], pl.Series]
    ) -> Iterator[list[str]]:
        """Yield the ids of one type, in their order, `ID_ROWS` at once."""
        where: dict[str, Any] = {"$type": kind}
        while True:
            found = mongo_client.retrying()(
                find_arrow_all, self._latest, {"_id": where}, schema=Schema({"_id": arrow}), sort=[("_id", 1)],
                limit=ID_ROWS, batch_size=ID_ROWS,
            )["_id"]  # fmt: skip
            if len(found):
                yield texts(_series(found)).to_list()
            if len(found) < ID_ROWS:
                return
            where["$gt"] = found[-1].as_py()

    def _record_ids(self, records: list[bytes]) -> list[str]:
        return batches.from_records(records, self._table, origin=self._origin).rows["record_id"].drop_nulls().to_list()

    def _days(self, where: Document, day: Document) -> list[str]:
        pipeline = [{"$match": where}, {"$group": {"_id": day}}]
        found = aggregate_arrow_all(self._latest, pipeline, schema=Schema({"_id": pa.string()}))
        days: list[str] = found["_id"].to_pylist()
        return days


class _Reading:
    """Iterates over a stream's documents as JSON, each batch with its last clock; goes on by itself after a failure."""

    def __init__(self, collection: Raw, stream: _Stream, clock: int | None) -> None:
        self._collection, self._stream, self._clock = collection, stream, clock
        self._cursor: Any = None
        self._broken = 0

    def __iter__(self) -> Iterator[tuple[list[bytes], int | None]]:
        try:
            while (found := mongo_client.retrying()(self._next)) is not None:
                if found:
                    yield list(map(extended_json.text, found)), self._clock
        finally:
            self._close()

    def _next(self) -> list[bytes] | None:
        """Return the next documents, None at the end. After a failure the next call asks anew from the last clock."""
        try:
            self._cursor = self._cursor or self._find()
            found = next(self._cursor, None)
        except PyMongoError as error:
            self._close()
            self._give_up(error)
            raise
        if found is None:
            return None
        documents = list(extended_json.split(found))
        if documents:
            self._advance(documents[-1])
        return documents

    def _give_up(self, error: PyMongoError) -> None:
        """Stop where asking anew would go on for ever: nothing new came between this failure and those before."""
        self._broken += mongo_client.passes(error)
        if self._broken > mongo_client.ATTEMPTS:
            text = f"mongo {self._collection.full_name}: the read breaks at the same place again and again"
            raise TransientError(f"{text} (at last: {type(error).__name__}); try again later") from error

    def _advance(self, document: bytes) -> None:
        last = bson.decode(document, _NUMBERS).get(self._stream.clock) if self._stream.clock else None
        if isinstance(last, DatetimeMS) and int(last) != self._clock:
            self._clock, self._broken = int(last), 0

    def _find(self) -> Any:
        clock, where = self._stream.clock, dict(self._stream.where)
        if clock and self._clock is not None:
            where = {"$and": [where, {clock: {"$gte": DatetimeMS(self._clock)}}]}
        sort, fields = [(clock, 1), ("_id", 1)] if clock else None, {"_id": 1} if self._stream.ids_only else None
        return self._collection.find_raw_batches(
            where, fields, sort=sort, batch_size=BATCH_ROWS, allow_disk_use=True if sort else None
        )

    def _close(self) -> None:
        if self._cursor is not None:
            with suppress(PyMongoError):
                self._cursor.close()
            self._cursor = None


def possible_ids(text: str) -> list[Any]:
    """Return the values of `_id` that a record id may stand for: the text, and what the text may have been."""
    found: list[Any] = [text]
    if bson.ObjectId.is_valid(text):
        found.append(bson.ObjectId(text))
    with suppress(ValueError, TypeError, OverflowError, BSONError):
        value = json_util.loads(text)
        bson.encode({"_id": value})
        found.append(value)
    with suppress(DecimalException):
        found.append(bson.Decimal128(text))
    with suppress(ValueError):
        found.append(datetime.fromisoformat(text).replace(tzinfo=UTC))
    return found


def _within(start: datetime | None, end: datetime | None) -> Document:
    """Bound a clock; the bounds match dates only. Rounded outwards: MongoDB keeps milliseconds."""
    if start is None and end is None:
        return {"$type": "date"}
    bounds: dict[str, Any] = {}
    if start:
        bounds["$gte"] = DatetimeMS((start - _EPOCH) // _MS)
    if end:
        bounds["$lt"] = DatetimeMS(-((_EPOCH - end) // _MS))
    return bounds


def _series(found: "pa.ChunkedArray[Any]") -> pl.Series:
    plain = found.cast(found.type.storage_type) if isinstance(found.type, pa.ExtensionType) else found
    return pl.Series(pl.from_arrow(plain))


def _hex(found: pl.Series) -> pl.Series:
    return found.bin.encode("hex")


def _storable(found: pl.Series) -> pl.Series:
    """Leave out what is rejected wherever it comes: no text at all, and a NUL."""
    return found.filter((found != "") & ~found.str.contains("\0", literal=True))
