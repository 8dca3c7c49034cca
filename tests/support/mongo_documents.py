"""The documents of the MongoDB contract server: mongomock keeps, filters and groups them.

Not like MongoDB: no collation or views; a find is a snapshot; mongomock confuses True with 1.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
import mongomock
from bson.codec_options import CodecOptions, DatetimeConversion
from mongomock import aggregate, filtering

Document = Mapping[str, Any]

OPTIONS = CodecOptions[dict[str, Any]](datetime_conversion=DatetimeConversion.DATETIME_AUTO)

filtering.TYPE_MAP.update(
    {
        "regex": lambda v: isinstance(v, bson.Regex),
        "timestamp": lambda v: isinstance(v, bson.Timestamp),
        "javascript": lambda v: isinstance(v, bson.Code),
        "minKey": lambda v: isinstance(v, bson.MinKey),
        "maxKey": lambda v: isinstance(v, bson.MaxKey),
    }
    | dict.fromkeys(("symbol", "dbPointer", "javascriptWithScope"), lambda v: False)
)
"""Types that MongoDB knows and mongomock does not."""


class Documents:
    """All collections. What is found is kept until something changes: a benchmark measures the one who asks."""

    def __init__(self) -> None:
        self._store = mongomock.MongoClient()["any"]
        self._found: dict[bytes, list[bytes]] = {}

    def insert(self, name: str, documents: Iterable[Document]) -> list[Document]:
        self._found.clear()
        inserted = [bson.decode(bson.encode(each), OPTIONS) for each in documents]
        for each in inserted:
            self._store[name].insert_one(each)
        return inserted

    def update(self, name: str, id: Any, values: Document) -> Document:
        self._found.clear()
        self._store[name].update_one({"_id": id}, {"$set": values})
        return self._store[name].find_one({"_id": id}) or {}

    def delete(self, name: str, id: Any) -> None:
        self._found.clear()
        self._store[name].delete_one({"_id": id})

    def drop(self, name: str) -> None:
        self._found.clear()
        self._store[name].drop()

    def find(self, command: Document) -> list[bytes]:
        """Return the documents that a `find` asks for, as BSON."""
        asked = bson.encode({key: command.get(key) for key in ("find", "filter", "sort", "projection", "limit")})
        if asked not in self._found:
            found: Iterable[Any] = self._store[command["find"]]._iter_documents(
                _understood(command.get("filter") or {})
            )
            for key, way in reversed(list((command.get("sort") or {}).items())):
                found = sorted(found, key=lambda d: filtering.resolve_sort_key(key, d), reverse=way < 0)
            project = _projector(command.get("projection") or {})
            chosen = itertools.islice(found, command.get("limit") or None)
            self._found[asked] = [bson.encode(project(each)) for each in chosen]
        return self._found[asked]

    def aggregate(self, name: str, pipeline: list[Any]) -> list[bytes]:
        stages = [_understood(stage) for stage in pipeline]
        found = [bson.decode(bson.encode(each), OPTIONS) for each in self._store[name]._iter_documents({})]
        return [bson.encode(each) for each in aggregate.process_pipeline(found, self._store, stages, None)]


def _understood(value: Any) -> Any:
    """Write `{field: {"$type": [a, b]}}` as mongomock knows it: one type at a time."""
    if isinstance(value, list):
        return [_understood(each) for each in value]
    if not isinstance(value, dict):
        return value
    parts = {key: _understood(each) for key, each in value.items()}
    types = {
        key: each["$type"]
        for key, each in parts.items()
        if isinstance(each, dict) and isinstance(each.get("$type"), list)
    }
    if not types:
        return parts
    for key in types:
        parts[key] = {name: each for name, each in parts[key].items() if name != "$type"}
    plain = {key: each for key, each in parts.items() if each != {}}
    either = [{"$or": [{key: {"$type": name}} for name in names]} for key, names in types.items()]
    return {"$and": [plain, *either]}


def _projector(fields: Document) -> Callable[[Any], Any]:
    """Return what keeps the fields that are asked for; top-level fields only."""
    wanted = {key for key, value in fields.items() if value}
    if not wanted:
        return lambda document: document
    if fields.get("_id", True):
        wanted.add("_id")
    return lambda document: {key: value for key, value in document.items() if key in wanted}


def engagement(count: int) -> Iterator[Document]:
    """Yield documents of about 400 bytes, a second apart, for benchmarks."""
    agent = "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 (KHTML, like Gecko) Mobile"
    for n in range(count):
        yield {
            "_id": bson.ObjectId(f"{n:024x}"), "kind": "page_view", "anonymousId": f"anon-{n % 5000:016x}",
            "userId": None, "eventId": f"9c19f024-fc36-45a7-8996-{n % 900:012x}", "channel": "whatsapp",
            "at": datetime(2026, 1, 1, tzinfo=UTC) + timedelta(milliseconds=1001 * n),
            "properties": {"path": f"/events/{n % 900}", "agent": agent, "seconds": n % 60 + 0.5, "depth": n % 100},
        }  # fmt: skip
