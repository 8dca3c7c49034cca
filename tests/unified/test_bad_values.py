"""Values that a source told and no column can hold, and sources that are read too seldom: dbt warns, nothing stops."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from resources import embedded
from resources.embedded.urls import with_database
from sonik_assets.raw import schema
from sonik_assets.unified import dbt

Dbt = Callable[..., dict[str, dict[str, Any]]]
EXTRACT = """
insert into raw.extracts (run_id, source, table_name, "window", started_at, finished_at, rows, complete)
values ('test', 'directus', %s, 'empty', now(), now() - make_interval(hours => %s), 0, true)
"""
VENUES = {
    "good": {"latitude": 6.2, "longitude": "-75.6", "capacity": 300},
    "empty": {"latitude": None, "longitude": " "},
    "off_the_globe": {"latitude": 6.2, "longitude": 756},
    "half_a_seat": {"latitude": 6.2, "longitude": -75.6, "capacity": 350.5},
    "archived": {"capacity": "many", "status": "archived"},
}


@pytest.fixture(scope="module")
def database(endpoints: embedded.Endpoints) -> Iterator[str]:
    with psycopg.connect(endpoints.postgres, autocommit=True) as server:
        server.execute("create database bad_values template template0")
        try:
            yield with_database(endpoints.postgres, "bad_values")
        finally:
            server.execute("drop database bad_values with (force)")


@pytest.fixture(scope="module")
def run(database: str, tmp_path_factory: pytest.TempPathFactory) -> Dbt:
    """Return what runs a command of dbt, which must end well, and gives its results by their name."""
    home = tmp_path_factory.mktemp("dbt")
    with psycopg.connect(database) as connection:
        schema.ensure(connection)
        for record, payload in VENUES.items():
            add(connection, "directus.venues", record, payload)
        add(connection, "directus.events", "e", {"name": "Noche", "price_min": "free", "price_max": "45.000,00"})
        add(connection, "mongo.tickets", "t", {"price": {"$numberDecimal": "12.5"}, "checkedInAt": {"$date": "soon"}})

    def run(*command: str, result: str, code: int = 0) -> dict[str, dict[str, Any]]:
        environment = {**os.environ, **dbt.by_hand(database, home)}
        done = subprocess.run([dbt.EXECUTABLE, *command], capture_output=True, text=True, check=False, env=environment)
        assert done.returncode == code, done.stdout
        results = json.loads((home / "dbt" / result).read_text())["results"]
        return {each["unique_id"]: each for each in results}

    return run


def add(connection: psycopg.Connection[Any], table: str, record: str, payload: dict[str, Any]) -> None:
    connection.execute(
        f"""insert into raw_{table} (
            record_id, payload, payload_hash, first_seen_at, changed_at, partition_date, run_id
        ) values (%s, %s, '', now(), now(), current_date, 'test')""",
        [record, json.dumps(payload)],
    )


def test_unreadable_values_are_named_and_stop_nothing(run: Dbt, database: str) -> None:
    select = ["stg_directus__venues", "stg_directus__events", "stg_directus__events_artists", "stg_mongo__tickets"]
    found = run("build", "--store-failures", "--select", *select, result="run_results.json")
    tests = {name.split(".")[2]: each for name, each in found.items() if name.startswith("test.")}
    assert {name: each["status"] for name, each in tests.items()} == {
        "every_value_of_directus_venues_is_read": "warn",
        "every_value_of_directus_events_is_read": "warn",
        "every_value_of_directus_events_artists_is_read": "pass",
        "every_value_of_mongo_tickets_is_read": "warn",
    }
    with psycopg.connect(database) as connection:
        failures = {
            (name.split("_")[4], *row)
            for name, each in tests.items()
            if each["status"] == "warn"
            for row in connection.execute(f"select record_id, field, told from {each['relation_name']}")
        }
    assert failures == {
        ("venues", "off_the_globe", "longitude", "756"),
        ("venues", "half_a_seat", "capacity", "350.5"),
        ("events", "e", "price_min", "free"),
        ("tickets", "t", "checked_in_at", '{"$date": "soon"}'),
    }


def test_a_source_is_as_fresh_as_it_was_last_read(run: Dbt, database: str) -> None:
    hours = {"venues": 1, "events": 30, "artists": 60}
    with psycopg.connect(database) as connection:
        for table, ago in hours.items():
            connection.execute(EXTRACT, [table, ago])
    select = [f"source:raw_directus.{table}" for table in hours]
    found = run("source", "freshness", "--select", *select, result="sources.json", code=1)
    assert {name.rsplit(".", 1)[-1]: each["status"] for name, each in found.items()} == {
        "venues": "pass",
        "events": "warn",
        "artists": "error",
    }
