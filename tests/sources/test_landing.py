"""The landing zone, in a folder and in a bucket: what is there, what is taken, and what a bad file costs."""

import gzip
import hashlib
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import zstandard

from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import Request, exports, landing, lines
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable, table
from resources.stores.objects import Objects
from tests.support.object_store import bucket, s3_server  # noqa: F401 - the fixture `s3`

VENUES, WEBHOOKS = table("scraper.venue_info"), table("twenty.webhooks")
NOISE = [hashlib.sha512(bytes([n])).hexdigest() * 4 for n in range(9)]


@pytest.fixture(params=["exports", "folder", "s3"])
def here(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Return settings of an empty zone: inside the exports, a folder of its own, a bucket."""
    found = replace(Settings.from_env({}), exports=tmp_path)
    if request.param == "exports":
        return found
    return replace(
        found, landing_uri=str(tmp_path) if request.param == "folder" else bucket(request.getfixturevalue("s3"))
    )


@pytest.fixture
def folder(tmp_path: Path) -> Settings:
    return replace(Settings.from_env({}), landing_uri=str(tmp_path))


def venue(id: str, day: str = "2026-10-01", **more: Any) -> dict[str, Any]:
    return {"provider": "p", "external_id": id, "name": "x", "scraped_at": f"{day}T10:00:00Z", **more}


def ndjson(*records: Any) -> bytes:
    return "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records).encode()


def put(here: Settings, name: str, content: bytes, *, settled: bool = True) -> None:
    """Write a file of the zone; a settled one was written a minute ago."""
    if here.landing_uri and "://" in here.landing_uri:
        assert Objects(here.landing_uri).put_new(name, content)
        return
    inside = name if name.startswith("debezium/") or here.landing_uri else landing.FOLDER + name
    path = Path(here.landing_uri or here.exports) / inside
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    at = time.time() - (60 if settled else 0)
    os.utime(path, (at, at))


def read(here: Settings, source: SourceTable = VENUES, position: Any = None) -> list[Batch]:
    return list(exports.read(here, source, Request(position=position)))


def ids(found: list[Batch]) -> list[str]:
    return [id for batch in found for id in batch.rows.filter(batch.rows["reason"].is_null())["record_id"]]


def letters(found: list[Batch]) -> list[tuple[str, str]]:
    return [(r["origin"], r["reason"]) for b in found for r in b.rows.to_dicts() if r["reason"]]


def test_every_packing_is_read_file_by_file(here: Settings) -> None:
    put(here, "venue_info/p/1.ndjson", ndjson(venue("a"), "", venue("b")))
    put(here, "venue_info/p/2.ndjson.gz", gzip.compress(ndjson(venue("c"))) + gzip.compress(ndjson(venue("d"))))
    put(
        here,
        "venue_info/q/3.jsonl.zst",
        zstandard.compress(ndjson(venue("e"))) + zstandard.compress(ndjson(venue("f"))),
    )
    put(here, "venue_info/q/4.json", json.dumps([venue("g"), venue("h")], indent=1).encode())
    put(here, "venue_info/q/5.ndjson", b"")
    put(here, "venue_info/q/6.ndjson", b"\xef\xbb\xbf" + ndjson(venue("i")).rstrip())
    put(here, "event_listings/q/7.ndjson", ndjson(venue("z")))
    found = read(here)
    assert ids(found) == [f"p:{letter}" for letter in "abcdefghi"]
    assert letters(found) == []
    assert len(found) == 1
    assert [o.rpartition("/")[2] for o in found[0].rows["origin"]][:3] == ["1.ndjson:1", "1.ndjson:3", "2.ndjson.gz:1"]


def test_what_n8n_and_apify_write_is_unwrapped_and_the_rest_is_verbatim(folder: Settings) -> None:
    inner = '{"provider":"p","external_id":"a","name":"x","capacity":12.50}'
    wrapped = [f'{{"json": {inner}, "pairedItem": {{"item": 0}}}}', f'[{{"json":{inner.replace("a", "b", 1)}}}]']
    other = {"json": {"provider": "no"}, **venue("c"), "#debug": {"requestId": "r"}, "#error": False}
    put(folder, "venue_info/p/1.ndjson", ndjson(*wrapped, other, '{"json": [1]}', "[1]", "[]", '{"json"'))
    found = read(folder)
    assert found[0].rows["payload"][0] == inner
    assert found[0].rows["payload"][2] == json.dumps(other)
    assert len(letters(found)) == 5 - (found[0].rows["record_id"][1] is not None)
    assert not any(name.startswith("#") for name in found[0].unknown)


def test_the_listing_tells_contents_apart_and_leaves_out_what_is_not_finished(here: Settings) -> None:
    names = ["venue_info/p/a.ndjson", "webhooks/twenty/b.ndjson", "debezium/sonik.public.venues.1.ndjson"]
    others = ["venue_info/p/c.ndjson.part", "venue_info/p/.d.ndjson", "venue_info/p/e.csv", "debezium/other.x.ndjson"]
    for name in (*names, *others):
        put(here, name, ndjson(venue("a")))
    found = landing.listing(here)
    assert sorted(name.removeprefix(landing.FOLDER) for name in found) == sorted(names)
    assert len(set(found.values())) == 1
    assert landing.listing(here) == found


def test_a_file_that_changes_and_keeps_its_size_and_time_is_another_one(folder: Settings) -> None:
    put(folder, "venue_info/p/a.ndjson", ndjson(venue("a")))
    before = landing.listing(folder)
    path = Path(folder.landing_uri or "") / "venue_info/p/a.ndjson"
    stat = path.stat()
    path.write_bytes(ndjson(venue("b")))
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert landing.listing(folder) != before


def test_a_file_still_being_written_waits_for_the_next_look(folder: Settings) -> None:
    put(folder, "venue_info/p/a.ndjson", ndjson(venue("a")), settled=False)
    assert landing.listing(folder) == {}
    assert list(landing.listing(folder, now=time.time() + 60)) == ["venue_info/p/a.ndjson"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstandard.compress])
def test_of_a_file_still_being_written_whole_lines_are_taken_and_nothing_is_a_fault(
    folder: Settings, pack: Callable[[bytes], bytes]
) -> None:
    ending = {bytes: "", gzip.compress: ".gz"}.get(pack, ".zst")
    whole = ndjson(*(venue(os.urandom(8).hex()) for _ in range(2000)))
    put(folder, f"venue_info/p/a.ndjson{ending}", pack(whole)[:-30], settled=False)
    found = read(folder)
    assert letters(found) == []
    assert ids(found) or pack is zstandard.compress


def test_days_are_told_by_table(here: Settings) -> None:
    put(here, "venue_info/p/a.ndjson", ndjson(venue("a", "2026-10-03"), venue("b", "2026-10-01"), "broken"))
    put(here, "webhooks/twenty/b.ndjson", ndjson({"received_at": "2026-10-05T00:00:00Z", "body": "{}"}))
    put(
        here,
        "debezium/sonik.shop.users.ndjson",
        ndjson({"op": "d", "ts_ms": 1_771_000_000_000, "before": {"_id": "1"}}),
    )
    put(here, "venue_info/p/bad.ndjson.gz", b"\x1f\x8b nothing")
    assert landing.days(here, [*landing.listing(here), "gone.ndjson"]) == {
        "raw_scraper.venue_info": [date(2026, 10, 1), date(2026, 10, 3)],
        "raw_twenty.webhooks": [date(2026, 10, 5)],
        "raw_mongo.users": [date(2026, 2, 13)],
    }
    assert landing.days(here, ["gone.ndjson", "venue_info/p/gone.ndjson"]).get("raw_scraper.venue_info", []) == []


@pytest.mark.parametrize(
    ("name", "content", "good", "reason"),
    [
        ("b.ndjson.gz", gzip.compress(ndjson(venue("b"), *NOISE))[:-200], 1, "end of file"),
        ("b.ndjson.gz", b"\x1f\x8bnot gzip", 0, "gzip"),
        ("b.ndjson.gz", ndjson(venue("b")), 0, "gzip"),
        ("b.ndjson.zst", zstandard.compress(ndjson(*NOISE))[:-9], 0, "zstd: unexpected end"),
        ("b.ndjson.zst", b"nothing of the kind", 0, "zstd"),
        ("b.ndjson", gzip.compress(bytes(range(256)) * 20), 0, "not text in UTF-8"),
        ("b.ndjson", json.dumps(venue("b")).encode("utf-16"), 0, "not text in UTF-8"),
        ("b.json", b'[{"provider":"p"},{"prov', 0, "cut off or broken"),
        ("b.json", b"[" + b" " * 3000, 0, "write a record a line"),
        ("b.ndjson", b'{"provider":"' + b"p" * 3000, 0, "a line of more than"),
    ],
    ids=range(10),
)  # fmt: skip
def test_a_bad_file_is_one_dead_letter_and_stops_no_other(
    folder: Settings, name: str, content: bytes, good: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "BLOCK", 512)
    if "more than" in reason or "a record a line" in reason:
        monkeypatch.setattr(lines, "MOST", 2048)
    put(folder, "venue_info/p/a.ndjson", ndjson(venue("a")))
    put(folder, f"venue_info/p/{name}", content)
    put(folder, "venue_info/p/c.ndjson", ndjson(venue("c")))
    found = read(folder)
    assert ids(found) == ["p:a", *["p:b"] * good, "p:c"]
    said = [(origin, text) for origin, text in letters(found) if text.startswith("cannot read file")]
    assert [origin for origin, _ in said] == [f"venue_info/p/{name}"]
    assert reason in said[0][1]


def test_a_wrong_byte_costs_its_own_line_only(folder: Settings) -> None:
    put(folder, "venue_info/p/a.ndjson", ndjson(venue("a")) + b'{"provider":"Caf\xe9"}\r\n' + ndjson(venue("b")))
    found = read(folder)
    assert ids(found) == ["p:a", "p:b"]
    assert [origin for origin, _ in letters(found)] == ["venue_info/p/a.ndjson:2"]


def test_a_killed_read_goes_on_where_it_was(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "BATCH_ROWS", 2)
    for name, letters in (("a", "abcde"), ("b", "f"), ("c", "ghi")):
        put(here, f"venue_info/p/{name}.ndjson", ndjson(*map(venue, letters)))
    whole = read(here)
    assert ids(whole) == [f"p:{letter}" for letter in "abcdefghi"]
    assert len(whole) > 3
    for killed_after in range(1, len(whole) + 1):
        rest = read(here, position=json.loads(json.dumps(whole[killed_after - 1].position)))
        assert ids(rest) == ids(whole[killed_after:])
    put(here, "venue_info/p/0.ndjson", ndjson(venue("new")))  # before what was read: all is read again
    assert ids(read(here, position=whole[-1].position))[0] == "p:new"


def test_files_of_a_topic_are_not_those_of_one_that_begins_alike(folder: Settings) -> None:
    for name in ("events", "events-2", "events.part1", "events_artists", "events_20261001", "events_other", "eventsx"):
        change = {"op": "c", "ts_ms": 1_790_000_000_000, "after": {"id": name}}
        put(folder, f"debezium/sonik.public.{name}.ndjson", ndjson(change))
    mine = [*landing.changes(folder, table("directus.events"))]
    assert sorted(ids(mine)) == ["events", "events-2", "events.part1", "events_20261001"]
    assert ids([*landing.changes(folder, table("directus.events_artists"))]) == ["events_artists"]
    assert [*landing.changes(folder, table("directus.brands"))] == []


def test_a_bad_log_is_a_dead_letter_and_the_others_are_read(here: Settings) -> None:
    put(here, "debezium/sonik.public.venues.1.ndjson.gz", b"\x1f\x8bnot gzip")
    change = {"op": "c", "ts_ms": 1_790_000_000_000, "after": {"id": "a"}}
    put(here, "debezium/sonik.public.venues.2.ndjson", ndjson(change))
    found = [*landing.changes(here, table("directus.venues"))]
    assert ids(found) == ["a"]
    assert len(letters(found)) == 1


def test_records_of_one_file_are_given_unwrapped(folder: Settings) -> None:
    hook = '{"received_at":"2026-10-05T00:00:00Z","headers":{},"body":"{}"}'
    put(folder, "webhooks/twenty/b.ndjson", ndjson(f'{{"json":{hook}}}'))
    assert [frame.rows() for frame in landing.records(folder, "webhooks/twenty/b.ndjson")] == [
        [(hook, "webhooks/twenty/b.ndjson:1")]
    ]
    assert read(folder, WEBHOOKS)[0].rows["payload"].to_list() == [hook]


def test_a_zone_that_is_missing_says_so(tmp_path: Path) -> None:
    with pytest.raises(TerminalError, match=r"exports folder .* does not exist: pass --exports"):
        landing.listing(replace(Settings.from_env({}), exports=tmp_path / "nowhere"))
    assert landing.place(replace(Settings.from_env({}), landing_uri="s3://key:hunter2@zone/x")) == "s3://zone/x"
