"""The landing zone, a folder or a bucket: scrapers' feeds, webhooks and change logs, whoever drops them there.

Here: which file feeds which table, what has changed, and the batches of a feed; one bad file never stops the others.
Not here: how bytes become lines (`lines.py`) and what a change envelope means (`debezium.py`).
"""

import hashlib
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache

import msgspec
import polars as pl

from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import Request, batches, debezium, lines
from resources.sources.batches import Batch
from resources.sources.catalogue import TABLES, TOPICS, SourceTable, table
from resources.stores.objects import Found, Objects

MOST_BYTES = 32 << 20
"""Bytes of lines that make a batch, however few they are."""
SETTLE_SECONDS = 5.0
"""A file of a folder touched more recently may still be written: it is left for the next look."""
FOLDER = "landing/"
"""Where feeds and webhooks are in a folder of exports. A landing zone of its own has them at its root."""
_ENDING = r"\.(?:ndjson|jsonl|json)(?:\.gz|\.zst)?"
_WRAPPING = frozenset(("json", "pairedItem", "binary"))
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_items = msgspec.json.Decoder(list[msgspec.Raw])

Listing = dict[str, str]
"""Path below the zone -> what identifies its content, "size:checksum"."""


@dataclass(frozen=True)
class Zone:
    """Where the files are, and below which folder the feeds."""

    objects: Objects
    feeds: str

    def files(self, table: SourceTable) -> list[Found]:
        """Return the table's own files, by path."""
        if not feeds(table):
            return []
        folder = table.files[0].removeprefix(FOLDER).partition("*")[0]
        return [f for f in self.objects.list(self.feeds + folder.rstrip("/")) if self.table_of(f.path) == table]

    def logs(self, table: SourceTable) -> list[Found]:
        """Return the files of the table's Debezium topics, by path."""
        listed = self.objects.list("debezium") if table.topics else []
        return [f for f in listed if self.table_of(f.path) == table]

    def table_of(self, path: str) -> SourceTable | None:
        """Return the table that a file feeds or changes; None of a file that is no one's."""
        if path.startswith("debezium/"):
            named = [topic for topic in TOPICS if _of_topic(topic).fullmatch(path)]
            return table(TOPICS[max(named, key=len)]) if named else None
        inside = FOLDER + path.removeprefix(self.feeds) if path.startswith(self.feeds) else path
        return next((t for t in TABLES if feeds(t) and _of_feed(t.files[0]).fullmatch(inside)), None)

    def frames(self, found: Found, *, skip: int = 0) -> Iterator[pl.DataFrame]:
        """Yield the file's records (row, payload, origin); raise UnreadableError after the good ones."""
        with self.objects.open(found.path) as file:
            growing = not self.is_settled(found, time.time())
            for frame in lines.frames(file, found.path, skip=skip, growing=growing):
                yield unwrapped(frame).with_columns(origin=pl.format("{}:{}", pl.lit(found.path), pl.col("row") + 1))

    def is_settled(self, found: Found, now: float) -> bool:
        """Whether nobody writes the file any more. What a bucket shows is whole."""
        return self.objects.remote or abs(now - found.modified.timestamp()) > SETTLE_SECONDS

    def dead_letter(self, found: Found, error: Exception) -> pl.DataFrame:
        """Return the row that stands for a file that cannot be read, or not to its end; a new version is a new letter.

        Raises the error where it is not the file's: a bucket that shows its files and does not give them.
        """
        if isinstance(error, TerminalError) and self.objects.remote and not _is_gone(error):
            raise error
        reason = f"cannot read file: {error}; the lines before that were taken: write it again, whole"
        shown = f"{found.path} ({found.size} bytes, {found.modified:%Y-%m-%dT%H:%M:%SZ})"
        return batches.rejected(shown, reason=reason, origin=found.path)


def zone(settings: Settings) -> Zone:
    """Return the landing zone of its own, or else the one inside the exports; TerminalError where that is missing."""
    if settings.landing_uri:
        return Zone(Objects(settings.landing_uri, called="the landing zone"), "")
    from resources.sources.exports import check_folder

    check_folder(settings.exports)
    return Zone(Objects(str(settings.exports), called="the exports"), FOLDER)


def feeds(table: SourceTable) -> bool:
    """Whether the table's own files are in the landing zone."""
    return any(pattern.startswith(FOLDER) for pattern in table.files)


def place(settings: Settings) -> str:
    """Return where the zone is, as people may see it."""
    return Objects(settings.landing_uri).shown if settings.landing_uri else str(settings.exports / FOLDER)


def listing(settings: Settings, *, now: float | None = None) -> Listing:
    """Return the settled files that feed or change a table. Raises TerminalError or TransientError."""
    here, at = zone(settings), time.time() if now is None else now
    found = [*here.objects.list(here.feeds.rstrip("/")), *(here.objects.list("debezium") if here.feeds else ())]
    wanted = (f for f in found if here.table_of(f.path) and here.is_settled(f, at))
    return {f.path: f"{f.size}:{here.objects.checksum(f)}" for f in wanted}


def days(settings: Settings, names: list[str]) -> dict[str, list[date]]:
    """Return the UTC days that the records of these files belong to, by relation.

    What cannot be read names no day: the extract says what is wrong with it.
    """
    here = zone(settings)
    touched: dict[str, set[date]] = {}
    for name in names:
        if source := here.table_of(name):
            days_here = touched.setdefault(source.relation, set())
            for batch in _batches(here, name, source):
                clock = batch.rows["source_updated_at"].dt.date().unique().drop_nulls()
                days_here.update(clock.to_list())
    return {relation: sorted(found) for relation, found in touched.items()}


def _batches(here: Zone, name: str, source: SourceTable) -> Iterator[Batch]:
    # Its time does not matter here: whoever asks for these days has seen that the file is settled.
    frames = _good(here, Found(name, 0, datetime.now(UTC) - timedelta(days=1), ""))
    if name.startswith("debezium/"):
        yield from debezium.batches_of(frames, source)
    else:
        yield from (batches.from_lines(frame, source) for frame in frames)


def records(settings: Settings, name: str) -> Iterator[pl.DataFrame]:
    """Yield the good records of one file (payload, origin), unwrapped."""
    past = datetime.now(UTC) - timedelta(days=1)
    yield from (f.select("payload", "origin") for f in _good(zone(settings), Found(name, 0, past, "")))


def _good(here: Zone, found: Found) -> Iterator[pl.DataFrame]:
    try:
        yield from here.frames(found)
    except (lines.UnreadableError, TerminalError):
        return


def read(settings: Settings, table: SourceTable, request: Request) -> Iterator[Batch]:
    """Yield the feed's batches, its files by path. Small files share a batch.

    The position is how far of which files: files finished, lines of the next, a digest of what these files were.
    """
    here = zone(settings)
    found = here.files(table)
    first, skip = resume(request.position, found)
    gathered = _Gathered(table)
    for index, one in enumerate(found[first:], first):
        row = skip if index == first else 0
        try:
            for frame in here.frames(one, skip=row):
                row = int(frame["row"][-1]) + 1 if frame.height else row
                gathered.add(frame)
                if gathered.full:
                    yield gathered.batch(position(found, index, row))
        except (lines.UnreadableError, TerminalError) as error:
            gathered.letters.append(here.dead_letter(one, error))
    if not gathered.is_empty:
        yield gathered.batch(position(found, len(found), 0))


def changes(settings: Settings, table: SourceTable) -> Iterator[Batch]:
    """Yield the changes that the table's Debezium topics have in the zone, in the order of their source."""
    if not table.topics:
        return
    here, letters = zone(settings), list[pl.DataFrame]()

    def frames() -> Iterator[pl.DataFrame]:
        for one in here.logs(table):
            try:
                yield from here.frames(one)
            except (lines.UnreadableError, TerminalError) as error:
                letters.append(here.dead_letter(one, error))

    # Of every day: a change carries some of its record's fields, so one that is left out would be missed by the next.
    yield from (replace(batch, any_day=True) for batch in debezium.batches_of(frames(), table))
    if letters:
        yield Batch(pl.concat(letters))


def unwrapped(frame: pl.DataFrame) -> pl.DataFrame:
    """Return the lines with each item that n8n has wrapped as {"json": {..}} as it was, and lists of items apart."""
    odd = frame["payload"].str.contains(r'^\s*\[|"json"')
    if not odd.any():
        return frame
    whole = [[text] if not is_odd else _items_of(text) for text, is_odd in zip(frame["payload"], odd, strict=True)]
    return frame.with_columns(payload=pl.Series(whole, dtype=pl.List(pl.String))).explode("payload")


def _items_of(text: str) -> list[str]:
    try:
        if text.lstrip().startswith("["):
            return [_bare(bytes(item).decode()) for item in _items.decode(text)] or [text]
        return [_bare(text)]
    except msgspec.DecodeError:
        return [text]


def _bare(text: str) -> str:
    fields = _fields.decode(text) if text.lstrip().startswith("{") else {}
    inner = fields.get("json")
    return bytes(inner).decode() if inner and fields.keys() <= _WRAPPING and bytes(inner)[:1] == b"{" else text


class _Gathered:
    """Lines of several files until they are a batch."""

    def __init__(self, table: SourceTable) -> None:
        self._table = table
        self._begin()

    def _begin(self) -> None:
        self.lines: list[pl.DataFrame] = []
        self.letters: list[pl.DataFrame] = []
        self._rows, self._bytes = 0, 0

    def add(self, frame: pl.DataFrame) -> None:
        """Take some lines."""
        self.lines.append(frame)
        self._rows, self._bytes = self._rows + frame.height, self._bytes + int(frame.estimated_size())

    @property
    def full(self) -> bool:
        return self._rows >= lines.BATCH_ROWS or self._bytes >= MOST_BYTES

    @property
    def is_empty(self) -> bool:
        return not any(frame.height for frame in (*self.lines, *self.letters))

    def batch(self, position: batches.State) -> Batch:
        """Return what was gathered, and begin anew."""
        frame = pl.concat(self.lines).select("payload", "origin") if self.lines else _NO_LINES
        batch = batches.from_lines(frame, self._table)
        rows = pl.concat([batch.rows, *self.letters])
        self._begin()
        # Apify's own fields (#debug, #error) are no drift.
        known = frozenset(name for name in batch.unknown if not name.startswith("#"))
        return replace(batch, rows=rows, position=position, unknown=known)


_NO_LINES = pl.DataFrame(schema={"payload": pl.String, "origin": pl.String})


def position(found: list[Found], index: int, line: int) -> batches.State:
    """Return the place of a reader that goes on with this line of this file."""
    return {"files": index, "line": line, "digest": _digest(found[: index + 1 if line else index])}


def resume(position: batches.State | None, found: list[Found]) -> tuple[int, int]:
    """Return the file and the line to go on with; the beginning where the files are not what they were."""
    if not position:
        return 0, 0
    index, line = int(position["files"]), int(position["line"])
    seen = found[: index + 1 if line else index]
    return (index, line) if _digest(seen) == position["digest"] else (0, 0)


def _digest(found: list[Found]) -> str:
    """Return what stands for these versions of these files."""
    told = "\n".join(f"{f.path}|{f.size}|{f.version}" for f in found)
    return hashlib.sha256(told.encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _is_gone(error: TerminalError) -> bool:
    return isinstance(error.__cause__, FileNotFoundError)


@cache
def _of_feed(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern.removesuffix(".ndjson")).replace(r"\*", "[^/]*") + _ENDING)


@cache
def _of_topic(topic: str) -> re.Pattern[str]:
    """Match the topic's files: `<topic>.ndjson` and its parts, but not another topic whose name begins alike."""
    return re.compile(f"debezium/{re.escape(topic)}(?:(?:[^A-Za-z0-9_/]|_[0-9])[^/]*?)?{_ENDING}")
