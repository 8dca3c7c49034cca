"""Extracts of live sources on a real PostgreSQL: deletes, reconciliation and its guard, circuits, marks, drift."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from resources import http
from resources.dagster import Stores
from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.sources.catalogue import table
from sonik_assets.raw import assets, circuit, state
from sonik_assets.raw.extract import extract, reconcile
from tests.support.directus_server import TOKEN, DirectusServer
from tests.support.exports import write
from tests.support.faults import Answer
from tests.support.webhooks import webhook

ARTISTS = table("directus.artists")
ALL = (None, None)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[DirectusServer]:
    monkeypatch.setattr(http.time, "sleep", lambda _: None)
    with DirectusServer() as server:
        for n in range(10):
            server.insert("artists", name=f"artist {n}", genres=[])
        yield server


@pytest.fixture
def here(settings: Settings, server: DirectusServer, tmp_path: Path) -> Settings:
    return replace(
        settings,
        exports=tmp_path / "exports",
        lake_uri=str(tmp_path / "lake"),
        directus_url=server.url,
        directus_token=TOKEN,
    )


def live(connection: psycopg.Connection) -> list[str]:
    query = "select record_id from raw_directus.artists where deleted_at is null order by 1"
    return [row[0] for row in connection.execute(query)]


def ids(server: DirectusServer) -> list[str]:
    return sorted(server.tables["artists"].rows)


def vanish(server: DirectusServer, *gone: str) -> None:
    """Delete as a cascade in the database does: without a trace."""
    for id in gone:
        del server.tables["artists"].rows[id]


def test_a_delete_comes_by_the_log_and_a_silent_one_by_comparing(
    here: Settings, server: DirectusServer, connection: psycopg.Connection
) -> None:
    extract(here, connection, ARTISTS, ALL, "r1")
    server.delete("artists", ids(server)[0])
    extract(here, connection, ARTISTS, ALL, "r2")
    assert live(connection) == ids(server)
    vanish(server, ids(server)[0])
    assert extract(here, connection, ARTISTS, ALL, "r3").written == 0
    assert reconcile(here, connection, ARTISTS, "r4").gone == 1
    assert live(connection) == ids(server)
    assert reconcile(here, connection, ARTISTS, "r5").written == 0


def test_much_at_once_is_deleted_only_when_acknowledged(
    here: Settings, server: DirectusServer, connection: psycopg.Connection
) -> None:
    extract(here, connection, ARTISTS, ALL, "r1")
    before = live(connection)
    vanish(server, *ids(server)[:3])
    with pytest.raises(TerminalError, match=r"would delete 3 of 10 live rows .*--acknowledge"):
        reconcile(here, connection, ARTISTS, "r2")
    connection.rollback()
    assert live(connection) == before
    assert reconcile(here, connection, ARTISTS, "r3", acknowledged=True).gone == 3
    assert live(connection) == ids(server)


def test_what_was_wrongly_buried_comes_back_and_what_was_missed_is_read(
    here: Settings, server: DirectusServer, connection: psycopg.Connection
) -> None:
    extract(here, connection, ARTISTS, ALL, "r1")
    back, missed = ids(server)[:2]
    connection.execute("update raw_directus.artists set deleted_at = now() where record_id = %s", [back])
    connection.execute("delete from raw_directus.artists where record_id = %s", [missed])
    connection.commit()
    assert reconcile(here, connection, ARTISTS, "r2").written == 2
    assert live(connection) == ids(server)
    assert connection.execute("select count(*) from ops.marks").fetchone() == (0,)


def test_the_guard_and_the_comparison_are_not_for_files(here: Settings, connection: psycopg.Connection) -> None:
    with pytest.raises(TerminalError, match="is read from files"):
        reconcile(replace(here, directus_url=None), connection, ARTISTS, "r")


def test_a_source_that_keeps_failing_is_left_alone(
    here: Settings, server: DirectusServer, connection: psycopg.Connection
) -> None:
    for _ in range(circuit.THRESHOLD):
        server.fail(*[Answer(500)] * 3)
        with pytest.raises(TransientError, match="failed 3 times"):
            extract(here, connection, ARTISTS, ALL, "r")
    asked = len(server.requests)
    with pytest.raises(circuit.OpenCircuitError, match=r"directus is left alone until .* after 3 failures"):
        extract(here, connection, table("directus.venues"), ALL, "r")
    assert len(server.requests) == asked
    [state] = circuit.states(connection)
    assert (state["source"], state["failures"]) == ("directus", 3)
    connection.execute("update ops.circuits set open_until = now() - interval '1 second'")
    connection.commit()
    extract(here, connection, ARTISTS, ALL, "r")  # one may try, and it answers
    assert circuit.states(connection) == []


def test_a_full_lake_is_not_the_sources_fault(here: Settings, connection: psycopg.Connection, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TransientError):
        extract(replace(here, lake_uri=str(tmp_path / "file")), connection, ARTISTS, ALL, "r")
    assert circuit.states(connection) == []


def test_only_new_signed_webhooks_mark_records(here: Settings, connection: psycopg.Connection) -> None:
    there = replace(here, twenty_webhook_secret="key")  # noqa: S106
    one, two = "9d4cd55a-80b5-4e74-8658-33a6b3fae73d", "9d4cd55a-80b5-4e74-8658-33a6b3fae73e"
    write(there.exports, "landing/webhooks/twenty/a.ndjson", webhook(one, "key"), webhook(two, "other key"))
    webhooks = table("twenty.webhooks")
    assert extract(there, connection, webhooks, ALL, "r").rejected == 1
    assert connection.execute("select table_name, record_id from ops.marks").fetchall() == [("people", one)]
    connection.execute("delete from ops.marks")
    connection.commit()
    extract(there, connection, webhooks, ALL, "r")
    assert connection.execute("select count(*) from ops.marks").fetchone() == (0,)


def fail_halfway(here: Settings, connection: psycopg.Connection) -> None:
    """Read exports of which the second file cannot be read: what the first had is kept, with a checkpoint."""
    write(here.exports, "directus/artists.ndjson", {"id": "a", "name": "x"})
    (here.exports / "directus" / "artists.ndjson.gz").write_bytes(b"\x1f\x8bno gzip")
    with pytest.raises(TerminalError):
        extract(replace(here, directus_url=None), connection, ARTISTS, ALL, "r1")
    connection.rollback()


def test_another_readers_checkpoint_is_not_taken_for_ours(
    here: Settings, server: DirectusServer, connection: psycopg.Connection
) -> None:
    fail_halfway(here, connection)
    extract(here, connection, ARTISTS, ALL, "r2")  # live now
    assert set(ids(server)) <= set(live(connection))


def test_what_a_killed_extract_wrote_is_a_new_data_version(here: Settings, connection: psycopg.Connection) -> None:
    fail_halfway(here, connection)
    assert state.data_version(connection, ARTISTS).startswith("unfinished")


def test_what_the_log_and_the_export_write_in_other_forms_is_no_change(
    here: Settings, connection: psycopg.Connection
) -> None:
    exported, at = replace(here, directus_url=None), "2026-10-01T00:00:00.000Z"
    write(here.exports, "directus/venues.ndjson", {"id": "a", "name": "x", "capacity": 100, "date_updated": at})
    after = {"id": "a", "name": "x", "capacity": "100", "date_updated": at}
    change = {"op": "u", "ts_ms": 1_790_812_800_000, "before": None, "after": after}
    write(here.exports, "debezium/sonik.public.venues.ndjson", change)
    venues = table("directus.venues")
    extract(exported, connection, venues, ALL, "r1")
    assert extract(exported, connection, venues, ALL, "r2").written == 0


class Here(Stores):
    """The stores of a test: its database and its settings."""

    def settings(self) -> Settings:
        return GIVEN["settings"]

    def postgres(self) -> Any:
        return psycopg.connect(GIVEN["database"])


GIVEN: dict[str, Any] = {}


def materialise(here: Settings, database: str, **config: bool) -> tuple[dg.ExecuteInProcessResult, str]:
    GIVEN.update(settings=here, database=database)
    asset = assets.raw_asset(ARTISTS)
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize(
            [asset],
            instance=instance,
            partition_key="2026-11-01",
            resources={"stores": Here()},
            run_config=dg.RunConfig({"raw_directus__artists": assets.ExtractConfig(**config)}),
            raise_on_error=False,
        )
        said = "\n".join(str(entry) for entry in instance.all_logs(result.run_id))
    return result, said


def test_a_new_field_is_kept_told_and_only_a_warning(
    here: Settings, server: DirectusServer, database: str, connection: psycopg.Connection
) -> None:
    server.insert("artists", name="x", genres=[], novelty=1)
    result, _ = materialise(here, database)
    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert check.metadata["unknown_fields"].value == ["novelty"]
    assert connection.execute("select field from raw.drift").fetchall() == [("novelty",)]
    assert result.success


def test_the_data_version_changes_with_the_rows_only(here: Settings, server: DirectusServer, database: str) -> None:
    def version() -> str:
        [event] = materialise(here, database)[0].get_asset_materialization_events()
        return event.materialization.tags["dagster/data_version"]

    first = version()
    assert version() == first
    server.update("artists", ids(server)[0], name="new")
    assert version() != first


def test_a_run_reconciles_when_its_config_says_so(here: Settings, server: DirectusServer, database: str) -> None:
    materialise(here, database)
    vanish(server, ids(server)[0])
    result, _ = materialise(here, database, reconcile=True)
    [event] = result.get_asset_materialization_events()
    assert event.materialization.metadata["rows_reconciled_away"].value == 1


def test_no_secret_is_in_anything_that_a_run_says(here: Settings, server: DirectusServer, database: str) -> None:
    secrets = TOKEN, "key-of-twenty", "word-of-mongo"
    there = replace(
        here, twenty_api_key=secrets[1], twenty_webhook_secret=secrets[1], mongo_url=f"mongodb://u:{secrets[2]}@h/"
    )
    said = [materialise(there, database)[1]]
    server.fail(*[Answer(500)] * 9)
    said.append(materialise(there, database)[1])
    said.append(materialise(replace(there, directus_url="http://127.0.0.1:9"), database)[1])
    assert "STEP_FAILURE" in said[1]
    assert "STEP_FAILURE" in said[2]
    assert [secret for secret in secrets if any(secret in text for text in (*said, repr(there)))] == []
