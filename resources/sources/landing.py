"""The scrapers' landing zone: which files are there, which have changed, which days they touch."""

import time
from datetime import date
from pathlib import Path

import polars as pl

from resources.errors import TerminalError
from resources.sources import exports
from resources.sources.catalogue import TABLES

SETTLE_SECONDS = 5.0
"""A file touched more recently may still be written: it is left for the next look."""

Listing = dict[str, str]
"""Path relative to the exports folder -> what identifies its content: size and modification time."""


def listing(folder: Path, *, now: float | None = None) -> Listing:
    """Return the settled files of the landing zone."""
    exports.check_folder(folder)
    latest = (time.time() if now is None else now) - SETTLE_SECONDS
    found = {}
    for path in sorted((folder / "landing").rglob("*.ndjson*")):
        stat = path.stat()
        if stat.st_mtime <= latest:
            found[str(path.relative_to(folder))] = f"{stat.st_size}:{stat.st_mtime_ns}"
    return found


def days(folder: Path, names: list[str]) -> tuple[date, date] | None:
    """Return the first and last UTC day that records of these files belong to; None where no file names one.

    A file that cannot be read names no day: the extract says what is wrong with it.
    """
    found: list[date] = []
    for name in names:
        try:
            found += _days(folder / name)
        except (TerminalError, OSError, pl.exceptions.ComputeError):
            continue
    return (min(found), max(found)) if found else None


def _days(path: Path) -> list[date]:
    clocks = sorted({clock for table in TABLES if table.source == "scraper" for clock in table.updated})
    from resources.sources.batches import first, instant

    day = instant(first([*clocks, "$.received_at"])).dt.date()
    lines = pl.scan_lines(path, name="payload")
    return [d for d in lines.select(day.unique()).collect().to_series().to_list() if d]
