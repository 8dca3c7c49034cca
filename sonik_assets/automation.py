"""When the stages after raw run by themselves: one condition for all of them, and the sensor that evaluates it.

Here: what counts as a change, what holds it back, how often a failure is tried again. Not here: what a change is at a
source (`sensors/`), and the clock (`schedules.py`), which stays as the fallback.
"""

from typing import Any

import dagster as dg

WHOLE_RUN = {"sonik/whole_run": "true"}
"""Tag of runs that materialise all stages after what they read: nothing is left for automation to do after them."""

BY_HAND = dg.AssetSelection.assets(dg.AssetKey(["graph", "repair"]))
"""Only people ask for these."""

BY_CLOCK = dg.AssetSelection.assets(dg.AssetKey(["vectors", "upkeep"]))
"""What nothing follows from, at night."""

EVERY_HOUR = "0 * * * *"

_C = dg.AutomationCondition


def follow() -> dg.AutomationCondition[Any]:
    """Return the condition of every asset after raw.

    It asks for an asset when an upstream has a new data version, or is itself asked for in the same tick: one change
    is one run through all stages. A failed execution is tried once more, until the asset succeeds again. Both wait
    while the asset or an upstream is running, while an upstream has failed, and while a blocking check of an upstream
    has not passed.
    """
    news = (_upstream_changed() | _failed_for_the_first_time()).with_label("news")
    # Not simply "since it was requested": what came after the request, but before the next tick, would be forgotten.
    handled = ((_C.newly_requested() & ~news) | _C.initial_evaluation()).with_label("handled")
    waiting = news.since(handled).with_label("news_not_handled_yet")
    free = ~_C.any_deps_in_progress() & ~_C.in_progress()
    return (waiting & free & ~_upstream_failed() & _C.all_deps_blocking_checks_passed()).with_label("follow")


def follow_hourly() -> dg.AutomationCondition[Any]:
    """Return the condition of analyses: as `follow`, but at most once an hour, however often an upstream changes."""
    asked = _C.newly_requested() | _C.initial_evaluation()
    return (follow() & _C.cron_tick_passed(EVERY_HOUR).since(asked)).with_label("follow_hourly")


def _upstream_changed() -> dg.AutomationCondition[Any]:
    """Hold where an upstream has another data version than before, unless its run has passed it on itself."""
    passed_on = _C.executed_with_root_target() | _C.executed_with_tags(tag_values=WHOLE_RUN)
    elsewhere = (_C.data_version_changed() & ~passed_on).with_label("changed_elsewhere")
    return _C.any_deps_match(elsewhere | _C.will_be_requested()).with_label("upstream_changed")


def _failed_for_the_first_time() -> dg.AutomationCondition[Any]:
    """Hold once after the first failure since the asset was last materialised."""
    # Not `execution_failed().newly_true()`: a retry that a tick sees running, and that then fails, is newly true again.
    return _C.execution_failed().since(_C.newly_updated()).newly_true().with_label("failed_for_the_first_time")


def _upstream_failed() -> dg.AutomationCondition[Any]:
    """Hold while an upstream's last execution failed. Not one of raw: a source that is down holds back no other."""
    failed = _C.execution_failed() & ~_C.will_be_requested()
    return _C.any_deps_match(failed).ignore(dg.AssetSelection.groups("raw")).with_label("upstream_failed")


def version(context: dg.AssetExecutionContext, key: dg.AssetKey, *, changed: bool) -> dg.DataVersion:
    """Return the data version of what a step leaves: a new one where it changed anything, else the one before."""
    if not changed and (event := context.instance.get_latest_materialization_event(key)):
        before = ((event.asset_materialization and event.asset_materialization.tags) or {}).get("dagster/data_version")
        if before:
            return dg.DataVersion(before)
    return dg.DataVersion(context.run_id)


FOLLOW = dg.AutomationConditionSensorDefinition(
    "follow",
    target=dg.AssetSelection.all() - dg.AssetSelection.groups("raw") - BY_HAND - BY_CLOCK,
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="After a change in raw: one run through the stages that follow from it.",
)
"""Dagster's own are STOPPED unless told."""
