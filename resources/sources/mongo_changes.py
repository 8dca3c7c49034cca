"""What MongoDB's change stream tells of one collection: deletes, and changes that a record's clock does not show.

Here: resume tokens and events. A server without change streams, or without the history since the token, is no error:
it is logged, and deletes are found where all ids are compared.
"""

import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import bson
from bson import json_util
from bson.codec_options import CodecOptions
from bson.raw_bson import RawBSONDocument
from pymongo.change_stream import CollectionChangeStream
from pymongo.collection import Collection
from pymongo.errors import OperationFailure, PyMongoError

from resources.sources import batches, extended_json, mongo_client
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable

EVENTS, EVENT_BYTES = 1_000, 16_000_000
"""How many events, and how much of them, are taken together."""
WAIT_MS = 100
"""How long the server waits for something to happen before it says that nothing did."""
_RAW: CodecOptions[RawBSONDocument] = CodecOptions(document_class=RawBSONDocument, tz_aware=True)
_ENDS = {"drop", "rename", "dropDatabase", "invalidate"}
_BY_COMPARING = "deletes are found only where all ids are compared"

_log = logging.getLogger(__name__)


class Changes:
    """The changes of a collection since a token (as extended JSON), or since now."""

    def __init__(self, collection: Collection[dict[str, Any]], table: SourceTable, token: str | None) -> None:
        """Open the stream; only an error that may pass is raised."""
        self._collection, self._table = collection.with_options(codec_options=_RAW), table
        self._origin = f"mongo {collection.full_name} change stream"
        self._stream: CollectionChangeStream[RawBSONDocument] | None = None
        self._events: list[RawBSONDocument] = []
        self.token = token
        """Where the stream stands; None where the server offers none."""
        self._begin()

    def close(self) -> None:
        """Close the stream; it may be closed already."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def drain(self) -> Iterator[Batch]:
        """Yield what happened up to now, and the bookmark: records as they are now, and tombstones.

        Ends where the server has no more to tell, or tells of what happened after this began.
        """
        began, more = datetime.now(UTC), self.token is not None
        while more:
            more = self._fill()
            events, self._events = self._events, []
            more = more and _at(events[-1]) < began
            yield from self._batches(events)
        if self.token is not None:
            yield Batch(batches.empty(), bookmark={"resume": self.token})

    def _begin(self) -> None:
        try:
            mongo_client.retrying()(self._open)
        except OperationFailure as error:
            if mongo_client.passes(error):
                raise
            if self.token is None:
                _log.warning("%s: not offered (code %s); %s", self._origin, error.code, _BY_COMPARING)
            else:
                self._begin_anew(f"code {error.code}")

    def _begin_anew(self, why: str) -> None:
        """Go on from now: what happened since the token is lost."""
        _log.warning("%s: its history is lost (%s) and begins anew; %s", self._origin, why, _BY_COMPARING)
        self.close()
        self.token = None
        self._begin()

    def _open(self) -> None:
        after = None if self.token is None else json_util.loads(self.token)
        self._stream = self._collection.watch(
            full_document="updateLookup", resume_after=after, batch_size=EVENTS, max_await_time_ms=WAIT_MS
        )
        self._note_token()

    def _note_token(self) -> None:
        token = self._stream.resume_token if self._stream else None
        if token is not None:
            self.token = extended_json.text(bson.encode(token)).decode()

    def _fill(self) -> bool:
        """Take the next events; return whether there may be more."""
        try:
            filled: bool = mongo_client.retrying()(self._take)
        except OperationFailure as error:
            if mongo_client.passes(error):
                raise
            self._begin_anew(f"code {error.code}")
            return False
        return filled

    def _take(self) -> bool:
        """Add to the events until they are many, or there are no more. What was added stays if this fails."""
        if self._stream is None:
            self._open()
        size = 0
        try:
            while len(self._events) < EVENTS and size < EVENT_BYTES:
                event = self._stream.try_next() if self._stream else None
                if event is None:
                    self._note_token()
                    return False
                if event["operationType"] in _ENDS:
                    self._begin_anew(f"the collection met {event['operationType']}")
                    return False
                self._events.append(event)
                size += len(event.raw)
            self._note_token()
        except PyMongoError:
            self._note_token()
            self.close()
            raise
        return True

    def _batches(self, events: list[RawBSONDocument]) -> Iterator[Batch]:
        """Yield what the events leave: of each record its last one, so that their order does not matter."""
        last = {event["documentKey"].raw: event for event in events}
        deleted = {key: event for key, event in last.items() if event["operationType"] == "delete"}
        full = [event.get("fullDocument") for event in last.values()]
        records = [extended_json.text(document.raw) for document in full if document is not None]
        if records:
            yield replace(batches.from_records(records, self._table, origin=self._origin), any_day=True)
        if deleted:
            keys = list(map(extended_json.text, deleted))
            ids = batches.from_records(keys, self._table, origin=self._origin).rows["record_id"].to_list()
            gone = {id: _at(event) for id, event in zip(ids, deleted.values(), strict=True) if id}
            yield batches.tombstones(list(gone), list(gone.values()), origin=self._origin)


def _at(event: RawBSONDocument) -> datetime:
    """Return when it happened, UTC. Servers before 6.0 tell the second only: its end, as a record's clock is before."""
    wall: datetime | None = event.get("wallTime")
    if wall is not None:
        return wall
    second: datetime = event["clusterTime"].as_datetime()
    return second + timedelta(microseconds=999_999)
