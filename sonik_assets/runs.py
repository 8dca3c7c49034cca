"""One run of the job `everything` in this process, over a range of days, told stage by stage.

What `sonik demo` and `sonik run` do. Dagster's daemon runs the same job for schedules and sensors.
"""

import os
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from resources.errors import TerminalError
from sonik_assets import run_processes

STAGES = ("raw", "staging", "identity", "unified", "marts", "graph", "vectors", "cache")
"""In the order of the data. An asset's group is its stage."""


@dataclass
class Outcome:
    """What a run did: `rows` and `seconds` by stage, check results, and what each asset said of itself."""

    run_id: str
    success: bool = False
    rows: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    checks: dict[str, bool] = field(default_factory=dict)
    metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    """Checks that found something to look at, and stop nothing."""

    @property
    def reasons(self) -> str:
        """The first failures in one line, and how many more there are."""
        more = f" (and {len(self.failures) - 3} more)" if len(self.failures) > 3 else ""
        return ("; ".join(self.failures[:3]) or "no step says why") + more

    def total(self, name: str) -> int:
        """Return the sum of a metadata value over all assets."""
        return sum(int(values.get(name, 0)) for values in self.metadata.values())


OnStep = Callable[[str, int, Outcome], None]
"""Called after each step of a stage: the stage, how many of its steps are still to come, what is known so far."""


def run(days: tuple[str, str], on_step: OnStep, *, instance: dg.DagsterInstance) -> Outcome:
    """Run everything from the first to the last day (UTC, both included) and return what happened.

    A failed step is in `failures`, and everything after it is skipped; this function does not raise for it.
    """
    # One write for all partitions of an asset: 90 days of 26 tables are 2,340 events.
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", "500")
    from sonik_assets.definitions import defs

    outcome = Outcome(run_id=str(uuid.uuid4()))
    job = defs.resolve_job_def("everything")
    groups = _groups(defs, {node.name for node in job.nodes})
    waiting = Counter(groups.values())

    def listen(entry: dg.EventLogEntry) -> None:
        if entry.dagster_event and _note(entry.dagster_event, outcome, groups):
            stage = groups[str(entry.dagster_event.step_key)]
            waiting[stage] -= 1
            on_step(stage, waiting[stage], outcome)

    run_processes.bury_dead(instance)
    instance.add_event_listener(outcome.run_id, listen)
    result = job.execute_in_process(
        instance=instance,
        run_id=outcome.run_id,
        raise_on_error=False,
        tags={
            "dagster/asset_partition_range_start": days[0],
            "dagster/asset_partition_range_end": days[1],
            **run_processes.tags(),
        },
        run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
    )
    outcome.success = result.success
    return outcome


def _groups(defs: dg.Definitions, steps: set[str]) -> dict[str, str]:
    """Return the stage of each of the job's steps, by the group of its assets."""
    stages = {}
    for asset in defs.resolve_asset_graph().assets_defs:
        if asset.is_executable and asset.keys and asset.node_def.name in steps:
            stages[asset.node_def.name] = asset.group_names_by_key[next(iter(asset.keys))]
    return stages


def _note(event: dg.DagsterEvent, outcome: Outcome, groups: dict[str, str]) -> bool:
    """Take what the event says; return whether it ends a step of a stage."""
    kind = event.event_type
    stage = groups.get(str(event.step_key), "")
    if kind == dg.DagsterEventType.ASSET_MATERIALIZATION and event.asset_key:
        name = event.asset_key.to_user_string()
        if name not in outcome.metadata:  # a range reports once a partition
            outcome.metadata[name] = _values(event)
            outcome.rows[stage] += int(outcome.metadata[name].get("rows_in", 0))
    elif kind == dg.DagsterEventType.ASSET_CHECK_EVALUATION:
        found = event.asset_check_evaluation_data
        name = f"{found.asset_key.to_user_string()}.{found.check_name}"
        if found.severity == dg.AssetCheckSeverity.WARN and not found.passed:
            outcome.warnings.append(name)
        outcome.checks[name] = found.passed or name in outcome.warnings
    elif kind == dg.DagsterEventType.STEP_FAILURE:
        outcome.failures.append(_reason(event))
    elif kind == dg.DagsterEventType.RUN_FAILURE and not outcome.failures:
        outcome.failures.append(_first_cause(event.job_failure_data.error) or event.message or "no event says why")
    elif kind == dg.DagsterEventType.STEP_SUCCESS and stage:
        outcome.seconds[stage] += (event.step_success_data.duration_ms or 0) / 1000
        return True
    return False


def _values(event: dg.DagsterEvent) -> dict[str, Any]:
    return {name: value.value for name, value in event.materialization.metadata.items()}


def _reason(event: dg.DagsterEvent) -> str:
    return f"{event.step_key}: {_first_cause(event.step_failure_data.error)}"


def _first_cause(error: SerializableErrorInfo | None) -> str:
    """Return what was wrong at the bottom of a chain of errors, in one line without the error's class."""
    while error and error.cause and error.cls_name not in ("TerminalError", "TransientError"):  # ours say it best
        error = error.cause
    text = " ".join((error.message if error else "").split())
    return (text.partition(": ")[2] or text)[:600]


def open_instance() -> dg.DagsterInstance:
    """Return the Dagster instance of this environment (`sonik env` names its variables)."""
    if not os.environ.get("DAGSTER_HOME"):
        raise TerminalError('DAGSTER_HOME is not set: use `sonik run`, or eval "$(sonik env)" first')
    instance = dg.DagsterInstance.get()
    # A run over 90 days logs 4,600 events; dagster-postgres opens a connection for each, unless told to keep one.
    instance.optimize_for_webserver(statement_timeout=0, pool_recycle=3600, max_overflow=8)
    return instance
