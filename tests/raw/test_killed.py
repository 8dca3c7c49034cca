"""Kill -9 in the middle of a live extract, ten times: nothing is lost, nothing doubled, and it does not begin anew."""

import os
import random
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import psycopg

from resources.settings import Settings
from tests.support.directus_server import TOKEN, DirectusServer
from tests.support.extracting import extracting

RECORDS, KILLS = 3_000, 10


def test_killed_ten_times(settings: Settings, database: str, tmp_path: Path) -> None:
    chance = random.Random(20261121)  # noqa: S311
    with DirectusServer(limit_max=100) as server:
        server.before = lambda _: time.sleep(0.01)
        server.now = datetime.now(UTC)
        ids = [server.insert("artists", name=f"artist {n}", genres=[]) for n in range(RECORDS)]
        environment = {
            "DIRECTUS_URL": server.url,
            "DIRECTUS_TOKEN": TOKEN,
            "SONIK_HOME": str(settings.home),
            "SONIK_LAKE_URI": str(tmp_path / "lake"),
        }
        unfinished = 0
        with extracting(database, "directus.artists", environment) as process:
            for _ in range(KILLS):
                enough = len(server.requests) + chance.randint(1, RECORDS // 100)
                child = process.begin()
                while len(server.requests) < enough and not process.ended():
                    time.sleep(0.002)
                with suppress(ProcessLookupError):
                    os.kill(child, signal.SIGKILL)
                process.wait()
                unfinished += checkpoints(database)
                changed, gone = chance.sample(ids, 2)
                server.update("artists", changed, name="changed")
                server.delete("artists", gone)
                ids.remove(gone)
                ids.append(server.insert("artists", name="new", genres=[]))
            process.begin()
            assert process.wait()
        expected = sorted((id, row["name"]) for id, row in server.tables["artists"].rows.items())
    assert unfinished >= 3
    assert checkpoints(database) == 0
    with psycopg.connect(database) as connection:
        live = "select record_id, payload ->> 'name' from raw_directus.artists where deleted_at is null order by 1"
        assert connection.execute(live).fetchall() == expected
        kept = connection.execute("select record_id, payload from raw_directus.artists").fetchall()
    lake = pl.read_parquet(f"{tmp_path}/lake/**/*.parquet")
    assert {id for id, _ in kept} == set(lake["record_id"])


def checkpoints(database: str) -> int:
    with psycopg.connect(database) as connection:
        if connection.execute("select to_regclass('ops.checkpoints')").fetchone() == (None,):
            return 0
        return connection.execute("select count(*) from ops.checkpoints").fetchone()[0]
