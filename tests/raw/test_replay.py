"""Loading again without the source: the lake's days in any order, and dead letters that were repaired."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from resources.settings import Settings
from resources.sources import batches, contracts
from resources.sources.catalogue import table
from sonik_assets.raw import replay, state
from sonik_assets.raw.extract import extract
from sonik_assets.raw.load import Counts, load
from tests.support.exports import write
from tests.support.object_store import bucket, s3_server  # noqa: F401 - a fixture
from tests.support.webhooks import webhook

VENUES = table("directus.venues")
ROWS = "select record_id, payload, source_updated_at, deleted_at, partition_date from raw_directus.venues order by 1"


@pytest.fixture
def here(settings: Settings, tmp_path: Path) -> Settings:
    return replace(settings, exports=tmp_path / "exports", lake_uri=str(tmp_path / "lake"))


def venue(id: str, day: int, **more: object) -> dict:
    return {"id": id, "name": f"{id}{day}", "date_updated": f"2026-10-{day:02}T10:00:00Z", **more}


def read(here: Settings, connection: psycopg.Connection) -> list[tuple]:
    extract(here, connection, VENUES, (None, None), "live")
    return connection.execute(ROWS).fetchall()


def history(here: Settings, connection: psycopg.Connection) -> list[tuple]:
    write(here.exports, "directus/venues.ndjson", venue("a", 1), venue("b", 2), venue("c", 3), "broken")
    read(here, connection)
    write(here.exports, "directus/venues.ndjson", venue("a", 5), venue("b", 2))
    gone = {"op": "d", "ts_ms": 1_791_374_400_000, "before": {"id": "c"}, "after": None}
    write(here.exports, "debezium/sonik.public.venues.ndjson", gone)
    return read(here, connection)


def test_the_lake_alone_gives_the_same_rows_its_days_in_any_order(
    here: Settings, connection: psycopg.Connection
) -> None:
    before = history(here, connection)
    connection.execute("truncate raw_directus.venues")
    for day in (9, 5, 1, 3, 2, 7, 1):
        days = date(2026, 10, day), date(2026, 10, day)
        replay.lake_days(here, connection, VENUES, days, f"replay-{day}")
    assert connection.execute(ROWS).fetchall() == before
    assert replay.lake_days(here, connection, VENUES, (None, date.max), "again").written == 0
    assert replay.days_of(connection, VENUES, "replay-5") == [date(2026, 10, 5)]


def test_a_lake_in_a_bucket_is_written_once_and_replayed(
    here: Settings, connection: psycopg.Connection, s3: str
) -> None:
    there = replace(here, lake_uri=f"{bucket(s3)}/lake")
    before = history(there, connection)
    read(there, connection)
    connection.execute("truncate raw_directus.venues")
    counts = replay.lake_days(there, connection, VENUES, (None, date.max), "replay")
    assert connection.execute(ROWS).fetchall() == before
    assert counts.read == 6  # a1 b2 c3 broken, a5, and c gone: b2 was there


def test_a_repaired_letter_is_loaded_once_and_the_rest_waits(here: Settings, connection: psycopg.Connection) -> None:
    write(here.exports, "directus/venues.ndjson", venue("a", 1, latitude="north"), "broken", venue("b", 1))
    read(here, connection)
    [[id]] = connection.execute("select id::text from raw.dead_letters where reason like '%latitude%'").fetchall()
    mended = {id: json.dumps(venue("a", 1, latitude=19.4))}
    assert replay.letters(here, connection, "r", repaired=mended, ids=[UUID(id)]) == {
        "raw_directus.venues": Counts(read=1, written=1)
    }
    assert [row[0] for row in connection.execute(ROWS)] == ["a", "b"]
    assert state.data_version(connection, VENUES) == "r"
    assert replay.letters(here, connection, "r") == {"raw_directus.venues": Counts(rejected=1)}
    left = connection.execute("select count(*) from raw.dead_letters where replayed_at is null").fetchone()
    assert left == (1,)


def test_a_corrected_contract_lets_letters_through(
    here: Settings, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(here.exports, "directus/markets.ndjson", {"id": "1", "name": ["Lima"]})
    markets = table("directus.markets")
    extract(here, connection, markets, (None, None), "live")
    assert replay.letters(here, connection, "r1")["raw_directus.markets"].rejected == 1
    # Decoders are made once a table and process: a corrected contract comes with a new process.
    monkeypatch.setitem(contracts.CONTRACTS, markets.relation, contracts.Contract({"id": "any", "name": "any"}))
    from resources.sources import judgement

    judgement._decoders.cache_clear()
    assert replay.letters(here, connection, "r2")["raw_directus.markets"].written == 1
    judgement._decoders.cache_clear()


def test_a_newer_version_is_not_undone_by_a_late_repair(here: Settings, connection: psycopg.Connection) -> None:
    write(here.exports, "directus/venues.ndjson", venue("a", 1, name={"es": "x"}))
    read(here, connection)
    write(here.exports, "directus/venues.ndjson", venue("a", 4))
    before = read(here, connection)
    [[id]] = connection.execute("select id::text from raw.dead_letters").fetchall()
    replay.letters(here, connection, "r", repaired={id: json.dumps(venue("a", 1))}, ids=[UUID(id)])
    assert connection.execute(ROWS).fetchall() == before


def test_a_forged_webhook_gets_in_by_no_replay(here: Settings, connection: psycopg.Connection) -> None:
    there = replace(here, twenty_webhook_secret="key")  # noqa: S106
    write(there.exports, "landing/webhooks/twenty/a.ndjson", {"received_at": "2026-10-01T00:00:00Z", "body": "{}"})
    webhooks = table("twenty.webhooks")
    extract(there, connection, webhooks, (None, None), "live")
    assert replay.letters(there, connection, "r")["raw_twenty.webhooks"].rejected == 1
    assert replay.lake_days(there, connection, webhooks, (None, date.max), "r").written == 0


def test_a_signed_webhook_that_waited_for_its_secret_still_marks(
    here: Settings, connection: psycopg.Connection
) -> None:
    webhooks, id = table("twenty.webhooks"), "9d4cd55a-80b5-4e74-8658-33a6b3fae73d"
    write(here.exports, "landing/webhooks/twenty/a.ndjson", webhook(id, "key"))
    extract(replace(here, twenty_webhook_secret="wrong"), connection, webhooks, (None, None), "live")  # noqa: S106
    right = replace(here, twenty_webhook_secret="key")  # noqa: S106
    assert replay.letters(right, connection, "r")["raw_twenty.webhooks"].written == 1
    assert connection.execute("select record_id from ops.marks").fetchall() == [(id,)]


def undated(connection: psycopg.Connection) -> list[tuple]:
    query = "select record_id, payload ->> 'name', deleted_at is null from raw_directus.markets order by 1"
    return connection.execute(query).fetchall()


def test_a_replay_undoes_nothing_of_records_without_a_clock(here: Settings, connection: psycopg.Connection) -> None:
    markets = table("directus.markets")
    for name in ("A", "B", "A"):
        write(here.exports, "directus/markets.ndjson", {"id": "1", "name": name}, {"id": "2", "name": name})
        extract(here, connection, markets, (None, None), f"live-{name}")
    connection.execute("update raw_directus.markets set deleted_at = now() where record_id = '2'")
    connection.commit()
    before = undated(connection)
    replay.lake_days(here, connection, markets, (None, date.max), "replay")
    assert undated(connection) == before
    connection.execute("truncate raw_directus.markets")
    replay.lake_days(here, connection, markets, (None, date.max), "replay-2")
    assert undated(connection) == [("1", "A", True), ("2", "A", True)]  # what was read last


def test_a_late_letter_does_not_undo_a_record_without_a_clock(here: Settings, connection: psycopg.Connection) -> None:
    markets = table("directus.markets")
    write(here.exports, "directus/markets.ndjson", {"id": "1", "name": ["wrong"]})
    extract(here, connection, markets, (None, None), "r1")
    write(here.exports, "directus/markets.ndjson", {"id": "1", "name": "new"})
    extract(here, connection, markets, (None, None), "r2")
    [[id]] = connection.execute("select id::text from raw.dead_letters").fetchall()
    replay.letters(here, connection, "r3", repaired={id: '{"id": "1", "name": "old"}'})
    assert undated(connection) == [("1", "new", True)]


def test_files_of_the_first_lakes_are_older_than_any(here: Settings, connection: psycopg.Connection) -> None:
    markets = table("directus.markets")
    write(here.exports, "directus/markets.ndjson", {"id": "1", "name": "old"})
    extract(here, connection, markets, (None, None), "r1")
    [file] = Path(here.lake_uri).rglob("*.parquet")
    file.rename(file.with_name("f" * 32 + ".parquet"))
    write(here.exports, "directus/markets.ndjson", {"id": "1", "name": "new"})
    extract(here, connection, markets, (None, None), "r2")
    connection.execute("truncate raw_directus.markets")
    replay.lake_days(here, connection, markets, (None, date.max), "replay")
    assert undated(connection) == [("1", "new", True)]


def test_a_letter_that_postgresql_refuses_stays_one(here: Settings, connection: psycopg.Connection) -> None:
    write(here.exports, "directus/venues.ndjson", '{"id": "a", "address": 1e400000}')
    read(here, connection)
    assert replay.letters(here, connection, "r")["raw_directus.venues"].written == 0
    query = "select count(*) from raw.dead_letters where replayed_at is not null"
    assert connection.execute(query).fetchone() == (0,)


def test_a_replay_waits_for_an_extract_and_does_not_undo_it(
    here: Settings, connection: psycopg.Connection, database: str
) -> None:
    write(here.exports, "directus/venues.ndjson", venue("a", 2))
    read(here, connection)
    newer = batches.from_records([json.dumps(venue("a", 3)).encode()], VENUES, origin="page").rows
    with psycopg.connect(database) as other, ThreadPoolExecutor(1) as pool:
        load(other, VENUES, newer, "newer", Counts())
        waiting = pool.submit(replay.lake_days, here, connection, VENUES, (None, date.max), "replay")
        time.sleep(0.2)
        other.commit()
        assert waiting.result().written == 0
    assert connection.execute("select payload ->> 'name' from raw_directus.venues").fetchone() == ("a3",)
