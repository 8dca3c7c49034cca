"""Exports of a folder: every packing, where a killed read goes on, and what a bad file says."""

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zstandard

from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import Request, code, exports
from resources.sources.batches import Batch, State
from resources.sources.catalogue import SourceTable, table
from tests.support.exports import write

VENUES, USERS = table("directus.venues"), table("mongo.users")


@pytest.fixture
def here(tmp_path: Path) -> Settings:
    return replace(Settings.from_env({}), exports=tmp_path)


def read(here: Settings, source: SourceTable = VENUES, position: State | None = None) -> list[Batch]:
    return list(exports.read(here, source, Request(position=position)))


def ids(found: list[Batch]) -> list[str]:
    return [id for batch in found for id in batch.rows["record_id"]]


def test_every_packing_is_read_then_the_changes(here: Settings) -> None:
    lines = b'\xef\xbb\xbf{"id":"a"}\n\n{"id":"b"}'
    for name, content in (("", lines), (".gz", gzip.compress(lines)), (".zst", zstandard.compress(lines))):
        write(here.exports, f"directus/venues.ndjson{name}").write_bytes(content)
    write(here.exports, "debezium/sonik.public.venues.ndjson", {"op": "d", "ts_ms": 1, "before": {"id": "c"}})
    found = read(here)
    assert ids(found) == ["a", "b"] * 3 + ["c"]
    assert found[1].rows["origin"].to_list() == ["directus/venues.ndjson.gz:1", "directus/venues.ndjson.gz:3"]
    assert all(reason is None for batch in found for reason in batch.rows["reason"])


def test_a_killed_read_goes_on_where_it_was(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "BATCH_ROWS", 3)
    write(here.exports, "directus/venues.ndjson", *({"id": f"a{n}"} for n in range(7)), "")
    path = write(here.exports, "directus/venues.ndjson.gz", *({"id": f"b{n}"} for n in range(4)))
    whole = read(here)
    assert len(whole) > 3
    for after in range(len(whole)):
        position = json.loads(json.dumps(whole[after].position))
        assert ids(read(here, position=position)) == ids(whole[after + 1 :])
    path.write_bytes(gzip.compress(b'{"id":"other"}\n'))
    assert "other" in ids(read(here, position=whole[-1].position))


def test_bson_goes_on_too_and_is_packed_as_text_is(here: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    import bson

    monkeypatch.setattr(exports, "BATCH_ROWS", 2)
    dump = b"".join(bson.encode({"_id": str(n), "at": datetime(2026, 10, 1, tzinfo=UTC)}) for n in range(3))
    write(here.exports, "mongo/users.bson.zst").write_bytes(zstandard.compress(dump))
    whole = read(here, USERS)
    assert ids(whole) == ["0", "1", "2"]
    assert ids(read(here, USERS, whole[0].position)) == ["2"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("directus/venues.ndjson.gz", gzip.compress(b'{"id":"v1"}\n' * 9999)[:-20]),
        ("directus/venues.ndjson.zst", zstandard.compress(b'{"id":"v1"}\n' * 9999)[:-2]),
        ("directus/venues.ndjson.gz", b"\x1f\x8bnot gzip"),
    ],
    ids=["cut gzip", "cut zstd", "no gzip"],
)
def test_an_export_that_cannot_be_read_stops_the_run(here: Settings, name: str, content: bytes) -> None:
    write(here.exports, name).write_bytes(content)
    with pytest.raises(TerminalError, match=r"cannot read .*venues\.ndjson.*; export it again or move it away"):
        read(here)


def test_a_wrong_byte_costs_its_own_line_only(here: Settings) -> None:
    write(here.exports, "directus/venues.ndjson").write_bytes(b'{"id":"a"}\n{"id":"\xe9"}\n{"id":"b"}\n')
    (batch,) = read(here)
    assert batch.rows["record_id"].to_list() == ["a", None, "b"]
    assert batch.rows["origin"].to_list()[2] == "directus/venues.ndjson:3"


def test_files_tell_neither_all_ids_nor_what_was_touched(here: Settings) -> None:
    for reader, source in ((exports, VENUES), (code, table("sonik.code_modules"))):
        with pytest.raises(NotImplementedError):
            reader.ids(here, source)
        with pytest.raises(NotImplementedError):
            reader.touched(here, source, datetime.now(UTC))


def test_the_span_is_of_every_record_and_change_up_to_today(here: Settings) -> None:
    write(here.exports, "directus/venues.ndjson", {"id": "1", "date_created": "2026-02-01T00:00:00Z"})
    write(here.exports, "mongo/users.ndjson", {"_id": "1", "updatedAt": {"$date": "2999-01-01T00:00:00Z"}})
    write(
        here.exports,
        "debezium/sonik.public.venues.ndjson",
        {"op": "d", "ts_ms": 1_771_000_000_000, "before": {"id": "1"}},
    )
    assert exports.span(here.exports) == ("2026-02-01", "2026-02-13")


def test_a_missing_folder_is_named_and_an_empty_one_is_empty(here: Settings) -> None:
    assert read(here) == []
    with pytest.raises(TerminalError, match=r"exports folder .* does not exist: pass --exports"):
        read(replace(here, exports=here.exports / "nowhere"))
