"""Exports -> lake -> raw tables, on a real PostgreSQL: nothing lost, nothing doubled, nothing written twice."""

import gzip
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psycopg
import pytest

from resources.errors import SonikError, TerminalError
from resources.settings import Settings
from resources.sources.catalogue import TABLES, SourceTable
from sonik_assets.raw.extract import Window, extract
from sonik_assets.raw.load import Counts
from tests.support.exports import write

EVERYTHING: Window = (None, None)


def table(relation: str) -> SourceTable:
    return next(t for t in TABLES if t.relation == relation)


VENUES = table("raw_directus.venues")


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, exports=tmp_path / "exports", lake_uri=str(tmp_path / "lake"))


def run(here: Settings, database: str, source: SourceTable = VENUES, window: Window = EVERYTHING) -> Counts:
    with psycopg.connect(database) as connection:
        return extract(here, connection, source, window, "run")


def rows(database: str, query: str) -> list[tuple]:
    with psycopg.connect(database) as connection:
        return connection.execute(query).fetchall()


def venue(name: str, at: str = "2026-10-01T00:00:00.000Z", **more: object) -> dict:
    return {"id": "v1", "name": name, "date_created": "2026-09-01T00:00:00.000Z", "date_updated": at, **more}


def test_the_same_file_twice_writes_no_row(here: Settings, database: str) -> None:
    write(here.exports, "directus/venues.ndjson.gz", venue("A"), {**venue("B"), "id": "v2"}, "broken")
    assert run(here, database) == Counts(read=3, written=2, rejected=1)
    before = rows(database, "select xmin, * from raw_directus.venues order by record_id")
    files = sorted(Path(here.lake_uri).rglob("*.parquet"))
    assert run(here, database) == Counts(read=3, written=0, rejected=1)
    assert rows(database, "select xmin, * from raw_directus.venues order by record_id") == before
    assert sorted(Path(here.lake_uri).rglob("*.parquet")) == files
    assert rows(database, "select count(*) from raw.dead_letters") == [(1,)]


def test_an_older_version_never_overwrites_a_newer_one(here: Settings, database: str) -> None:
    write(here.exports, "directus/venues.ndjson", venue("new", "2026-10-02T00:00:00Z"))
    run(here, database)
    write(here.exports, "directus/venues.ndjson", venue("old", "2026-10-01T00:00:00Z"))
    assert run(here, database).written == 0
    assert rows(database, "select payload ->> 'name' from raw_directus.venues") == [("new",)]


def test_of_two_lines_of_one_record_the_newer_is_kept(here: Settings, database: str) -> None:
    newer, older = venue("new", "2026-10-02T00:00:00Z"), venue("old", "2026-10-01T00:00:00Z")
    write(here.exports, "directus/venues.ndjson", newer, older)
    run(here, database)
    assert rows(database, "select payload ->> 'name' from raw_directus.venues") == [("new",)]


def test_a_window_takes_its_own_days_and_what_has_no_time(here: Settings, database: str) -> None:
    undated = {"id": "v3", "name": "C"}
    write(
        here.exports,
        "directus/venues.ndjson",
        venue("A"),
        {**venue("B", "2026-10-05T00:00:00Z"), "id": "v2"},
        undated,
    )
    day = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 10, 2, tzinfo=UTC))
    assert run(here, database, window=day).written == 2
    assert rows(database, "select record_id from raw_directus.venues order by 1") == [("v1",), ("v3",)]


def test_a_day_may_be_read_again_in_any_order(here: Settings, database: str) -> None:
    days = [datetime(2026, 10, d, tzinfo=UTC) for d in (1, 2, 3)]
    lines = [{**venue("X", f"2026-10-0{d}T10:00:00Z"), "id": f"v{d}"} for d in (1, 2)]
    write(here.exports, "directus/venues.ndjson", *lines)
    for start, end in [(days[1], days[2]), (days[0], days[1]), (days[1], days[2])]:
        run(here, database, window=(start, end))
    assert rows(database, "select record_id, partition_date::text from raw_directus.venues order by 1") == [
        ("v1", "2026-10-01"),
        ("v2", "2026-10-02"),
    ]


def test_a_change_log_adds_to_the_export_and_its_delete_is_final(here: Settings, database: str) -> None:
    write(here.exports, "directus/venues.ndjson", venue("A", capacity=100), {**venue("B"), "id": "v2"})
    at = int(datetime(2026, 10, 9, tzinfo=UTC).timestamp() * 1000)
    write(
        here.exports,
        "debezium/sonik.public.venues.ndjson",
        {
            "op": "u",
            "ts_ms": at,
            "after": {"id": "v1", "name": "A2", "date_updated": "2026-10-09T00:00:00.000Z"},
        },
        {"op": "d", "ts_ms": at, "before": {"id": "v2"}, "after": None},
    )
    for _ in range(2):  # the export, older than the log, is read again and changes nothing
        run(here, database)
        assert rows(
            database,
            "select record_id, payload ->> 'name', payload ->> 'capacity', deleted_at is not null"
            " from raw_directus.venues order by 1",
        ) == [("v1", "A2", "100", False), ("v2", "B", None, True)]


def test_a_soft_deleted_record_is_a_tombstone_and_can_come_back(here: Settings, database: str) -> None:
    people = table("raw_twenty.people")
    gone = {"id": "p1", "updatedAt": "2026-10-01T00:00:00Z", "deletedAt": "2026-10-01T00:00:00Z"}
    write(here.exports, "twenty/people.ndjson", gone)
    run(here, database, people)
    assert rows(database, "select deleted_at is not null from raw_twenty.people") == [(True,)]
    write(here.exports, "twenty/people.ndjson", {**gone, "updatedAt": "2026-10-02T00:00:00Z", "deletedAt": None})
    run(here, database, people)
    assert rows(database, "select deleted_at is not null from raw_twenty.people") == [(False,)]


def test_the_lake_holds_every_line_as_it_came(here: Settings, database: str) -> None:
    lines = ['{"id": "v1",  "name": "Ñandú\\u0000"}', "broken {", '{"id":"v2","name":"ok"}']
    write(here.exports, "directus/venues.ndjson", *lines)
    run(here, database)
    assert set(pl.read_parquet(f"{here.lake_uri}/**/*.parquet")["payload"]) == set(lines)
    letters = rows(database, "select reason from raw.dead_letters order by reason")
    assert len(letters) == 2
    assert "venues.ndjson:1: a NUL character" in letters[0][0]
    assert "venues.ndjson:2: not a JSON object" in letters[1][0]


def test_a_wrong_byte_costs_its_own_line_only(here: Settings, database: str) -> None:
    lines = [json.dumps(venue(n) | {"id": n}).encode() for n in ("a", "b")]
    for name, pack in (("directus/venues.ndjson", bytes), ("directus/venues.ndjson.gz", gzip.compress)):
        write(here.exports, name).write_bytes(pack(b"\n".join([lines[0], b'{"id":"Caf\xe9"}', lines[1]])))
        assert run(here, database).rejected == 1
        assert rows(database, "select record_id from raw_directus.venues order by 1") == [("a",), ("b",)]
        (here.exports / name).unlink()


def test_a_nul_in_a_key_is_a_dead_letter(here: Settings, database: str) -> None:
    write(here.exports, "directus/venues.ndjson", '{"id":"a\\u0000b"}', '{"id":"ok","latitude":"x\\u0000"}', venue("A"))
    assert run(here, database) == Counts(read=3, written=1, rejected=2)


def test_a_blank_required_field_is_missing(here: Settings, database: str) -> None:
    share = {"_id": "1", "kind": " ", "at": "2026-10-01T00:00:00Z"}
    write(here.exports, "mongo/engagement.ndjson", share)
    assert run(here, database, table("raw_mongo.engagement")).rejected == 1
    assert "missing kind" in rows(database, "select reason from raw.dead_letters")[0][0]


def test_of_two_versions_at_one_time_every_run_keeps_the_same(here: Settings, database: str) -> None:
    write(here.exports, "directus/venues.ndjson", venue("A"))
    write(here.exports, "directus/venues.ndjson.gz", venue("B"))
    run(here, database)
    first = rows(database, "select xmin, payload from raw_directus.venues")
    assert run(here, database).written == 0
    assert rows(database, "select xmin, payload from raw_directus.venues") == first


def test_partial_changes_of_one_batch_add_up(here: Settings, database: str) -> None:
    write(here.exports, "directus/venues.ndjson", venue("A", city="Quito", address="x" * 9))
    at = int(datetime(2026, 10, 9, tzinfo=UTC).timestamp() * 1000)
    kept = {"address": "__debezium_unavailable_value"}
    changes = [{"id": "v1", "name": "B", **kept}, {"id": "v1", "city": "Lima"}]
    envelopes = [{"op": "u", "ts_ms": at + n, "after": after} for n, after in enumerate(changes)]
    write(here.exports, "debezium/sonik.public.venues.ndjson", *envelopes)
    for _ in range(2):
        run(here, database)
        found = "select payload ->> 'name', payload ->> 'city', payload ->> 'address' from raw_directus.venues"
        assert rows(database, found) == [("B", "Lima", "x" * 9)]


def test_numbers_as_people_write_them(here: Settings, database: str) -> None:
    write(here.exports, "directus/venues.ndjson", venue("A"))
    run(here, database)  # applies the migrations
    written = ["45.000,00", "45000.00", "45.000", "1.200.000", "1,200", "1,200.50", "12.3k", "7", "1.2.3"]
    with psycopg.connect(database) as connection:
        found = connection.execute("select ops.amount(w)::float8 from unnest(%s::text[]) as w", [written]).fetchall()
    assert [row[0] for row in found] == [45000, 45000, 45000, 1200000, 1200, 1200.5, 12300, 7, None]


def test_bson_dumps_are_read_like_exports(here: Settings, database: str) -> None:
    import bson

    path = write(here.exports, "mongo/users.bson.gz")
    at = datetime(2026, 10, 1, tzinfo=UTC)
    path.write_bytes(gzip.compress(bson.encode({"_id": bson.ObjectId("66" * 12), "name": "Ana", "updatedAt": at})))
    run(here, database, table("raw_mongo.users"))
    assert rows(database, "select record_id, source_updated_at from raw_mongo.users") == [("66" * 12, at)]


@pytest.mark.parametrize("content", [b"\x1f\x8bnot gzip", gzip.compress(b'{"id":"v1"}\n' * 9999)[:-20]])
def test_an_unreadable_file_is_one_clear_error_and_mended_it_is_read_whole(
    here: Settings, database: str, content: bytes
) -> None:
    write(here.exports, "directus/venues.ndjson", venue("A"))
    path = write(here.exports, "directus/venues.ndjson.gz")
    path.write_bytes(content)
    with pytest.raises(TerminalError, match=r"cannot read .*venues\.ndjson\.gz.*export it again"):
        run(here, database)
    assert rows(database, "select count(*) from raw.extracts") == [(0,)]
    write(here.exports, "directus/venues.ndjson.gz", {**venue("B"), "id": "v2"})
    run(here, database)
    assert rows(database, "select record_id from raw_directus.venues order by 1") == [("v1",), ("v2",)]
    assert rows(database, "select count(*) from ops.checkpoints") == [(0,)]


def test_a_missing_folder_is_named(here: Settings, database: str) -> None:
    with pytest.raises(SonikError, match=r"exports folder .* does not exist: pass --exports"):
        run(here, database)


def test_a_full_disk_is_named_and_nothing_is_half_written(here: Settings, database: str) -> None:
    write(here.exports, "directus/venues.ndjson", venue("A"))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (64, limits[1]))  # what a full disk does: the write fails half-way
    try:
        with pytest.raises(SonikError, match=r"cannot write the lake at .*; make room and run again"):
            run(here, database)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert not [p for p in Path(here.lake_uri).rglob("*") if p.is_file()]
    assert run(here, database).written == 1


def test_killed_in_the_middle_it_starts_again_and_nothing_is_doubled(here: Settings, database: str) -> None:
    people = [{**venue(f"V{n}"), "id": f"v{n}"} for n in range(60_000)]
    write(here.exports, "directus/venues.ndjson.gz", *people)
    code = (
        "import sys, psycopg; from dataclasses import replace; from pathlib import Path;"
        "from resources.settings import Settings; from sonik_assets.raw.extract import extract;"
        "from resources.sources.catalogue import TABLES;"
        "s = replace(Settings.from_env({}), exports=Path(sys.argv[2]), lake_uri=sys.argv[3]);"
        "print('go', flush=True); c = psycopg.connect(sys.argv[1]);"
        "extract(s, c, TABLES[0], (None, None), 'killed'); c.commit()"
    )
    for delay in (0.3, 0.8):
        command = [sys.executable, "-c", code, database, str(here.exports), here.lake_uri]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout
            child.stdout.readline()
            time.sleep(delay)
            child.kill()
    run(here, database)
    assert rows(database, "select count(*) from raw_directus.venues") == [(60_000,)]
    assert pl.read_parquet(f"{here.lake_uri}/**/*.parquet").height == 60_000
