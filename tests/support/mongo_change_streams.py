"""What the MongoDB contract server tells of changes: events as a change stream gives them, and their resume tokens."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import bson

Token = dict[str, str]


@dataclass(frozen=True)
class Event:
    """One change; `document` becomes the event itself once it is in the log."""

    database: str
    collection: str
    operation: str
    document: dict[str, Any]


class ChangeLog:
    """All changes in order. `first` is how many of them the server has forgotten."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.first = 0
        self.wall_time = True
        """Servers before 6.0 tell no wallTime, only the second."""

    @property
    def time(self) -> bson.Timestamp:
        return bson.Timestamp(int(time.time()), len(self.events) + 1)

    def add(self, event: Event) -> None:
        told: dict[str, Any] = {
            "_id": self.token(len(self.events) + 1),
            "operationType": event.operation,
            "clusterTime": self.time,
            "ns": {"db": event.database, "coll": event.collection},
        }
        if self.wall_time:
            told["wallTime"] = datetime.now(UTC)
        if event.document:
            told["documentKey"] = {"_id": event.document["_id"]}
        if event.operation in ("insert", "update", "replace"):
            told["fullDocument"] = event.document
        self.events.append(Event(event.database, event.collection, event.operation, told))

    def forget(self) -> None:
        """Lose what was logged so far, as an oplog that is too small for its traffic does."""
        self.first = len(self.events) + 1

    def token(self, at: int) -> Token:
        return {"_data": f"{at:016x}"}

    def position(self, token: Token) -> int | None:
        """Return where the token stands; None of one that is forgotten or was never given."""
        at = int(token["_data"], 16)
        return at if self.first <= at <= len(self.events) else None
