"""A run over the graphs is asked for when the log has something that they lack, and only then."""

from collections.abc import Callable, Iterator

import dagster as dg
import psycopg
import pytest
from falkordb import FalkorDB

from resources.embedded import Endpoints
from sensors.change_feed import change_feed
from sonik_assets.changes import slot
from sonik_assets.graph.sync import sync
from tests.support.stores import FixedStores
from tests.support.unified import World

OPERATIONS = dg.AssetKey(["graph", "operations"])


@pytest.fixture
def world(database: str) -> Iterator[World]:
    with psycopg.connect(database, autocommit=True) as connection:
        yield World(connection)


type Tick = Callable[..., list[dg.RunRequest | dg.SkipReason]]


@pytest.fixture
def tick(database: str, endpoints: Endpoints, falkordb: FalkorDB) -> Tick:
    stores = FixedStores(postgres_url=database, falkordb_url=endpoints.falkordb)

    def ask(
        instance: dg.DagsterInstance, definitions: dg.Definitions | None = None
    ) -> list[dg.RunRequest | dg.SkipReason]:
        context = dg.build_sensor_context(
            instance=instance,
            resources={"stores": stores},
            repository_def=definitions.get_repository_def() if definitions else None,
        )
        return list(change_feed(context))

    return ask


def reason(found: list[dg.RunRequest | dg.SkipReason]) -> str:
    (skip,) = found
    assert isinstance(skip, dg.SkipReason)
    return str(skip.skip_message)


def test_changes_ask_for_one_run_until_they_are_applied(
    world: World, falkordb: FalkorDB, database: str, tick: Tick
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert reason(tick(instance)) == "nothing new on the log"  # no graph yet: a run makes it
        sync(database, falkordb, "operations")
        assert reason(tick(instance)) == "nothing new on the log"
        world.entity("Person", "Ana")
        (first,), (again,) = tick(instance), tick(instance)
        assert isinstance(first, dg.RunRequest)
        assert isinstance(again, dg.RunRequest)
        assert first.asset_selection == [OPERATIONS]
        assert first.run_key == again.run_key  # dagster starts it once
        sync(database, falkordb, "operations")
        assert reason(tick(instance)) == "nothing new on the log"
        world.entity("Person", "Eva")
        (later,) = tick(instance)
        assert isinstance(later, dg.RunRequest)
        assert later.run_key != first.run_key


def test_it_waits_for_runs_and_for_invariants(world: World, falkordb: FalkorDB, database: str, tick: Tick) -> None:
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
            found = tick(instance, definitions)
            assert isinstance(found[0], dg.RunRequest) is good
            if not good:
                assert "held back: unified/entities:no_duplicates failed" in reason(found)
        run = instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
        assert "under way" in reason(tick(instance, definitions))
        instance.report_run_canceled(run)
        assert isinstance(tick(instance, definitions)[0], dg.RunRequest)


def test_a_graph_that_changes_cannot_help_is_asked_for_too(
    world: World, falkordb: FalkorDB, database: str, tick: Tick
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        sync(database, falkordb, "operations")
        slot.drop(world.pg)
        assert isinstance(tick(instance)[0], dg.RunRequest)
        sync(database, falkordb, "knowledge")  # makes the slot anew
        assert isinstance(tick(instance)[0], dg.RunRequest)
        sync(database, falkordb, "operations")
        assert reason(tick(instance)) == "nothing new on the log"
        falkordb.select_graph("operations").delete()
        assert isinstance(tick(instance)[0], dg.RunRequest)


def test_a_database_without_the_feed_is_no_error(tick: Tick) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert reason(tick(instance)) == "nothing new on the log"
