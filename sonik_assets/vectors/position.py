"""How far a LanceDB table is, in the table itself: a tag that is named by the position and marks the version.

The table's files say so, whoever copied, restored or deleted them: PostgreSQL's own memory (`ops.store_acks`) is
compared with it.
"""

from typing import TYPE_CHECKING, NamedTuple

from resources.stores.lance_versions import set_tag
from sonik_assets.changes.lsn import Lsn

if TYPE_CHECKING:
    from lancedb.table import Table

_PREFIX = "position-"


class Place(NamedTuple):
    """The position, and whether nobody has written to the table since."""

    lsn: Lsn
    is_present: bool


def remember(table: "Table", lsn: Lsn) -> None:
    """Mark the present version as of this position; the mark of an older one goes after that."""
    tag = f"{_PREFIX}{str(lsn).replace('/', '-')}"
    set_tag(table, tag)
    for other in table.tags.list():
        if other.startswith(_PREFIX) and other != tag:
            table.tags.delete(other)


def place(table: "Table") -> Place | None:
    """Return how far the table is, None where nothing says so."""
    found = [
        Place(Lsn.parse(tag.removeprefix(_PREFIX).replace("-", "/")), marked["version"] == table.version)
        for tag, marked in table.tags.list().items()
        if tag.startswith(_PREFIX)
    ]
    # Two are there where remembering was cut short: the later one was set first.
    return max(found, default=None)
