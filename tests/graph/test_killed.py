"""The applier, FalkorDB and PostgreSQL die at any moment: what follows makes the graph as the tables are."""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from resources import embedded
from resources.embedded import postgres, redis
from resources.embedded.layout import Layout
from resources.settings import Settings
from resources.stores import falkordb
from sonik_assets.graph.sync import sync
from tests.graph.test_histories import assert_same
from tests.support.graph_history import History
from tests.support.unified import World

pytestmark = pytest.mark.long
ROUNDS = int(os.environ.get("SONIK_CRASHES", "12"))

# Small batches, so that most of its time goes by between two steps of the protocol.
APPLIER = """
import sys, time
from resources.stores import falkordb
from sonik_assets.graph.sync import sync
client = falkordb.connect(sys.argv[2])
print("ready", flush=True)
while True:
    sync(sys.argv[1], client, "operations", batch=3)
    time.sleep(0.005)
"""


@pytest.fixture
def home() -> Iterator[Settings]:
    folder = Path(tempfile.mkdtemp(prefix="sonik-test-"))
    settings = Settings.from_env({"SONIK_HOME": str(folder)})
    try:
        embedded.up(settings)
        yield settings
    finally:
        embedded.delete(settings)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("seed", [1, 2])
def test_whoever_is_killed_the_graph_ends_as_the_tables_are(home: Settings, seed: int) -> None:
    dice, layout = random.Random(seed), Layout(home.home)  # noqa: S311 - repeatable, not secret
    url = embedded.endpoints(home).postgres
    with psycopg.connect(url, autocommit=True) as pg:
        history = History(World(pg), seed)
    for number in range(ROUNDS):
        places = embedded.up(home)
        applier = subprocess.Popen([sys.executable, "-c", APPLIER, url, places.falkordb], stdout=subprocess.PIPE)
        assert applier.stdout is not None
        applier.stdout.readline()
        victim = ("applier", "falkordb", "postgres")[number % 3]
        pids = {"applier": applier.pid, "falkordb": redis.pid(layout), "postgres": postgres.pid(layout)}
        end = time.monotonic() + dice.uniform(0.05, 1.0)
        # The server may die in the middle of the history's own transaction.
        with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as pg:
            history.world.pg = pg
            while time.monotonic() < end:
                history.step()
            os.kill(pids[victim] or 0, signal.SIGKILL)
            history.step()
        applier.kill()
        applier.wait()
    places = embedded.up(home)
    client = falkordb.connect(places.falkordb)
    with psycopg.connect(url, autocommit=True) as pg:
        sync(url, client, "operations")
        assert_same(pg, client)
