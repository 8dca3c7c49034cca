"""Directus as the contract (measured on 11.17) describes it: rows in memory, over a real socket, its pitfalls included.

Here: routes, tables, how they change. The query language is in directus_query.py, faults in faults.py.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from tests.support import directus_query as query
from tests.support.directus_query import Row
from tests.support.faults import Answer, Asked, ContractServer

TOKEN = "the-secret-token"  # noqa: S105
START = datetime(2026, 11, 1, 12, tzinfo=UTC)
LONGEST_URL, LONGEST_BODY, NESTED = 16_384, 1_000_000, 100


@dataclass
class Table:
    """A collection; `forbidden`: the role may not read it; `hidden`: fields that it may not read."""

    name: str
    dated: bool = True
    integer_ids: bool = False
    forbidden: bool = False
    hidden: set[str] = field(default_factory=set)
    accountability: str | None = "all"
    rows: dict[Any, Row] = field(default_factory=dict)
    numbers: Any = field(default_factory=lambda: count(1))


@dataclass(frozen=True)
class Relation:
    """A many-to-many field: `table.field` holds rows of `junction` whose `ours` is the record."""

    table: str
    field: str
    junction: str
    ours: str


class DirectusServer(ContractServer):
    """`database` decides how decimals, counts and nulls come out; times are kept in microseconds only by "pg"."""

    allowed = frozenset({"GET", "SEARCH"})
    token = TOKEN

    def __init__(self, database: str = "pg", *, limit_max: int | None = None, info: bool = True) -> None:
        super().__init__()
        self.database, self.limit_max, self.info = database, limit_max, info
        self.now, self.step = START, timedelta(milliseconds=7)
        self.tables = {"directus_activity": Table("directus_activity", dated=False, integer_ids=True)}
        self.relations: list[Relation] = []
        self._uuids = count(1)

    # -- what people do in Directus; not over HTTP, which is only read

    def table(self, name: str, **how: Any) -> Table:
        return self.tables.setdefault(name, Table(name, **how))

    def insert(self, name: str, /, *, dated: bool = True, **values: Any) -> Any:
        with self.lock:
            table = self.table(name)
            fresh = next(table.numbers) if table.integer_ids else str(UUID(int=next(self._uuids) * 0x9E3779B97F4A7C15))
            clocks = {"date_created": self._tick() if dated else None, "date_updated": None} if table.dated else {}
            row = {"id": fresh, **clocks, **values}
            table.rows[row["id"]] = row
            self._record("create", table, row["id"])
            return row["id"]

    def update(self, name: str, /, *ids: Any, **values: Any) -> None:
        """Several ids: a bulk PATCH, which gives all its rows one time."""
        with self.lock:
            table, at = self.tables[name], self._tick()
            for id in ids:
                table.rows[id] = {**table.rows[id], **values, "date_updated": at}
                self._record("update", table, id)

    def delete(self, name: str, id: Any) -> None:
        with self.lock:
            del self.tables[name].rows[id]
            self._tick()
            self._record("delete", self.tables[name], id)

    def link(self, relation: Relation, other: str, ours: Any, theirs: Iterable[Any]) -> None:
        """Write the junction's rows directly, which leaves the record's `date_updated` as it is."""
        self.table(relation.junction, dated=False, integer_ids=True)
        for each in theirs:
            self.insert(relation.junction, **{relation.ours: ours, other: each})

    def _tick(self) -> datetime:
        self.now += self.step
        return self.now if self.database == "pg" else query.milliseconds(self.now)

    def _record(self, action: str, table: Table, id: Any) -> None:
        if table.accountability:
            log = self.tables["directus_activity"]
            number = next(log.numbers)
            log.rows[number] = {
                "id": number, "action": action, "collection": table.name, "item": str(id), "timestamp": self.now,
            }  # fmt: skip

    # -- what it answers

    def respond(self, asked: Asked) -> Answer:
        if len(asked.target) > LONGEST_URL:
            return Answer(431)
        token = asked.headers.get("Authorization", "").removeprefix("Bearer ")
        if asked.path == "/server/info":
            return self._server_info(token)
        name = _table_name(asked.path)
        if name is None:
            return error(404, "ROUTE_NOT_FOUND", f"Route {asked.path} doesn't exist.")
        if token != TOKEN:
            return _refused(token)
        try:
            return self._list(name, _asked_query(asked))
        except query.Wrong as wrong:
            return error(wrong.status, wrong.code, str(wrong))

    def _server_info(self, token: str) -> Answer:
        known = token == TOKEN and self.info
        limits = {"queryLimit": {"default": 100, "max": self.limit_max or -1}} if known else {}
        return _json({"data": {"project": {}, **limits}})

    def _list(self, name: str, params: Row) -> Answer:
        table = self.tables.get(name)
        if table is None or table.forbidden:
            raise query.Wrong(403, "FORBIDDEN", f'You don\'t have permission to access collection "{name}".')
        self._check_fields(table, params)
        rows = list(table.rows.values())
        found = [row for row in rows if query.matches(row, params.get("filter") or {}, self.database)]
        if "aggregate" in params:
            return _json({"data": [{"count": len(found) if self.database == "sqlite" else str(len(found))}]})
        page = query.page(query.ordered(found, params.get("sort") or "id", self.database), params, self.limit_max)
        body: Row = {"data": [self._show(table, row, params) for row in page]}
        if "meta" in params:
            body["meta"] = {"total_count": len(rows), "filter_count": len(found)}
        return _json(body)

    def _check_fields(self, table: Table, params: Row) -> None:
        """A field that is not there, or not for this role, is a 403 where it is filtered or sorted by."""
        if not table.rows:
            return
        known = set(next(iter(table.rows.values()))) | {r.field for r in self.relations if r.table == table.name}
        named = query.named(params.get("filter") or {}) | set((params.get("sort") or "id").replace("-", "").split(","))
        if wrong := named - known | named & table.hidden:
            raise query.Wrong(403, "FORBIDDEN", f'You don\'t have permission to access field "{min(wrong)}".')

    def _show(self, table: Table, row: Row, params: Row) -> Row:
        fields = (params.get("fields") or "*").split(",")
        plain = {k: query.shown(v, self.database) for k, v in row.items() if "*" in fields or k in fields}
        for relation in self.relations:
            if relation.table == table.name:
                plain |= self._related(relation, row, fields, params)
        return {name: value for name, value in plain.items() if name not in table.hidden}

    def _related(self, relation: Relation, row: Row, fields: list[str], params: Row) -> Row:
        if self.table(relation.junction).forbidden:
            return {}
        rows = [each for each in self.table(relation.junction).rows.values() if each[relation.ours] == row["id"]]
        most = ((params.get("deep") or {}).get(relation.field) or {}).get("_limit", NESTED)
        rows = rows[: (self.limit_max or len(rows)) if most == -1 else most]  # only -1 knows of QUERY_LIMIT_MAX
        inner = [name.removeprefix(f"{relation.field}.") for name in fields if name.startswith(f"{relation.field}.")]
        if inner:
            return {relation.field: [{name: each[name] for name in inner} for each in rows]}
        return {relation.field: [each["id"] for each in rows]} if "*" in fields else {}


def error(status: int, code: str, message: str = "", **extensions: Any) -> Answer:
    return _json({"errors": [{"message": message or code, "extensions": {"code": code, **extensions}}]}, status)


def too_many(seconds: float = 0.0, retry_after: str = "0") -> Answer:
    """Return a rate limit's answer: Retry-After is "0", whatever `reset` says."""
    reset = (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="milliseconds")
    body = error(429, "REQUESTS_EXCEEDED", "Too many requests, retry after 5s.", limit=10, reset=reset[:-6] + "Z")
    return Answer(429, body.body, {"Retry-After": retry_after})


def _refused(token: str) -> Answer:
    match token:
        case "":
            return error(403, "FORBIDDEN", "You don't have permission to access this.")
        case "expired":
            return error(401, "TOKEN_EXPIRED", "Token expired.")
        case "tampered":
            return error(403, "INVALID_TOKEN", "Invalid token.")
    return error(401, "INVALID_CREDENTIALS", "Invalid user credentials.")


def _table_name(path: str) -> str | None:
    if path == "/activity":
        return "directus_activity"
    name = path.removeprefix("/items/")
    return name if name != path and name and "/" not in name else None


def _asked_query(asked: Asked) -> Row:
    if asked.method == "GET":
        return query.parsed(asked.params)
    if len(asked.body) > LONGEST_BODY:
        raise query.Wrong(400, "INVALID_PAYLOAD", "Invalid payload. request entity too large.")
    found = json.loads(asked.body)["query"]
    return {**found, "fields": ",".join(found.get("fields") or ["*"])}


def _json(value: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(value, separators=(",", ":")).encode())
