"""Reads Directus over its REST API: records by window, ids, touched days, and what its activity log says was deleted.

Here: what is asked, and what the answers mean. Not here: how pages are put together (paging.py), HTTP (resources/http).
Three streams, one after the other, as `date_updated` is null until the first update and nulls sort differently on
each database: by `id` of those without a clock, by `date_created` of those never updated, by `date_updated`. A record
that is updated while it is read goes to the end of the last one. A killed read may go on days later: what was touched
since it began comes once more at its end.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from itertools import batched
from typing import Any

import msgspec

from resources import http
from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import Request, batches, directus_answers, paging
from resources.sources.batches import Batch, State
from resources.sources.catalogue import SourceTable

LIMIT, ID_LIMIT, SAFE_LIMIT = 1_000, 5_000, 100
"""Rows of a page: of records, of bare ids, and where Directus says that this is too many."""
NESTED = 10_000
"""Rows of a relation in one record; Directus does not compare this with its limit."""
BATCH_ROWS, BATCH_BYTES = 5_000, 32_000_000
MARKED = 1_000
"""Ids in one SEARCH, whose body may have 1 MB."""
LOOK_BACK = timedelta(hours=1)
"""Numbers of the activity log are given before the commit: younger entries may still appear before older ones."""
MARGIN = timedelta(minutes=5)
"""How much Directus' clock may differ from ours."""
TOUCHED_PAGES = 5

Filter = dict[str, Any]

_log = logging.getLogger(__name__)


def read(settings: Settings, table: SourceTable, request: Request) -> Iterator[Batch]:
    """Yield the records of the window, then the marked ones, then tombstones of what the activity log says is gone.

    A row may come twice. Tombstones are of the time since the bookmark, whatever the window.
    """
    with connect(settings) as client:
        yield from Collection(client, table).read(request)


def ids(settings: Settings, table: SourceTable) -> Iterator[list[str]]:
    """Yield the ids of all records, an id perhaps twice: what is in none of the lists is not in Directus."""
    with connect(settings) as client:
        yield from Collection(client, table).ids()


def touched(settings: Settings, table: SourceTable, since: datetime) -> list[date]:
    """Return the UTC days of the records touched since then, sorted; none of a collection without clocks."""
    with connect(settings) as client:
        return Collection(client, table).touched(since)


def connect(settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> http.Client:
    """Return a client of the Directus that the settings name. Raises TerminalError where they lack something."""
    if not settings.directus_url:
        raise TerminalError("DIRECTUS_URL is not set: set it to the address of Directus")
    if not settings.directus_token:
        raise TerminalError("DIRECTUS_TOKEN is not set: set it to the static token of a user that may only read")
    headers = {"Authorization": f"Bearer {settings.directus_token}", "Accept-Encoding": "gzip"}
    return http.Client(
        "directus", settings.directus_url, headers, verdict=directus_answers.verdict, connections=paging.AHEAD,
        sleep=sleep,
    )  # fmt: skip


class Collection:
    """One collection, asked through a client."""

    def __init__(self, client: http.Client, table: SourceTable) -> None:
        self._client, self._table = client, table
        self._path = f"/items/{table.name}"

    def read(self, request: Request) -> Iterator[Batch]:
        """See the module's `read`."""
        now = datetime.now(UTC)
        position = {"stream": 1, "began": _clock(now - MARGIN), **(request.position or {})}
        streams = self._streams(*request.window)[::-1]
        for number, stream in enumerate(streams, 1):
            if number >= position["stream"]:
                start = position.get("clock") if number == position["stream"] else None
                yield from self._records(stream, start, {"stream": number, "began": position["began"]})
        # What was touched since a killed read began may be behind it. No checkpoint within: who is killed here may come
        # back days later, and begins this part again.
        for stream in (each for each in streams if each[0] and request.position):
            for batch in self._records(stream, position["began"], {}):
                yield replace(batch, position={"stream": len(streams) + 1, "began": position["began"]})
        for some in batched(request.marked, self._limit(MARKED)):
            yield from self._marked(some)
        yield from self._deleted(request, now)

    def ids(self) -> Iterator[list[str]]:
        """See the module's `ids`."""
        listing = self._listing({}, None, "id")
        for rows, _ in paging.walk(listing, limit=self._limit(ID_LIMIT)):
            yield [str(directus_answers.edge(row).id) for row in rows]

    def touched(self, since: datetime) -> list[date]:
        """See the module's `touched`."""
        days = set[date]()
        for clock, condition in self._streams(since, None):
            if clock:
                days.update(self._days(clock, condition))
        return sorted(days)

    # -- records

    def _streams(self, start: datetime | None, end: datetime | None) -> list[tuple[str | None, Filter]]:
        """Return each stream's clock and condition.

        Without a `date_updated` nobody can tell what changed: all is read, whatever the window.
        """
        fields = directus_answers.keys(self._sample) if self._sample else frozenset()
        if "date_updated" not in fields:
            return [(None, {})]
        clocks = [name for name in self._table.updated if name in fields]
        never = [{name: {"_null": True}} for name in clocks]
        dated = [(name, _all([*never[:n], _within(name, start, end)])) for n, name in enumerate(clocks)]
        return [*dated, (None, _all(never))]

    @cached_property
    def _sample(self) -> msgspec.Raw | None:
        """Any record, which shows the fields that the token may read; None where there is no record."""
        return next(iter(self._rows({"limit": "1", "fields": "*"})), None)

    def _records(self, stream: tuple[str | None, Filter], start: str | None, place: State) -> Iterator[Batch]:
        clock, condition = stream
        fields = ",".join(("*", *self._table.relations))
        rows: list[bytes] = []
        listing = self._listing(condition, clock, fields)
        for page, last in paging.walk(listing, limit=self._limit(LIMIT), clock=start):
            rows += map(bytes, page)
            if len(rows) >= BATCH_ROWS or sum(map(len, rows)) >= BATCH_BYTES:
                yield replace(self._batch(rows, {**place, "clock": last.clock}), any_day=not condition)
                rows = []
        if rows:
            last_one = self._batch(rows, {**place, "stream": place.get("stream", 0) + 1})
            yield replace(last_one, any_day=not condition)

    def _batch(self, rows: Sequence[bytes], position: State | None) -> Batch:
        sent = directus_answers.keys(rows[0])
        for relation in self._table.relations:
            if (field := relation.partition(".")[0]) not in sent:
                # Directus leaves it out and says 200: taken as it is, it would empty what is known of the relation.
                raise TerminalError(
                    f"directus: {self._table.name} come without {field}: the role of DIRECTUS_TOKEN may not read the "
                    f"field {field}, or the collection behind it ({relation}): give it read access to both"
                )
        return batches.from_records(rows, self._table, origin=f"directus {self._path}", position=position)

    def _marked(self, marked: Sequence[str]) -> Iterator[Batch]:
        """Read records by id; what is not there is gone."""
        now, rows = datetime.now(UTC), [bytes(row) for row in self._by_id(marked)]
        if rows:
            yield self._batch(rows, None)
        found = {str(directus_answers.edge(row).id) for row in rows}
        gone = [id for id in marked if id not in found]
        if gone:
            yield batches.tombstones(gone, [now] * len(gone), origin=f"directus {self._path}")

    def _by_id(self, some: Sequence[str]) -> list[msgspec.Raw]:
        """Return those that are there. One that can be no key is not asked for: PostgreSQL fails on it, every time."""
        if self._sample is None or not (asked := directus_answers.like(self._sample, some)):
            return []
        fields = ["*", *self._table.relations]
        query = {"filter": {"id": {"_in": asked}}, "fields": fields, "limit": len(asked), "deep": self._whole}
        return directus_answers.rows(self._client.search(self._path, query))

    def _listing(self, condition: Filter, clock: str | None, fields: str) -> paging.Listing:
        sort = f"{clock},id" if clock else "id"

        def fetch(start: str | None, offset: int, limit: int) -> paging.Rows:
            later = {clock: {"_gte": start}} if clock and start else {}
            where = _all([each for each in (condition, later) if each])
            params = {"fields": fields, "sort": sort, "limit": str(limit), "offset": str(offset), **_where(where)}
            return self._rows({**params, "deep": _json(self._whole)} if self._whole else params)

        def key(row: msgspec.Raw) -> paging.Key:
            edge = directus_answers.edge(row)
            return paging.Key(getattr(edge, clock) if clock else None, edge.id)

        return paging.Listing(fetch, key, f"directus: {self._table.name}")

    @property
    def _whole(self) -> Filter:
        """Ask for all of a relation: what is nested is cut at 100 without a word, and -1 means QUERY_LIMIT_MAX."""
        return {relation.partition(".")[0]: {"_limit": NESTED} for relation in self._table.relations}

    def _rows(self, params: dict[str, str], path: str = "") -> list[msgspec.Raw]:
        return self._client.get_as(directus_answers.rows, path or self._path, params)

    def _limit(self, wanted: int) -> int:
        """Return how many rows to ask for: never -1, which gives as many as Directus likes and looks like all."""
        return max(2, min(wanted, self._most or wanted))

    @cached_property
    def _most(self) -> int:
        """The most rows of a page, 0: any number. Where the server does not tell, it is tried on a page of nothing."""
        try:
            told = self._client.get_as(directus_answers.most, "/server/info")
        except http.Refused:
            told = None
        if told is not None:
            return told
        try:
            self._rows({"limit": str(ID_LIMIT), "fields": "id", **_where({"id": {"_null": True}})})
        except http.Refused as error:
            if error.status != 400:
                raise
            return SAFE_LIMIT
        return 0

    # -- what was touched or deleted

    def _days(self, clock: str, condition: Filter) -> set[date]:
        days = set[date]()
        listing = self._listing(condition, clock, f"id,{clock}")
        for number, (rows, _) in enumerate(paging.walk(listing, limit=self._limit(LIMIT)), 1):
            days.update(_day(listing.key(row).clock) for row in rows)
            if number == TOUCHED_PAGES:
                params = {"fields": f"id,{clock}", "sort": f"-{clock}", "limit": "1", **_where(condition)}
                latest = max([*days, *(_day(listing.key(row).clock) for row in self._rows(params))])
                return {min(days) + timedelta(n) for n in range((latest - min(days)).days + 1)}
        return days

    def _deleted(self, request: Request, began: datetime) -> Iterator[Batch]:
        """Yield tombstones of the activity log: from the bookmark on, or from the window's start where there is none.

        A collection that keeps no activity, a cascade in the database, and a role that may only see its own activity
        leave no trace here: comparing all ids finds those.
        """
        try:
            settled = self._activity({"timestamp": {"_lt": _clock(began - LOOK_BACK)}}, sort="-id", limit=1)
            after = (request.bookmark or {}).get("activity")
            if after is None and (start := request.window[0]):
                since: Filter = {"timestamp": {"_gte": _clock(start)}}
            else:
                since = {"id": {"_gt": after or 0}}
            yield from self._tombstones(since)
        except http.Refused as error:
            if error.status != 403:
                raise
            _log.warning("%s; deletes are found only where all ids are compared", error)
            return
        if settled:
            yield Batch(batches.empty(), bookmark={"activity": max(settled[0].id, after or 0)})

    def _tombstones(self, since: Filter) -> Iterator[Batch]:
        of_ours: Filter = {"action": {"_eq": "delete"}, "collection": {"_eq": self._table.name}}
        limit, origin = self._limit(LIMIT), "directus /activity"
        while found := self._activity({**of_ours, **since}, sort="id", limit=limit):
            items, times = [each.item for each in found], [each.timestamp for each in found]
            yield batches.tombstones(items, times, origin=origin)
            if len(found) < limit:
                return
            since = {"id": {"_gt": found[-1].id}}

    def _activity(self, condition: Filter, *, sort: str, limit: int) -> list[directus_answers.Deleted]:
        params = {"fields": "id,item,timestamp", "sort": sort, "limit": str(limit), **_where(condition)}
        return [directus_answers.deleted(row) for row in self._rows(params, "/activity")]


def _within(clock: str, start: datetime | None, end: datetime | None) -> Filter:
    """Bound the clock; wider by up to a millisecond, as Directus shows no more of what PostgreSQL keeps."""
    bounds: Filter = {}
    if start:
        bounds["_gte"] = _clock(start)
    if end:
        bounds["_lt"] = _clock(end + timedelta(microseconds=999))
    return {clock: bounds or {"_nnull": True}}


def _clock(at: datetime) -> str:
    """Write a time as Directus does: UTC, milliseconds, Z; never '+00:00', whose plus sign is a trap."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").removesuffix("+00:00") + "Z"


def _day(clock: str | None) -> date:
    return date.fromisoformat((clock or "")[:10])


def _all(conditions: Sequence[Filter]) -> Filter:
    return conditions[0] if len(conditions) == 1 else {"_and": list(conditions)} if conditions else {}


def _where(condition: Filter) -> dict[str, str]:
    return {"filter": _json(condition)} if condition else {}


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()
