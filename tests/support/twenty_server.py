"""A contract server for Twenty CRM: answers as contracts/twenty.md says, over records held in memory.

Here: the list endpoint, its filter language, cursors, errors. Sockets and faults on demand: faults.py. The clock
keeps microseconds and shows milliseconds, in cursors too, as PostgreSQL and JavaScript do.
"""

import base64
import json
import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.support.faults import Answer, Asked, ContractServer

OBJECTS = ("people", "companies", "opportunities")
CLOCKS = ("createdAt", "updatedAt", "deletedAt")
KEY = "twenty-test-key-5f0c"
START = datetime(2026, 11, 1, 8, tzinfo=UTC)
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
    "in": lambda a, b: a in b,
    "gt": lambda a, b: a is not None and a > b,
    "gte": lambda a, b: a is not None and a >= b,
    "lt": lambda a, b: a is not None and a < b,
    "lte": lambda a, b: a is not None and a <= b,
}
QUOTA = Answer(402, b'{"statusCode":402,"error":"PaymentRequired","messages":["No credits left"]}')

Record = dict[str, Any]
Test = Callable[[Record], bool]


class Refuse(Exception):
    """The answer is 400 with this message."""


def error(status: int, name: str, message: str) -> Answer:
    return Answer(status, json.dumps({"statusCode": status, "error": name, "messages": [message]}).encode())


def limited(*, body: float | None = None, **headers: str) -> Answer:
    """429, in the newer form where `body` says after how many seconds to come again."""
    said = {"statusCode": 429, "error": "TooManyRequests", "messages": ["Limit reached"]}
    text = said | ({"retryAfterSeconds": body} if body is not None else {})
    return Answer(429, json.dumps(text).encode(), {name.replace("_", "-"): value for name, value in headers.items()})


class TwentyServer(ContractServer):
    """`put`, `delete` and `soft_delete` are what people do in the CRM meanwhile."""

    def __init__(self, *, limit_max: int = 200) -> None:
        super().__init__()
        self.limit_max = limit_max
        self.expired: set[str] = set()
        """Cursors that are not accepted any more."""
        self.records: dict[str, dict[str, Record]] = {name: {} for name in OBJECTS}
        self.now = START

    def tick(self, by: timedelta = timedelta(seconds=1)) -> datetime:
        self.now += by
        return self.now

    def put(self, object_name: str = "people", /, id: str | None = None, **fields: Any) -> str:
        """Create or touch a record, now unless `updatedAt` says when; return its id."""
        with self.lock:
            id = id or str(uuid.uuid4())
            at = self.tick()
            old = self.records[object_name].get(id, {"id": id, "createdAt": at, "deletedAt": None})
            self.records[object_name][id] = old | {"updatedAt": at} | fields
            return id

    def soft_delete(self, name: str, id: str) -> None:
        self.put(name, id=id, deletedAt=self.now + timedelta(seconds=1))

    def delete(self, name: str, id: str) -> None:
        with self.lock:
            del self.records[name][id]

    def respond(self, asked: Asked) -> Answer:
        if asked.headers.get("Authorization") != f"Bearer {KEY}":
            return error(401, "UNAUTHENTICATED", "Token invalid.")
        name = asked.path.removeprefix("/rest/")
        if not asked.path.startswith("/rest/"):
            return Answer(404, b"not found")
        if name not in self.records:
            return error(400, "BadRequestException", f"object '{name}' not found. Possible objects are 'people'")
        try:
            return self._listed(name, asked.params)
        except Refuse as refused:
            return error(400, "BadRequestException", str(refused))

    def _listed(self, name: str, params: dict[str, str]) -> Answer:
        query = params.get("filter", "")
        test = parsed(query) if query else lambda _: True
        hidden = "deletedAt" not in query
        found = [r for r in self.records[name].values() if test(r) and not (hidden and r["deletedAt"])]
        order = ordering(params.get("order_by", ""))
        found.sort(key=lambda record: sort_key(record, order))
        rows = self._after(found, params.get("starting_after"), order)
        limit = min(int(params.get("limit", 60)), self.limit_max)
        shown = rows[:limit]
        info = {
            "startCursor": cursor(shown[0], order) if shown else None,
            "endCursor": cursor(shown[-1], order) if shown else None,
            "hasNextPage": len(rows) > limit,
            "hasPreviousPage": "starting_after" in params,
        }
        said = {"data": {name: [render(r) for r in shown]}, "totalCount": len(found), "pageInfo": info}
        return Answer(200, json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode())

    def _after(self, rows: list[Record], given: str | None, order: list[tuple[str, str]]) -> list[Record]:
        if given is None:
            return rows
        try:
            place = json.loads(base64.b64decode(given, validate=True))
            place = {name: timed(name, value) for name, value in place.items()}
            at = sort_key(place, order)
        except (ValueError, KeyError, TypeError) as wrong:
            raise Refuse(f"Invalid cursor: {given}") from wrong
        if given in self.expired:
            raise Refuse(f"Invalid cursor: {given}")
        return [row for row in rows if sort_key(row, order) > at]


def render(record: Record) -> Record:
    """Return the record as JSON: times to the millisecond."""
    return {name: shown(value) if isinstance(value, datetime) else value for name, value in record.items()}


def shown(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def timed(name: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if name in CLOCKS and value else value


def cursor(record: Record, order: list[tuple[str, str]]) -> str:
    place = render({name: record.get(name) for name, _ in order})
    return base64.b64encode(json.dumps(place).encode()).decode()


def ordering(text: str) -> list[tuple[str, str]]:
    """Return the fields and directions; `id` comes last in any case."""
    order = []
    for item in filter(None, text.split(",")):
        match = re.fullmatch(r"(\w+)(?:\[(\w+)\])?", item)
        direction = (match[2] or "AscNullsFirst") if match else ""
        if not match or not re.fullmatch(r"(Asc|Desc)Nulls(First|Last)", direction):
            raise Refuse(f"'order_by' direction '{direction}' invalid.")
        order.append((match[1], direction))
    return order if any(name == "id" for name, _ in order) else [*order, ("id", "AscNullsFirst")]


def sort_key(record: Record, order: list[tuple[str, str]]) -> tuple[Any, ...]:
    key: list[Any] = []
    for name, direction in order:
        value = record[name]
        null_last = direction.endswith("Last")
        key.append((value is None) == null_last)
        key.append(0 if value is None else _rank(value, down=direction.startswith("Desc")))
    return tuple(key)


def _rank(value: Any, *, down: bool) -> Any:
    if not down:
        return value
    return -value.timestamp() if isinstance(value, datetime) else [-ord(c) for c in value]


def parsed(text: str) -> Test:
    """Return the test that a filter makes. Raises Refuse as Twenty does."""
    if text.count("(") != text.count(")"):
        raise Refuse("'filter' invalid. 1 close bracket is missing in the query")
    joined = re.fullmatch(r"(and|or|not)\((.+)\)", text)
    if joined:
        tests = [parsed(part) for part in split(joined[2])]
        match joined[1]:
            case "and":
                return lambda record: all(test(record) for test in tests)
            case "or":
                return lambda record: any(test(record) for test in tests)
        return lambda record: not tests[0](record)
    simple = re.fullmatch(r"(\w+)\[(\w+)\]:(.+)", text)
    if not simple:
        raise Refuse(f"'filter' invalid for '{text}'. eg: price[gte]:10")
    return _compared(*simple.groups())


def _compared(name: str, comparator: str, value: str) -> Test:
    if name not in ("id", "name", *CLOCKS):
        raise Refuse(f"field '{name}' does not exist in this object")
    if comparator == "is":
        null = {"NULL": True, "NOT_NULL": False}[value]
        return lambda record: (record.get(name) is None) == null
    if comparator not in COMPARE:
        raise Refuse(f"'filter' invalid for '{name}', comparator {comparator} not in eq, neq")
    wanted = json.loads(value)
    wanted = timed(name, wanted) if isinstance(wanted, str) else wanted
    return lambda record: COMPARE[comparator](record.get(name), wanted)


def split(text: str) -> list[str]:
    """Split at the commas that are inside no parenthesis, bracket or quote."""
    parts, depth, quoted = [""], 0, False
    for character in text:
        quoted ^= character == '"'
        depth += 0 if quoted else (character in "([") - (character in ")]")
        if character == "," and not depth and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    return parts
