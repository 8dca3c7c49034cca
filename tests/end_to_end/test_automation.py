"""A record changes in a source, and nobody does anything: the sensors' own requests bring it to every store."""

import gzip
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.automation_tick_evaluation_context import build_run_requests

from resources import embedded
from resources.dagster import Stores
from resources.sources.catalogue import TABLES
from sensors.directus import directus
from sonik_assets import runs
from sonik_assets.cli.servers import variables
from sonik_assets.definitions import build_defs
from tests.support.cutting import BROKEN
from tests.support.demos import Demo
from tests.support.directus_server import DirectusServer

NEW_NAME = "Salón que Cambió Solo"
VENUES = dg.AssetKey(["raw_directus", "venues"])
REACHED = {"staging/stg_directus__venues", "identity/entity_map", "unified/venues", "graph/operations", "cache/warm"}


class Platform:
    """The definitions over the demo's stores and Dagster's own storage, ticked and run in this process."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance, self.defs = instance, build_defs()
        self.following: Any = None
        self.watching: str | None = None

    def watch(self) -> list[dg.RunRequest]:
        """Tick the source's sensor."""
        context = dg.build_sensor_context(self.instance, self.watching, resources={"stores": Stores()})
        said: list[Any] = list(directus(context))  # type: ignore[call-overload]
        self.watching = context.cursor
        return [each for each in said if isinstance(each, dg.RunRequest)]

    def follow(self) -> list[dg.RunRequest]:
        """Tick the automation sensor; return the runs that Dagster makes of what it asks for."""
        result = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self.following)
        self.following = result.cursor
        graph = self.defs.resolve_asset_graph()
        return list(build_run_requests(list(result._requested_subsets), graph, {}, emit_backfills=True))

    def run(self, request: dg.RunRequest) -> None:
        job = self.defs.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(
            instance=self.instance,
            asset_selection=list(request.asset_selection or ()),
            tags=dict(request.tags),
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        )
        assert done.success


@pytest.fixture
def cms() -> Iterator[DirectusServer]:
    """Return a Directus with all collections, empty so far."""
    with DirectusServer() as server:
        for table in TABLES:
            if table.source == "directus":
                server.table(table.name)
        yield server


@pytest.fixture
def platform(second: Demo, cms: DirectusServer) -> Iterator[Platform]:
    """Return the platform over the demo's home, with Directus live; the environment is as before afterwards."""
    kept = dict(os.environ)
    dagster_postgres = embedded.endpoints(second.settings).dagster_postgres
    os.environ |= second.environment | variables(second.settings, dagster_postgres)
    os.environ |= {"DIRECTUS_URL": cms.url, "DIRECTUS_TOKEN": cms.token}
    try:
        with runs.open_instance() as instance:
            yield Platform(instance)
    finally:
        os.environ.clear()
        os.environ.update(kept)


def test_a_changed_record_reaches_every_store_by_itself(second: Demo, platform: Platform, cms: DirectusServer) -> None:
    record, entity = a_venue(second)
    row = record | {name: _time(record[name]) for name in ("date_created", "date_updated") if record.get(name)}
    cms.table("venues").rows[record["id"]] = row
    assert platform.watch() == []
    assert platform.follow() == []

    cms.now = datetime.now(UTC) - timedelta(seconds=5)
    cms.update("venues", record["id"], name=NEW_NAME)
    (read,) = platform.watch()
    assert read.asset_selection == [VENUES]
    platform.run(read)
    (follow,) = platform.follow()
    assert {key.to_user_string() for key in follow.asset_selection or ()} >= REACHED
    platform.run(follow)
    assert second.ask("select name from unified.entities where id = %s", entity) == [(NEW_NAME,)]
    assert second.graph("operations", f"MATCH (v:Venue {{id: '{entity}'}}) RETURN v.name") == [[NEW_NAME]]
    assert {row["id"]: row["name"] for row in second.vectors("entities", "id", "name")}[entity] == NEW_NAME

    before = second.downstream()
    assert [platform.watch(), platform.follow()] == [[], []]
    platform.run(read)
    assert platform.follow() == [], "what was read again without a change must start nothing"
    assert second.downstream() == before


def a_venue(demo: Demo) -> tuple[dict[str, Any], str]:
    """Return a venue's record in the CMS, untouched for a week, and its entity, of which few other records speak."""
    lines = gzip.decompress((demo.exports / "directus" / "venues.ndjson.gz").read_bytes()).decode().splitlines()
    whole = {row["id"]: row for row in map(json.loads, lines[: -len(BROKEN)])}
    ((record, entity),) = demo.ask(
        "select m.record_id, m.entity_id::text from identity.entity_map as m"
        " inner join raw_directus.venues as r on r.record_id = m.record_id"
        " where m.source = 'directus' and m.table_name = 'venues' and m.record_id = any(%s)"
        " and r.source_updated_at < %s"
        " order by (select count(*) from identity.entity_map as o where o.entity_id = m.entity_id), 2 desc limit 1",
        list(whole),
        datetime.now(UTC) - timedelta(days=9),
    )
    return whole[record], entity


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
