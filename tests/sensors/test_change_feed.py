"""A run over the graphs is asked for when the log has something that they lack, and only then."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
import psycopg
import pytest
from falkordb import FalkorDB

from resources.dagster import Stores
from sensors.change_feed import change_feed
from sonik_assets.graph.sync import sync
from tests.support.unified import World

OPERATIONS = dg.AssetKey(["graph", "operations"])


class FixedStores(Stores):
    """PostgreSQL at a given address."""

    postgres_url: str

    @contextmanager
    def postgres(self) -> Iterator[psycopg.Connection[Any]]:
        with psycopg.connect(self.postgres_url) as connection:
            yield connection


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield World(connection)


def tick(
    database: str, instance: dg.DagsterInstance, definitions: dg.Definitions | None = None
) -> list[dg.RunRequest | dg.SkipReason]:
    context = dg.build_sensor_context(
        instance=instance,
        resources={"stores": FixedStores(postgres_url=database)},
        repository_def=definitions.get_repository_def() if definitions else None,
    )
    return list(change_feed(context))


def reason(found: list[dg.RunRequest | dg.SkipReason]) -> str:
    (skip,) = found
    assert isinstance(skip, dg.SkipReason)
    return str(skip.skip_message)


def test_changes_ask_for_one_run_until_they_are_applied(world: World, falkordb: FalkorDB, database: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert reason(tick(database, instance)) == "nothing new on the log"  # no graph yet: a run makes it
        sync(database, falkordb, "operations")
        assert reason(tick(database, instance)) == "nothing new on the log"
        world.entity("Person", "Ana")
        (first,), (again,) = tick(database, instance), tick(database, instance)
        assert isinstance(first, dg.RunRequest)
        assert isinstance(again, dg.RunRequest)
        assert first.asset_selection == [OPERATIONS]
        assert first.run_key == again.run_key  # dagster starts it once
        sync(database, falkordb, "operations")
        assert reason(tick(database, instance)) == "nothing new on the log"
        world.entity("Person", "Eva")
        (later,) = tick(database, instance)
        assert isinstance(later, dg.RunRequest)
        assert later.run_key != first.run_key


def test_it_waits_for_runs_and_for_invariants(world: World, falkordb: FalkorDB, database: str) -> None:
    @dg.asset(key=["unified", "entities"], group_name="unified")
    def entities() -> None:
        pass

    @dg.asset_check(asset=entities, blocking=True)
    def no_duplicates() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=good)

    definitions = dg.Definitions([entities], asset_checks=[no_duplicates], executor=dg.in_process_executor)
    job = definitions.resolve_implicit_global_asset_job_def()
    sync(database, falkordb, "operations")
    world.entity("Person", "Ana")
    with dg.DagsterInstance.ephemeral() as instance:
        for good in (False, True):
            job.execute_in_process(instance=instance, raise_on_error=False)
            found = tick(database, instance, definitions)
            assert isinstance(found[0], dg.RunRequest) is good
            if not good:
                assert "held back: unified/entities:no_duplicates failed" in reason(found)
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert "under way" in reason(tick(database, instance, definitions))
        instance.report_run_canceled(run)
        assert isinstance(tick(database, instance, definitions)[0], dg.RunRequest)


def test_a_database_without_the_feed_is_no_error(database: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert reason(tick(database, instance)) == "nothing new on the log"
