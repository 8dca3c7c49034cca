"""Watches the scrapers' landing zone: new or changed files request one run over the days they touch."""

import hashlib
import json
from collections.abc import Iterator

import dagster as dg

from resources.dagster import Stores
from resources.errors import SonikError
from sonik_assets.jobs import EVERYTHING
from sonik_assets.partitions import DAILY, FIRST_DAY

CURSOR_VERSION = 1


@dg.sensor(
    job=EVERYTHING,
    name="landing_zone",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="New or changed scraper files: one run over the days they touch.",
)
def landing_zone(context: dg.SensorEvaluationContext, stores: Stores) -> Iterator[dg.RunRequest | dg.SkipReason]:
    """Compare the folder with the cursor; the cursor moves only with the request that covers the change."""
    from resources.sources import landing

    folder = stores.settings().exports
    try:
        present = landing.listing(folder)
    except SonikError as error:
        yield dg.SkipReason(str(error))
        return
    changed = [name for name, identity in present.items() if seen(context.cursor).get(name) != identity]
    if not changed:
        yield dg.SkipReason(f"nothing new under {folder / 'landing'} ({len(present)} files)")
        return
    touched = landing.days(folder, changed)
    if touched:
        yield request([f"{name}={present[name]}" for name in changed], *map(str, touched))
    context.update_cursor(json.dumps({"version": CURSOR_VERSION, "files": present}))


def seen(cursor: str | None) -> dict[str, str]:
    """Return the files that the cursor knows; one of another version knows none, so all are read again."""
    state = json.loads(cursor) if cursor else {}
    return dict(state["files"]) if state.get("version") == CURSOR_VERSION else {}


def request(identities: list[str], first: str, last: str) -> dg.RunRequest:
    """Return the run over these days. Its key is made of the files, so a repeated tick asks for nothing new."""
    key = hashlib.sha256("\n".join(identities).encode()).hexdigest()[:32]
    today = DAILY.get_last_partition_key() or last
    start, end = (min(max(day, FIRST_DAY), today) for day in (first, last))  # a clock far ahead is no partition
    return dg.RunRequest(
        run_key=key,
        tags={"dagster/asset_partition_range_start": start, "dagster/asset_partition_range_end": end},
    )
