"""Reads the import graph of a Python source tree: one record a module, for the knowledge graph.

A tree has no log and no clock: every read is the whole of it.
"""

import json
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import grimp

from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import Request, batches
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable


def read(settings: Settings, table: SourceTable, request: Request) -> Iterator[Batch]:  # noqa: ARG001 - the whole
    """Yield one batch: {id: dotted module, package, imports: [modules]} of every package under the code root."""
    root = settings.code_root
    packages = sorted(p.parent.name for p in root.glob("*/__init__.py") if p.parent.name != "tests")
    if not packages:
        raise TerminalError(f"no Python package under {root}: set SONIK_CODE_ROOT to a source tree")
    try:
        graph = _graph(root, packages, str(settings.home / "cache" / "grimp"))
    except grimp.exceptions.SourceSyntaxError as error:
        # A dead letter: the modules known before stay as they are, and the rest of the run goes on.
        yield Batch(batches.rejected(str(error), reason="the code tree cannot be read", origin=str(root)))
        return
    records = [
        json.dumps(
            {
                "id": module,
                "package": module.split(".")[0],
                "imports": sorted(graph.find_modules_directly_imported_by(module)),
            }
        ).encode()
        for module in sorted(graph.modules)
    ]
    yield batches.from_records(records, table, origin=str(root))


def ids(settings: Settings, table: SourceTable) -> Iterator[list[str]]:
    """Raise NotImplementedError: the table is a snapshot, so every read tells what is gone."""
    raise NotImplementedError(f"{table.relation} of {settings.code_root} is read as a whole")


def touched(settings: Settings, table: SourceTable, since: datetime) -> list[date]:
    """Raise NotImplementedError: a tree does not tell when it changed."""
    raise NotImplementedError(f"{table.relation} of {settings.code_root} does not tell what changed since {since}")


def _graph(root: Path, packages: list[str], cache: str) -> grimp.ImportGraph:
    sys.path.insert(0, str(root))  # grimp finds packages as the interpreter would; it runs none of their code
    try:
        return grimp.build_graph(*packages, cache_dir=cache)
    finally:
        sys.path.remove(str(root))
