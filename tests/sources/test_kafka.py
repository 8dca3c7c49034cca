"""Debezium's topics from a broker, through a client that behaves as confluent-kafka's does."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import pytest

from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.sources import Request, kafka
from resources.sources.batches import Batch
from resources.sources.catalogue import table

VENUES = table("directus.venues")
TOPIC = "sonik.public.venues"
SETTINGS = replace(Settings.from_env({}), kafka_servers="broker:9092")
AT = 1_790_000_000_000


class KafkaError(Exception):
    def code(self) -> int:
        return int(self.args[0])


@dataclass
class Message:
    place: tuple[str, int, int]
    content: tuple[bytes | None, bytes | None] = (None, None)
    fault: KafkaError | None = None

    def topic(self) -> str:
        return self.place[0]

    def partition(self) -> int:
        return self.place[1]

    def offset(self) -> int:
        return self.place[2]

    def key(self) -> bytes | None:
        return self.content[0]

    def value(self) -> bytes | None:
        return self.content[1]

    def error(self) -> KafkaError | None:
        return self.fault


@dataclass
class Broker:
    """Partition -> its messages; `low` is the first offset that it still has."""

    partitions: dict[int, list[tuple[bytes | None, bytes | None] | None]] = field(default_factory=dict)
    low: int = 0
    closed: int = 0
    late: list[tuple[bytes | None, bytes | None]] = field(default_factory=list)
    """Arrive in partition 0 after the read has begun."""

    def connect(self, servers: str) -> tuple[Any, Callable[..., Any]]:
        assert servers == SETTINGS.kafka_servers
        return self, lambda topic, partition, offset: (topic, partition, offset)

    def list_topics(self, topic: str, timeout: float) -> Any:
        missing = KafkaError(3) if not self.partitions else None
        return SimpleNamespace(topics={topic: SimpleNamespace(error=missing, partitions=dict(self.partitions))})

    def get_watermark_offsets(self, place: tuple[str, int, int], timeout: float) -> tuple[int, int]:
        return self.low, len(self.partitions[place[1]])

    def assign(self, places: list[tuple[str, int, int]]) -> None:
        self.partitions.get(0, []).extend(self.late)
        self._stream = self._messages(places)

    def _messages(self, places: list[tuple[str, int, int]]) -> Iterator[Message]:
        for topic, number, first in places:
            for offset, content in enumerate(self.partitions[number]):
                if offset >= first and content is not None:
                    yield Message((topic, number, offset), content)
            yield Message((topic, number, len(self.partitions[number])), fault=KafkaError(-191))

    def consume(self, most: int, timeout: float) -> list[Message]:
        return [m for m, _ in zip(self._stream, range(2), strict=False)]

    def close(self) -> None:
        self.closed += 1


def change(op: str, id: str, name: str, at: int = 0) -> tuple[bytes, bytes]:
    record = {"id": id, "name": name}
    images = {"before": record, "after": None} if op == "d" else {"before": None, "after": record}
    return json.dumps({"id": id}).encode(), json.dumps({**images, "op": op, "ts_ms": AT + at}).encode()


def read(broker: Broker, bookmark: dict | None = None) -> list[Batch]:
    return list(kafka.read(SETTINGS, VENUES, Request(bookmark=bookmark), connect=broker.connect))


def rows(found: list[Batch]) -> list[dict]:
    return [row for batch in found for row in batch.rows.to_dicts()]


def test_a_topic_is_read_to_its_end_and_then_only_what_is_new() -> None:
    broker = Broker({0: [change("c", "a", "A"), change("u", "a", "B", 1), (b'{"id":"a"}', None)], 1: []})
    found = read(broker)
    assert [(r["record_id"], json.loads(r["payload"])["name"]) for r in rows(found)] == [("a", "A"), ("a", "B")]
    assert rows(found)[0]["origin"] == f"kafka:{TOPIC}[0]@0"
    assert [b.bookmark for b in found[:-1]] == [None] * (len(found) - 1)
    assert found[-1].bookmark == {"kafka": {TOPIC: {"0": 3, "1": 0}}}
    assert rows(read(broker, found[-1].bookmark)) == []
    broker.partitions[1].append(change("d", "b", "gone", 5))
    more = read(broker, found[-1].bookmark)
    assert [(r["record_id"], r["deleted_at"] is None) for r in rows(more)] == [("b", False)]
    assert more[-1].bookmark == {"kafka": {TOPIC: {"0": 3, "1": 1}}}
    assert broker.closed == 3


def test_what_comes_while_it_is_read_is_left_for_the_next_time() -> None:
    broker = Broker({0: [change("c", "a", "A")]}, late=[change("c", "b", "B")])
    found = read(broker)
    assert [r["record_id"] for r in rows(found)] == ["a"]
    broker.late = []
    assert [r["record_id"] for r in rows(read(broker, found[-1].bookmark))] == ["b"]


def test_offsets_that_hold_no_message_do_not_stop_it() -> None:
    broker = Broker({0: [change("c", "a", "A"), None, None]})
    assert read(broker)[-1].bookmark == {"kafka": {TOPIC: {"0": 3}}}


def test_changes_that_the_broker_has_deleted_are_a_dead_letter() -> None:
    broker = Broker({0: [None, None, change("c", "a", "A")]}, low=2)
    assert [r["reason"] for r in rows(read(broker))] == [None]
    found = rows(read(broker, {"kafka": {TOPIC: {"0": 1}}}))
    assert [r["record_id"] for r in found] == ["a", None]
    assert "reconcile the table" in found[1]["reason"]


def test_a_message_that_is_no_json_is_a_dead_letter_and_the_rest_goes_on() -> None:
    broker = Broker({0: [(b"\x00\x01k", b"\x00\x00\x00\x00\x01avro\xff"), change("c", "a", "A")]})
    found = rows(read(broker))
    assert sorted(r["reason"] is None for r in found) == [False, True]
    assert "not a Debezium envelope" in next(r["reason"] for r in found if r["reason"])


def test_a_topic_that_is_not_there_yet_is_empty_and_no_broker_is_nothing() -> None:
    assert rows(read(Broker())) == []
    assert list(kafka.read(replace(SETTINGS, kafka_servers=None), VENUES, Request())) == []
    assert list(kafka.read(SETTINGS, table("directus.brands"), Request())) == []


def test_a_broker_that_is_down_or_silent_is_transient_and_the_client_is_closed() -> None:
    silent = Broker({0: [change("c", "a", "A")]})
    silent.consume = lambda most, timeout: []  # type: ignore[method-assign]
    with pytest.raises(TransientError, match="said nothing"):
        read(silent)
    down = Broker({0: []})

    def fail(topic: str, timeout: float) -> Any:
        raise KafkaError(-195)

    down.list_topics = fail  # type: ignore[method-assign]
    with pytest.raises(TransientError, match="see that it is up"):
        read(down)
    assert (silent.closed, down.closed) == (1, 1)


def test_without_the_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    with pytest.raises(TerminalError, match=r"install sonik\[kafka\]"):
        list(kafka.read(SETTINGS, VENUES, Request()))
