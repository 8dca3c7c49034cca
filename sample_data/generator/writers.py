"""Writers of NDJSON exports, some compressed, all byte for byte repeatable.

Here: files, compression, broken lines, counts. What a record holds is decided elsewhere.
"""

import gzip
import json
from collections import Counter
from collections.abc import Callable, Mapping
from io import BufferedIOBase
from pathlib import Path

PLAIN = (
    "claims",
    "agent/",
    "debezium/",
    "landing/webhooks/",
    "directus/markets",
    "directus/brands",
    "directus/feature",
    "directus/concepts",
    "directus/campaigns",
    "twenty/opportunities",
)


class Exports:
    """One folder of exports; every file is opened once and written in the order of the calls."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.counts: Counter[str] = Counter()
        self._files: dict[str, BufferedIOBase] = {}
        self._closers: list[Callable[[], None]] = []

    def write(self, path: str, record: Mapping[str, object]) -> None:
        """Append one record to `path` (without .ndjson)."""
        self.raw(path, json.dumps(record, ensure_ascii=False, separators=(",", ":")))
        self.counts[path] += 1

    def raw(self, path: str, line: str) -> None:
        """Append a line that may be anything, as a crash in a scraper leaves it."""
        self._open(path).write(line.encode() + b"\n")

    def close(self) -> None:
        """Finish every file."""
        for close in reversed(self._closers):
            close()
        self._closers.clear()
        self._files.clear()

    def _open(self, path: str) -> BufferedIOBase:
        if path not in self._files:
            self._files[path] = self._create(path)
        return self._files[path]

    def _create(self, path: str) -> BufferedIOBase:
        compressed = not path.startswith(PLAIN)
        target = self.root / f"{path}.ndjson{'.gz' if compressed else ''}"
        target.parent.mkdir(parents=True, exist_ok=True)
        file = target.open("wb")
        self._closers.append(file.close)
        if not compressed:
            return file
        # No name and no time in the header: the same world must give the same bytes.
        packed = gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=file, mtime=0)
        self._closers.append(packed.close)
        return packed
