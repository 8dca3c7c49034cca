"""Versions of a LanceDB table: tagged by run, gone back to, and cleaned, so that erased rows leave the disk.

A tag keeps its version, and every row that was in it.
"""

import warnings
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from resources.errors import TerminalError

if TYPE_CHECKING:
    from lancedb.table import Table

RUN = "run-"
MOST_RUNS = 50
"""A change every half minute would leave thousands, and each look at a tag reads them all."""
KEPT = timedelta(days=7)
"""How long one can go back. Rows that were deleted are on disk as long."""


class Version(NamedTuple):
    """A version that a run left: `at` in UTC."""

    tag: str
    number: int
    at: datetime
    rows: int


def tag_run(table: "Table", run: str) -> None:
    """Tag the present version as what this run left; of all runs the latest MOST_RUNS keep their tags."""
    set_tag(table, f"{RUN}{run}")
    runs = {tag: at["version"] for tag, at in table.tags.list().items() if tag.startswith(RUN)}
    for tag in sorted(runs, key=lambda tag: -runs[tag])[MOST_RUNS:]:
        table.tags.delete(tag)


def set_tag(table: "Table", tag: str) -> None:
    """Have the tag on the present version."""
    if tag in table.tags.list():
        table.tags.update(tag, table.version)
    else:
        table.tags.create(tag, table.version)


def versions(table: "Table") -> list[Version]:
    """Return the versions that runs left, newest first."""
    known = {each["version"]: each for each in table.list_versions()}
    tagged = {tag: known.get(at["version"]) for tag, at in table.tags.list().items() if tag.startswith(RUN)}
    found = [_version(tag, each) for tag, each in tagged.items() if each]
    return sorted(found, key=lambda version: -version.number)


def go_back(table: "Table", tag: str) -> int:
    """Make the rows of a tagged version the present ones, as a new version; return how many.

    Raises TerminalError where there is no such tag.
    """
    found = table.tags.list().get(tag)
    if found is None:
        raise TerminalError(f"table {table.name} has no version {tag!r}: `sonik vectors versions` lists them")
    table.restore(found["version"])
    return int(table.count_rows())


def clean(table: "Table", older_than: timedelta = KEPT) -> int:
    """Remove versions older than that from the disk, with tags on them; return how many. The present one stays."""
    before = len(table.list_versions())
    horizon = datetime.now(UTC) - older_than
    known = {each["version"]: _at(each) for each in table.list_versions()}
    for tag, found in table.tags.list().items():
        if found["version"] != table.version and known.get(found["version"], horizon) <= horizon:
            table.tags.delete(tag)
    at_once = older_than == timedelta(0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*removes every version except the latest")  # as is meant
        # Files of a write under way look like leftovers: unverified ones are removed only when no writer can be.
        table.optimize(cleanup_older_than=older_than, delete_unverified=at_once)
    return before - len(table.list_versions())


def _version(tag: str, found: dict[str, Any]) -> Version:
    return Version(tag, found["version"], _at(found), int(found["metadata"]["total_rows"]))


def _at(version: dict[str, Any]) -> datetime:
    at: datetime = version["timestamp"]
    return at.astimezone(UTC)
