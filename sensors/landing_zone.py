"""Watches the landing zone: new or changed files request the days and tables that their records belong to.

Here: which files are new, and what they touch. Not here: what a file is, and which table it feeds (`landing.py`).
"""

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime

import dagster as dg

from resources.dagster import Stores
from resources.errors import SonikError
from resources.settings import Settings
from resources.sources.catalogue import TABLES
from sensors.requests import requests

CURSOR_VERSION = 2
BUDGET_SECONDS = 40.0
"""Of the 60 that Dagster allows a tick. Files not looked into in time are looked into at the next tick."""
WEBHOOKS = "raw_twenty.webhooks"
_FED = [
    t.relation for t in TABLES if t.topics or t.source == "twenty" or any(f.startswith("landing/") for f in t.files)
]


@dg.sensor(
    name="landing_zone",
    asset_selection=dg.AssetSelection.assets(*(relation.split(".") for relation in _FED)),
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New or changed files of scrapers, webhooks and change logs: runs over the days and tables they touch.",
)
def landing_zone(
    context: dg.SensorEvaluationContext, stores: dg.ResourceParam[Stores]
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Compare the zone with the cursor; the cursor moves only with the requests that cover the change."""
    yield from tick(context, stores.settings())


def tick(
    context: dg.SensorEvaluationContext, settings: Settings, clock: Callable[[], float] = time.monotonic
) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Yield the requests of one tick, or why there is none."""
    from resources.sources import landing

    started = clock()
    try:
        present = landing.listing(settings)
        known = seen(context.cursor)
        changed = [name for name, identity in present.items() if known.get(name) != identity]
        if not changed:
            yield dg.SkipReason(f"nothing new in {landing.place(settings)} ({len(present)} files)")
            return
        found = _look_into(settings, changed, lambda: clock() - started < BUDGET_SECONDS)
    except SonikError as error:
        yield dg.SkipReason(str(error))
        return
    today = datetime.now(UTC).date()
    done = {name: present[name] for name in found.done}
    yield from requests(_on_a_day(found.touched, today), found.answers(done), today)
    kept = {name: identity for name, identity in known.items() if name in present}
    context.update_cursor(json.dumps({"version": CURSOR_VERSION, "files": kept | done}))


def seen(cursor: str | None) -> dict[str, str]:
    """Return the files that the cursor knows; one of another version knows none, so all are read again."""
    try:
        state = json.loads(cursor) if cursor else {}
        return dict(state["files"]) if state.get("version") == CURSOR_VERSION else {}
    except (ValueError, TypeError, KeyError, AttributeError):
        return {}


class _Found:
    """Which days of which tables the files touch, and which files those were."""

    def __init__(self) -> None:
        self.touched: dict[str, set[date]] = defaultdict(set)
        self.files: dict[str, list[str]] = defaultdict(list)
        self.done: list[str] = []

    def answers(self, identities: dict[str, str]) -> dict[str, str]:
        """Return for each table what stands for the versions of its files."""
        told = {
            relation: "\n".join(f"{n}={identities[n]}" for n in sorted(names)) for relation, names in self.files.items()
        }
        return {relation: hashlib.sha256(text.encode()).hexdigest() for relation, text in told.items()}


def _look_into(settings: Settings, names: list[str], in_time: Callable[[], bool]) -> _Found:
    """Look into the files, at least one, while there is time."""
    from resources.sources import landing

    found = _Found()
    for name in names:
        if found.done and not in_time():
            break
        found.done.append(name)
        for relation, days in landing.days(settings, [name]).items():
            for touched in (relation, *(_marked(settings, name) if relation == WEBHOOKS else ())):
                found.touched[touched].update(days)
                found.files[touched].append(name)
    return found


def _marked(settings: Settings, name: str) -> set[str]:
    """Return the tables whose records the webhooks of the file have read again, where they are read live at all."""
    import polars as pl

    from resources.sources import landing, webhooks

    if not settings.twenty_url:
        return set()
    rows = (frame.with_columns(reason=pl.lit(None, pl.String)) for frame in landing.records(settings, name))
    return {relation for frame in rows for relation, _ in webhooks.marks(frame, settings.twenty_webhook_secret)}


def _on_a_day(touched: dict[str, set[date]], today: date) -> dict[str, set[date]]:
    """Put what is on no day (a file that cannot be read) or on a later one on today: the extract says what is wrong."""
    return {relation: {min(day, today) for day in days} or {today} for relation, days in touched.items()}


def _digest(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogateescape")).hexdigest()
