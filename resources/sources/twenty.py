"""Reads Twenty CRM over its REST API: records by window, marked ones by id, all ids, touched days.

Here: what is asked, and how pages follow each other. Not here: what answers mean (twenty_answers.py), HTTP
(resources/http.py), webhooks (webhooks.py).

Pages are in the order of ids, which nothing changes. In the order of `updatedAt` Twenty's cursors repeat or skip rows
where many have one millisecond, as after an import: PostgreSQL keeps microseconds, its cursors do not. A record that
is touched while pages are read may be behind them already: what was touched since the read began is read once more,
and what then has a clock past the window's end is the next window's.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import batched

from resources import http
from resources.errors import TerminalError, TransientError
from resources.settings import Settings
from resources.sources import Request, Window, batches, twenty_answers
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable
from resources.sources.twenty_answers import Page

LIMIT = 200
"""Rows asked for in a page; Twenty may give fewer, so only its `hasNextPage` tells the end."""
BATCH_PAGES = 10
MARKED = 100
"""Ids in one filter: 45 characters each when encoded, and a URL should stay under 8 KiB."""
PER_MINUTE = 95
"""Of the 100 requests a minute that a workspace has by default."""
SKEW = timedelta(minutes=5)
"""How much the clocks of Twenty and of this machine may differ, and a commit may take."""
TOUCHED_DAYS = 5
EVEN_DELETED = "or(deletedAt[is]:NULL,deletedAt[is]:NOT_NULL)"
"""True of every record. Twenty hides soft-deleted ones unless the filter names `deletedAt`."""
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def read(
    settings: Settings, table: SourceTable, request: Request, *, client: http.Client | None = None
) -> Iterator[Batch]:
    """Yield the records of the window, then the marked ones; of a marked one that is gone, a tombstone.

    A record may come twice. Soft-deleted ones come with their `deletedAt`; of hard deletes only `ids` tells.
    """
    client = client or shared(settings)
    place = request.position or {"cursor": None, "began": _iso(datetime.now(UTC))}
    several = place["cursor"] is not None
    for pages in _batched(client, table, request.window, place["cursor"]):
        several = several or len(pages) > 1
        yield _batch(table, pages, place["began"])
    if several:
        start, end = request.window
        began = datetime.fromisoformat(place["began"]) - SKEW
        if end is None or began < end:
            for pages in _batched(client, table, (max(start, began) if start else began, end)):
                yield _batch(table, pages)
    yield from _marked(client, table, request.marked)


def ids(settings: Settings, table: SourceTable, *, client: http.Client | None = None) -> Iterator[list[str]]:
    """Yield the ids of all records, soft-deleted ones too.

    Costs as much as reading everything: 200 whole records a page at 95 pages a minute, 10 minutes for 190,000. A record
    made meanwhile may be missing: judge none that is younger than the call.
    """
    for page in _pages(client or shared(settings), table, f"and({EVEN_DELETED})"):
        yield twenty_answers.ids(page.records)


def touched(
    settings: Settings, table: SourceTable, since: datetime, *, client: http.Client | None = None
) -> list[date]:
    """Return the UTC days on which records were last touched since then, sorted.

    One record a day is asked for, at most 5 days; of more days all up to the last one are named.
    """
    client = client or shared(settings)
    days: list[date] = []
    while len(days) < TOUCHED_DAYS:
        day = _touched(client, table, since, "AscNullsFirst")
        if day is None:
            return days
        days.append(day)
        since = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    last = _touched(client, table, since, "DescNullsLast") or days[-1]
    return days + [days[-1] + timedelta(days=n) for n in range(1, (last - days[-1]).days + 1)]


def connect(
    settings: Settings,
    *,
    per_minute: float = PER_MINUTE,
    base_seconds: float = 2.0,
    sleep: Callable[[float], None] = time.sleep,
) -> http.Client:
    """Return a client of the Twenty that the settings name. Raises TerminalError where they lack something."""
    if not settings.twenty_url:
        raise TerminalError("TWENTY_URL is not set: set it to the address of Twenty")
    key = settings.twenty_api_key
    if not key:
        raise TerminalError("TWENTY_API_KEY is not set: set it to an API key of a role that may only read")
    headers = {"Authorization": f"Bearer {key}", "Accept-Encoding": "gzip"}
    return http.Client(
        "twenty", settings.twenty_url, headers, verdict=twenty_answers.judge(key), per_minute=per_minute,
        connections=1, base_seconds=base_seconds, sleep=sleep,
    )  # fmt: skip


@lru_cache(maxsize=4)
def shared(settings: Settings) -> http.Client:
    """Return this process's client: the limit is the workspace's, so all tables share one rate."""
    return connect(settings)


def _batched(
    client: http.Client, table: SourceTable, window: Window, cursor: str | None = None
) -> Iterator[tuple[Page, ...]]:
    """Yield the pages of the window after the cursor, some at a time."""
    condition = f"and({_within(*window)}{EVEN_DELETED})"
    return batched(_pages(client, table, condition, cursor), BATCH_PAGES)


def _batch(table: SourceTable, pages: Iterable[Page], began: str | None = None) -> Batch:
    """Return the pages as one batch. `began`: a killed read can go on after it, and must know since when it runs."""
    *_, last = pages
    position = {"cursor": last.following, "began": began} if began and last.following else None
    records = [record for page in pages for record in page.records]
    return batches.from_records(records, table, origin=_path(table), position=position)


def _pages(client: http.Client, table: SourceTable, condition: str, cursor: str | None = None) -> Iterator[Page]:
    """Yield the pages of what the condition names, after the cursor. A cursor that is refused: all of it, once again.

    Raises TransientError where Twenty refuses its own cursors.
    """
    restarted = False
    while True:
        try:
            page = _page(client, table, condition, cursor)
        except http.Refused as error:
            if not (cursor and twenty_answers.refuses_cursor(error)):
                raise
            if restarted:
                raise TransientError(f"twenty: {_path(table)}: it refuses its own cursors; try again later") from error
            cursor, restarted = None, True
            continue
        yield page
        if page.following is None:
            return
        cursor = page.following


def _page(client: http.Client, table: SourceTable, condition: str, cursor: str | None) -> Page:
    asked = {"order_by": "id[AscNullsFirst]", "limit": str(LIMIT), "depth": "0", "filter": condition}
    if cursor:
        asked["starting_after"] = cursor
    return client.get_as(twenty_answers.page(table.name, after=cursor), _path(table), asked)


def _marked(client: http.Client, table: SourceTable, marked: Iterable[str]) -> Iterator[Batch]:
    """Yield the marked records and tombstones. What is no UUID cannot be a record's id, and would be refused."""
    for some in batched(sorted({id for id in marked if _UUID.fullmatch(id)}), MARKED):
        asked_at = datetime.now(UTC)
        condition = f"and(id[in]:[{','.join(f'"{id}"' for id in some)}],{EVEN_DELETED})"
        records = [record for page in _pages(client, table, condition) for record in page.records]
        if records:
            yield batches.from_records(records, table, origin=_path(table))
        gone = sorted({id.lower() for id in some} - {id.lower() for id in twenty_answers.ids(records)})
        if gone:
            yield batches.tombstones(gone, [asked_at] * len(gone), origin=_path(table))


def _touched(client: http.Client, table: SourceTable, since: datetime, order: str) -> date | None:
    """Return the UTC day of the first record in the order of `updatedAt`, of those touched since then."""
    condition = f"and({_within(since, None, undated=False)}{EVEN_DELETED})"
    asked = {"order_by": f"updatedAt[{order}]", "limit": "1", "depth": "0", "filter": condition}
    return client.get_as(twenty_answers.day(table.name), _path(table), asked)


def _within(start: datetime | None, end: datetime | None, *, undated: bool = True) -> str:
    """Return the condition of a window, with a comma after it; a record without a clock is in every window."""
    bounds = [f'updatedAt[gte]:"{_iso(start)}"'] if start else []
    bounds += [f'updatedAt[lt]:"{_iso(end + timedelta(microseconds=999))}"'] if end else []
    if not bounds:
        return ""
    inside = bounds[0] if len(bounds) == 1 else f"and({','.join(bounds)})"
    return f"or(updatedAt[is]:NULL,{inside})," if undated else f"{inside},"


def _iso(at: datetime) -> str:
    """Return the time as Twenty writes it: whole milliseconds (so an end is rounded up before), UTC."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _path(table: SourceTable) -> str:
    return f"/rest/{table.name}"
