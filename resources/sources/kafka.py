"""Reads Debezium's topics from Kafka, as far as they reach when the read begins.

Where to go on is kept in the bookmark, never with the broker: nothing is committed there. What the messages mean:
`debezium.py`. The client (confluent-kafka) is an optional extra.
"""

import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import polars as pl

from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.sources import Request, batches, debezium
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable

MESSAGES = 5_000
"""Messages taken from the client at once."""
PATIENCE_SECONDS = 30.0
"""How long the broker may be silent before the read is given up."""
_END_OF_PARTITION = -191  # librdkafka's own code for it
Place = Callable[[str, int, int], Any]
"""Makes what the client calls a place: topic, partition, offset."""
Connect = Callable[[str], tuple[Any, Place]]


@dataclass
class _Part:
    """One partition: what is read of it, from `next` up to `end`."""

    topic: str
    number: int
    next: int
    end: int
    lost: int = 0
    """Messages after the bookmark that the broker no longer has."""


def connect(servers: str) -> tuple[Any, Place]:
    """Return a consumer that commits nothing, and its places; TerminalError where the client is missing."""
    try:
        client = importlib.import_module("confluent_kafka")
    except ImportError as error:
        raise TerminalError("SONIK_KAFKA_SERVERS is set but the client is missing: install sonik[kafka]") from error
    quiet = {"enable.auto.commit": False, "enable.partition.eof": True, "auto.offset.reset": "error"}
    return client.Consumer({"bootstrap.servers": servers, "group.id": "sonik", **quiet}), client.TopicPartition


def read(settings: Settings, table: SourceTable, request: Request, *, connect: Connect = connect) -> Iterator[Batch]:
    """Yield what the table's topics have since the bookmark, `{"kafka": {topic: {partition: next offset}}}`.

    Nothing where no broker is set or the table has no topic. The rows are of any day, and no window may hold them
    back: the bookmark, which only the last batch has, moves past them. Raises TransientError where the broker is down
    or silent, TerminalError where the client is not installed.
    """
    if not settings.kafka_servers or not table.topics:
        return
    known = (request.bookmark or {}).get("kafka", {})
    consumer, place = connect(settings.kafka_servers)
    try:
        parts = [part for topic in table.topics for part in _parts(consumer, place, topic, known.get(topic, {}))]
        for batch in debezium.batches_of(_frames(consumer, place, parts), table):
            yield replace(batch, any_day=True)
    except (TerminalError, TransientError):
        raise
    except Exception as error:
        if "kafka" not in type(error).__name__.lower():
            raise
        raise TransientError(f"Kafka at {settings.kafka_servers}: {error}; see that it is up and run again") from error
    finally:
        consumer.close()
    yield Batch(_lost(parts), any_day=True, bookmark={"kafka": _offsets(parts, known)})


def _parts(consumer: Any, place: Place, topic: str, known: dict[str, int]) -> list[_Part]:
    """Return the topic's partitions; none of a topic that is not there yet."""
    described = consumer.list_topics(topic, timeout=PATIENCE_SECONDS).topics[topic]
    if described.error is not None:
        return []
    return [_part(consumer, place, topic, number, known.get(str(number))) for number in sorted(described.partitions)]


def _part(consumer: Any, place: Place, topic: str, number: int, since: int | None) -> _Part:
    low, high = consumer.get_watermark_offsets(place(topic, number, 0), timeout=PATIENCE_SECONDS)
    if since is None:
        return _Part(topic, number, low, high)
    if since > high:  # the topic was made anew
        return _Part(topic, number, low, high, lost=1)
    return _Part(topic, number, max(since, low), high, lost=max(low - since, 0))


def _frames(consumer: Any, place: Place, parts: list[_Part]) -> Iterator[pl.DataFrame]:
    """Yield the messages as lines, {"key": .., "value": ..}, until every partition's end."""
    open_parts = {(part.topic, part.number): part for part in parts if part.next < part.end}
    if open_parts:
        consumer.assign([place(part.topic, part.number, part.next) for part in open_parts.values()])
    while open_parts:
        messages = consumer.consume(MESSAGES, timeout=PATIENCE_SECONDS)
        if not messages:
            raise TransientError(f"Kafka said nothing for {PATIENCE_SECONDS:.0f} s; see that it is up and run again")
        lines = [line for message in messages if (line := _taken(message, open_parts))]
        yield pl.DataFrame(lines, {"payload": pl.String, "origin": pl.String}, orient="row")


def _taken(message: Any, open_parts: dict[tuple[str, int], _Part]) -> tuple[str, str] | None:
    """Return the message as a line with its origin, and note how far its partition is read."""
    where = (message.topic(), message.partition())
    part, fault = open_parts.get(where), message.error()
    if fault is not None and fault.code() != _END_OF_PARTITION:
        raise TransientError(f"Kafka, {where[0]}[{where[1]}]: {fault}; see that it is up and run again")
    if part is None or (fault is None and message.offset() >= part.end):
        if part:
            part.next = part.end
            del open_parts[where]
        return None
    part.next = part.end if fault is not None else message.offset() + 1
    if part.next >= part.end:
        del open_parts[where]
    if fault is not None:
        return None
    line = msgspec.json.encode({"key": _json(message.key()), "value": _json(message.value())}).decode()
    return line, f"kafka:{where[0]}[{where[1]}]@{message.offset()}"


def _json(content: bytes | None) -> msgspec.Raw | str | None:
    """Return JSON as it is, and anything else as a text."""
    if not content:
        return None
    try:
        msgspec.json.decode(content)
        content.decode()
    except (msgspec.DecodeError, UnicodeDecodeError):
        return content.decode("utf-8", "backslashreplace")
    return msgspec.Raw(content)


def _lost(parts: list[_Part]) -> pl.DataFrame:
    """Return a dead letter for each partition of which the broker has deleted what was not read yet."""
    letters = [
        batches.rejected(
            f"{part.topic}[{part.number}] before {part.end}",
            reason="the broker no longer has the changes after the last read: reconcile the table with its source",
            origin=f"kafka:{part.topic}[{part.number}]",
        )
        for part in parts
        if part.lost
    ]
    return pl.concat(letters) if letters else batches.empty()


def _offsets(parts: list[_Part], known: dict[str, dict[str, int]]) -> dict[str, dict[str, int]]:
    found = {topic: dict(offsets) for topic, offsets in known.items()}
    for part in parts:
        found.setdefault(part.topic, {})[str(part.number)] = part.next
    return found
