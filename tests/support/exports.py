"""Writes small exports folders for tests."""

import gzip
import json
from pathlib import Path
from typing import Any


def write(folder: Path, name: str, *records: dict[str, Any] | str) -> Path:
    """Write one file of the folder, a record a line (text goes in as it is); `.gz` is gzipped."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = "".join((r if isinstance(r, str) else json.dumps(r)) + "\n" for r in records)
    path.write_bytes(gzip.compress(lines.encode()) if path.suffix == ".gz" else lines.encode())
    return path
