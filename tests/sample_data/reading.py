"""Reading the committed sample as its tests need it: rows of a table with their reference, and the truth.

Here: files to rows. Not here: any claim about them.
"""

import gzip
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

SAMPLE = Path(__file__).parents[2] / "sample_data"
EXPORTS = ("directus", "twenty", "mongo", "landing", "debezium", "agent", "claims.ndjson", "places.ndjson.gz")
Row = dict[str, Any]


def files(root: Path = SAMPLE) -> list[Path]:
    """Return the export files, the truth left out."""
    found = (path for name in EXPORTS for path in [root / name, *(root / name).rglob("*")] if path.is_file())
    return sorted(set(found))


def lines(path: Path) -> Iterator[str]:
    """Return the lines of a file, compressed or not."""
    with gzip.open(path, "rt", encoding="utf-8") if path.suffix == ".gz" else path.open(encoding="utf-8") as file:
        yield from file


def parsed(path: Path) -> Iterator[Row]:
    """Return the rows of a file that are JSON objects."""
    for line in lines(path):
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(row, dict):
            yield row


@cache
def table(name: str) -> list[Row]:
    """Return the rows of `source/table`, each with its `_ref`, the first of every key only."""
    source, feed = name.split("/")
    where = SAMPLE / "landing" / feed if source == "scraper" else SAMPLE / f"{name}.ndjson.gz"
    if not where.exists():
        where = SAMPLE / f"{name}.ndjson"
    rows: dict[str, Row] = {}
    for path in sorted(where.rglob("*.gz")) if where.is_dir() else [where]:
        for row in parsed(path):
            key = _key(source, row)
            if key:
                rows.setdefault(key, {**row, "_ref": f"{name}/{key}"})
    return list(rows.values())


def _key(source: str, row: Row) -> str | None:
    if source == "scraper":
        return f"{row['provider']}:{row['external_id']}" if row.get("external_id") else None
    if source == "mongo":
        return str(row["_id"]["$oid"]) if row.get("_id") else None
    return str(row["id"]) if row.get("id") else None


@cache
def records() -> dict[str, str]:
    """Return reference -> true thing."""
    return {row["ref"]: row["thing"] for row in parsed(SAMPLE / "truth/records.ndjson.gz")}


@cache
def things() -> dict[str, Row]:
    """Return true thing -> its clean values."""
    return {row["thing"]: row for row in parsed(SAMPLE / "truth/things.ndjson.gz")}


@cache
def venue_records() -> list[tuple[Row, Row]]:
    """Return every venue record of Directus and the scrapers beside its true venue."""
    rows = table("directus/venues") + table("scraper/venue_info")
    known = ((row, things().get(records().get(row["_ref"], ""))) for row in rows)
    return [(row, thing) for row, thing in known if thing]


def handle(value: str) -> str:
    """Return the handle in any of the spellings the sample uses."""
    bare = re.sub(r"^https?://", "", value.strip().lower())
    bare = re.sub(r"^(www\.|m\.)?(instagram\.com|instagr\.am)/(_u/)?", "", bare)
    return bare.split("?")[0].strip("/@. ")
