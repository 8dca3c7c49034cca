"""The query language of the contract server for Directus: filter, sort, limit, and how values look. Pure."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

Row = dict[str, Any]
TIMES = ("date_created", "date_updated", "timestamp")
LIMIT = 100


class Wrong(Exception):
    """The request is refused with this status and code."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


def parsed(params: dict[str, str]) -> Row:
    """Return the parameters with those written as JSON or in brackets as objects."""
    found: Row = {}
    for name, text in params.items():
        path = re.findall(r"[^\[\]]+", name)
        at = found
        for part in path[:-1]:
            at = at.setdefault(part, {})
        at[path[-1]] = json.loads(text) if name in ("filter", "deep") else text
    return found


def matches(row: Row, condition: Row, database: str) -> bool:
    for name, inner in condition.items():
        if name == "_and":
            if not all(matches(row, each, database) for each in inner):
                return False
        elif name == "_or":
            if not any(matches(row, each, database) for each in inner):
                return False
        elif not all(_holds(row.get(name), name, op, value, database) for op, value in inner.items()):
            return False
    return True


def named(condition: Row) -> set[str]:
    """Return the fields that a condition names."""
    found: set[str] = set()
    for name, inner in condition.items():
        found |= set().union(*map(named, inner)) if name in ("_and", "_or") else {name}
    return found


def _holds(value: Any, name: str, op: str, wanted: Any, database: str) -> bool:
    if op in ("_null", "_nnull"):
        return (value is None) == ((op == "_null") == (wanted not in (False, "false")))
    if op == "_in":
        if name == "id" and not all(_may_be_id(value, each) for each in wanted):
            if isinstance(value, int):
                raise Wrong(400, "INVALID_QUERY", "Invalid query. Invalid numeric value.")
            raise Wrong(500, "INTERNAL_SERVER_ERROR", "An unexpected error occurred.")
        return str(value) in map(str, wanted)
    if name in TIMES:
        wanted = _time(wanted, database)
    elif isinstance(value, int):
        wanted = int(wanted)
    elif name == "id" and op not in ("_eq", "_neq"):
        raise Wrong(
            400, "INVALID_QUERY", f'Invalid query. "id" field type does not contain the "{op}" filter operator.'
        )
    if value is None or wanted is None:
        return False
    return {
        "_eq": value == wanted, "_neq": value != wanted,
        "_gt": value > wanted, "_gte": value >= wanted, "_lt": value < wanted, "_lte": value <= wanted,
    }[op]  # fmt: skip


def _may_be_id(example: Any, text: str) -> bool:
    return bool(re.fullmatch(r"\d+" if isinstance(example, int) else r"[0-9a-f-]{36}", text))


def _time(text: str, database: str) -> datetime | None:
    """A plus sign that was not encoded arrives as a space: nothing is found, or PostgreSQL fails."""
    if " " in text:
        if database == "pg":
            raise Wrong(500, "INTERNAL_SERVER_ERROR", "An unexpected error occurred.")
        return None
    return milliseconds(datetime.fromisoformat(text))


def ordered(rows: list[Row], sort: str, database: str) -> list[Row]:
    """Sort; nulls are last on PostgreSQL and first on SQLite, the other way round where it descends."""
    for name in reversed(sort.split(",")):
        down, name = name.startswith("-"), name.removeprefix("-")
        some = sorted((row for row in rows if row.get(name) is not None), key=lambda row: row[name], reverse=down)
        nulls = [row for row in rows if row.get(name) is None]
        rows = some + nulls if (database == "pg") != down else nulls + some
    return rows


def page(rows: list[Row], params: Row, most: int | None) -> list[Row]:
    try:
        limit = int(params.get("limit", LIMIT))
    except ValueError:
        limit = -2
    if limit < -1 or (most and limit > most):
        raise Wrong(400, "INVALID_QUERY", 'Invalid query. "limit" must be a number between -1 and the limit.')
    offset = int(params.get("offset", 0)) or (int(params.get("page", 1)) - 1) * limit
    if limit == -1:
        limit = most or len(rows)
    return rows[offset : offset + limit]


def shown(value: Any, database: str) -> Any:
    """Times in milliseconds with Z; decimals and bigints are text on PostgreSQL."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"
    if isinstance(value, Decimal):
        return str(value) if database == "pg" else float(value)
    return value


def milliseconds(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)
