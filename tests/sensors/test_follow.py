"""The condition of the stages over several ticks, on a chain that stands for ours: what is requested, and how often."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import dagster as dg
import pytest

from sonik_assets.automation import FOLLOW, WHOLE_RUN, follow, follow_hourly
from sonik_assets.definitions import build_defs
from sonik_assets.partitions import DAILY, FIRST_DAY

RAW, STAGING, UNIFIED, GRAPH, CACHE = (dg.AssetKey([name]) for name in ("raw", "staging", "unified", "graph", "cache"))
CHAIN = {STAGING, UNIFIED, GRAPH, CACHE}


@dataclass
class World:
    """raw (daily) -> staging -> unified (a blocking check) -> graph -> cache, and what each run does."""

    instance: dg.DagsterInstance
    version: str = "1"
    good: bool = True
    broken: set[str] = field(default_factory=set)
    cursor: Any = None

    def __post_init__(self) -> None:
        world = self

        @dg.asset(group_name="raw", partitions_def=DAILY, backfill_policy=dg.BackfillPolicy.single_run())
        def raw() -> dg.MaterializeResult[Any]:
            return dg.MaterializeResult(data_version=dg.DataVersion(world.version))

        def stage(name: str, upstream: str) -> dg.AssetsDefinition:
            @dg.asset(name=name, deps=[upstream], automation_condition=follow())
            def step() -> None:
                if name in world.broken:
                    raise RuntimeError(name)

            return step

        @dg.asset_check(asset="unified", blocking=True)
        def holds() -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=world.good)

        names = ("raw", "staging", "unified", "graph", "cache")
        stages = [stage(name, upstream) for upstream, name in pairwise(names)]
        everything = dg.define_asset_job("everything", selection=dg.AssetSelection.all(), tags=WHOLE_RUN)
        self.defs = dg.Definitions(
            [raw, *stages], asset_checks=[holds], jobs=[everything], executor=dg.in_process_executor
        )

    def run(self, *keys: dg.AssetKey) -> bool:
        tags = {f"dagster/asset_partition_range_{end}": FIRST_DAY for end in ("start", "end")} if RAW in keys else {}
        job = self.defs.resolve_implicit_global_asset_job_def()
        done = job.execute_in_process(
            instance=self.instance, asset_selection=list(keys), tags=tags, raise_on_error=False
        )
        return done.success

    def check(self) -> None:
        """Run the blocking check alone."""
        key = dg.AssetCheckKey(UNIFIED, "holds")
        selection = dg.AssetSelection.checks(key)
        job = dg.define_asset_job("check", selection=selection)
        dg.Definitions(self.defs.assets, asset_checks=self.defs.asset_checks, jobs=[job]).resolve_job_def(
            "check"
        ).execute_in_process(instance=self.instance)

    def tick(self) -> set[dg.AssetKey]:
        """Return what is requested at this tick."""
        result = dg.evaluate_automation_conditions(self.defs, self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        return {key for key in CHAIN if result.get_num_requested(key)}

    def new(self, version: str) -> None:
        self.version = version
        assert self.run(RAW)


@pytest.fixture
def world() -> Any:
    with dg.DagsterInstance.ephemeral() as instance:
        world = World(instance)
        assert world.run(RAW, *CHAIN)
        assert world.tick() == set()
        yield world


def test_nothing_changed_requests_nothing(world: World) -> None:
    world.new("1")
    assert [world.tick() for _ in range(3)] == [set()] * 3


def test_a_new_version_requests_the_chain_once_and_in_one_run(world: World) -> None:
    world.new("2")
    assert world.tick() == CHAIN
    assert world.run(*CHAIN)
    world.new("2")
    assert [world.tick() for _ in range(3)] == [set()] * 3


def test_a_change_between_a_request_and_the_next_tick_is_not_forgotten(world: World) -> None:
    world.new("2")
    assert world.tick() == CHAIN
    world.new("3")
    assert world.run(*CHAIN)
    assert world.tick() == CHAIN
    assert world.run(*CHAIN)
    assert [world.tick() for _ in range(2)] == [set()] * 2


def test_a_run_of_everything_leaves_nothing_to_do(world: World) -> None:
    world.version = "2"
    job = world.defs.resolve_job_def("everything")
    tags = {f"dagster/asset_partition_range_{end}": FIRST_DAY for end in ("start", "end")}
    assert job.execute_in_process(instance=world.instance, tags=tags).success
    assert [world.tick() for _ in range(2)] == [set()] * 2


def test_a_failed_blocking_check_withholds_until_it_passes(world: World) -> None:
    world.good = False
    world.new("2")
    assert world.tick() == CHAIN
    assert not world.run(*CHAIN)
    assert [world.tick() for _ in range(3)] == [set()] * 3
    world.good = True
    world.check()
    assert world.tick() == {GRAPH, CACHE}
    assert world.run(GRAPH, CACHE)
    assert [world.tick() for _ in range(2)] == [set()] * 2


def test_after_a_failed_check_a_change_reaches_what_was_withheld(world: World) -> None:
    world.good = False
    world.new("2")
    assert not world.run(*world.tick())
    assert world.tick() == set()
    world.good = True
    world.new("3")
    assert world.tick() == {STAGING, UNIFIED}
    assert world.run(STAGING, UNIFIED)
    assert world.tick() == {GRAPH, CACHE}
    assert world.run(GRAPH, CACHE)
    assert [world.tick() for _ in range(2)] == [set()] * 2


@pytest.mark.parametrize("seen_running", [False, True])
def test_a_failure_is_tried_again_exactly_once(world: World, *, seen_running: bool) -> None:
    world.broken = {"graph"}
    world.new("2")
    assert not world.run(*world.tick())
    assert world.tick() == {GRAPH, CACHE}
    if seen_running:
        run = start(world, GRAPH, CACHE)
        assert world.tick() == set()
        world.instance.report_run_failed(run)
    else:
        assert not world.run(GRAPH, CACHE)
    assert [world.tick() for _ in range(4)] == [set()] * 4
    world.broken = set()
    world.new("3")
    assert world.tick() == CHAIN
    assert world.run(*CHAIN)
    assert world.tick() == set()


def start(world: World, *keys: dg.AssetKey) -> dg.DagsterRun:
    """Return a run over the assets that has begun and goes on."""
    job = world.defs.resolve_implicit_global_asset_job_def()
    run = world.instance.create_run_for_job(job, asset_selection=frozenset(keys))
    world.instance.report_engine_event("begun", run)
    world.instance.handle_new_event(  # what a worker says first
        dg.EventLogEntry(
            error_info=None, level="info", user_message="", run_id=run.run_id, timestamp=0.0, job_name=run.job_name,
            dagster_event=dg.DagsterEvent(dg.DagsterEventType.RUN_START.value, run.job_name),
        )
    )  # fmt: skip
    return run


def test_every_asset_after_raw_follows_and_none_of_raw() -> None:
    graph = build_defs().resolve_asset_graph()
    following = {key for key in graph.get_all_asset_keys() if graph.get(key).automation_condition}
    made = {key for key in graph.get_all_asset_keys() if graph.get(key).is_materializable}
    apart = {dg.AssetKey(["graph", "repair"]), dg.AssetKey(["vectors", "upkeep"])}  # by hand, at night
    assert following == {key for key in made if not key.path[0].startswith("raw_")} - apart
    assert FOLLOW.asset_selection.resolve(graph) == following


def test_the_sensor_runs_from_the_start() -> None:
    assert FOLLOW.default_status == dg.DefaultSensorStatus.RUNNING


def test_an_analysis_takes_the_news_of_an_hour_together() -> None:
    made = 0

    @dg.asset
    def table() -> dg.MaterializeResult[Any]:
        return dg.MaterializeResult(data_version=dg.DataVersion(str(made)))

    @dg.asset(deps=[table], automation_condition=follow_hourly())
    def analysis() -> None: ...

    defs, cursor, asked = dg.Definitions([table, analysis]), None, []
    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([table, analysis], instance=instance)
        for hour, minute in ((8, 50), (8, 55), (9, 0), (9, 5), (9, 55), (10, 0), (11, 0)):
            if hour < 11:
                made += 1
                dg.materialize([table], instance=instance)
            moment = datetime(2026, 5, 1, hour, minute, 20, tzinfo=UTC)
            result = dg.evaluate_automation_conditions(defs, instance, cursor=cursor, evaluation_time=moment)
            cursor = result.cursor
            if result.total_requested:
                dg.materialize([analysis], instance=instance, selection=[analysis])
            asked.append(result.total_requested)
    assert asked == [0, 0, 1, 0, 0, 1, 0]
