"""What a source's sensor remembers between ticks: versioned JSON, times in UTC.

One entry a table, so that a table that could not be asked stays where it was. Another version knows nothing: the
tables are then asked as if for the first time.
"""

import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

VERSION = 1


@dataclass(frozen=True)
class Entry:
    """One table: when it was last asked, and the days that are due to be read again, with the time they are due."""

    asked: datetime
    again: dict[date, datetime] = field(default_factory=dict)


Entries = dict[str, Entry]


def load(text: str | None) -> Entries:
    """Return what a cursor knows; nothing where it is empty, of another version or not ours."""
    try:
        state = json.loads(text) if text else {}
        return _entries(state["tables"]) if state.get("version") == VERSION else {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


def dump(entries: Entries) -> str:
    """Return the cursor's text."""
    tables = {
        relation: {
            "asked": entry.asked.isoformat(),
            "again": {str(day): due.isoformat() for day, due in entry.again.items()},
        }
        for relation, entry in sorted(entries.items())
    }
    return json.dumps({"version": VERSION, "tables": tables})


def _entries(tables: dict[str, dict[str, object]]) -> Entries:
    return {relation: Entry(_time(e["asked"]), _days(e["again"])) for relation, e in tables.items()}


def _days(again: object) -> dict[date, datetime]:
    return {date.fromisoformat(day): _time(due) for day, due in again.items()} if isinstance(again, dict) else {}


def _time(text: object) -> datetime:
    return datetime.fromisoformat(str(text)).astimezone(UTC)
