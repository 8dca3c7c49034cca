"""Readers, one interface: each module offers what `Reader` says, and knows nothing of Dagster or the database.

`reader(settings, table)` chooses: a source whose URL is set is read live, any other from the exports.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

from resources.settings import Settings
from resources.sources.catalogue import SourceTable

if TYPE_CHECKING:
    from resources.sources.batches import Batch, State

Window = tuple[datetime | None, datetime | None]
"""From (inclusive) to (exclusive), UTC; None is open."""


@dataclass(frozen=True)
class Request:
    """What is asked of a reader."""

    window: Window = (None, None)
    """Records whose clock is inside. A record without a clock is in every window. A reader may give more than that."""
    position: "State | None" = None
    """Where a read of the same window was killed: of its last batch that was kept."""
    bookmark: "State | None" = None
    """What the last finished read of this table left."""
    marked: Sequence[str] = ()
    """Ids that are read whatever their clock says."""


class Reader(Protocol):
    """How a source is read. All three raise TerminalError or TransientError, whose text names no secret."""

    def read(self, settings: Settings, table: SourceTable, request: Request) -> Iterator["Batch"]:
        """Yield the table's batches, in bounded memory."""

    def ids(self, settings: Settings, table: SourceTable) -> Iterator[list[str]]:
        """Yield the ids of all records that the source has now; NotImplementedError where it cannot tell."""

    def touched(self, settings: Settings, table: SourceTable, since: datetime) -> list[date]:
        """Return the UTC days of the records touched since then, cheaply: a superset where there are many."""


def reader(settings: Settings, table: SourceTable) -> Reader:
    """Return the module that reads the table."""
    return cast(Reader, import_module(f"resources.sources.{_module(settings, table)}"))


def live(settings: Settings, table: SourceTable) -> bool:
    """Whether the table is read from its own system, which can be asked for ids and changes."""
    return _module(settings, table) in ("directus", "twenty", "mongo")


def _module(settings: Settings, table: SourceTable) -> str:
    if table.relation == "raw_sonik.code_modules":
        return "code"
    if table.relation == "raw_twenty.webhooks":
        return "webhooks"
    urls = {"directus": settings.directus_url, "twenty": settings.twenty_url, "mongo": settings.mongo_url}
    return table.source if urls.get(table.source) else "exports"
