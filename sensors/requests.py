"""Turns touched days into run requests: one a contiguous range of days, for exactly the tables touched in it.

Here: ranges, run keys, clamping to partitions; pure. Not here: how anybody learns what was touched.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

import dagster as dg

from sonik_assets.partitions import FIRST_DAY

MOST_RUNS = 8
"""Of one tick. A run costs some ten seconds before it reads a thing; a few days more cost almost nothing."""

Touched = Mapping[str, Iterable[date]]
"""Relation, as "raw_directus.events" -> UTC days."""


def requests(touched: Touched, seen: Mapping[str, str], today: date) -> Iterator[dg.RunRequest]:
    """Yield the runs that read these days of these tables.

    `seen` says for each relation what the request answers: it makes the run key, so that the same change asked for
    twice is one run. Days after today are no partitions yet and left out; those before the first belong to it.
    Where that would be more than `MOST_RUNS`, as when a whole history arrives, one run reads all tables touched from
    the first day to the last.
    """
    together: dict[tuple[date, date], list[str]] = defaultdict(list)
    for relation, days in touched.items():
        for span in ranges(days, today):
            together[span].append(relation)
    if len(together) > MOST_RUNS:
        whole = min(first for first, _ in together), max(last for _, last in together)
        together = {whole: sorted({relation for relations in together.values() for relation in relations})}
    for (first, last), relations in sorted(together.items()):
        answered = {relation: seen[relation] for relation in sorted(relations)}
        text = json.dumps([str(first), str(last), answered])
        yield dg.RunRequest(
            run_key=hashlib.sha256(text.encode()).hexdigest()[:32],
            asset_selection=[dg.AssetKey(relation.split(".")) for relation in answered],
            tags={
                "dagster/asset_partition_range_start": str(first),
                "dagster/asset_partition_range_end": str(last),
            },
        )


def ranges(days: Iterable[date], today: date) -> list[tuple[date, date]]:
    """Return the contiguous ranges of partitions (first and last day, both included) that hold these days."""
    begin = date.fromisoformat(FIRST_DAY)
    found: list[tuple[date, date]] = []
    for day in sorted({max(day, begin) for day in days if day <= today}):
        if found and day == found[-1][1] + timedelta(days=1):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found
