"""Readers, one interface: each module offers what `Reader` says, and knows nothing of Dagster or the database.

`reader(settings, table)` chooses: a source whose URL is set is read live, any other from the exports.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Protocol

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
    from resources.sources import code, directus, exports, mongo, twenty

    if table.relation == "raw_sonik.code_modules":
        return code
    if table.source == "directus" and settings.directus_url:
        return directus
    if table.source == "twenty" and settings.twenty_url and table.name != "webhooks":
        return twenty
    if table.source == "mongo" and settings.mongo_url:
        return mongo
    return exports


def live(settings: Settings, table: SourceTable) -> bool:
    """Whether the table is read from its own system, which can be asked for ids and changes."""
    from resources.sources import code, exports

    return reader(settings, table) not in (code, exports)
