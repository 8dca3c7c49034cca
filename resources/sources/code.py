"""Reads the import graph of a Python source tree: one record a module, for the knowledge graph."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import grimp
import polars as pl

from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import batches
from resources.sources.catalogue import SourceTable


def read(settings: Settings, table: SourceTable) -> Iterator[pl.DataFrame]:
    """Yield one batch: {id: dotted module, package, imports: [modules]} of every package under the code root."""
    root = settings.code_root
    packages = sorted(p.parent.name for p in root.glob("*/__init__.py") if p.parent.name != "tests")
    if not packages:
        raise TerminalError(f"no Python package under {root}: set SONIK_CODE_ROOT to a source tree")
    try:
        graph = _graph(root, packages, str(settings.home / "cache" / "grimp"))
    except grimp.exceptions.SourceSyntaxError as error:
        # A dead letter: the modules known before stay as they are, and the rest of the run goes on.
        yield batches.rejected(str(error), reason="the code tree cannot be read", origin=str(root))
        return
    records = [
        json.dumps(
            {
                "id": module,
                "package": module.split(".")[0],
                "imports": sorted(graph.find_modules_directly_imported_by(module)),
            }
        )
        for module in sorted(graph.modules)
    ]
    lines = pl.DataFrame({"payload": records}, {"payload": pl.String}).with_columns(origin=pl.lit(str(root)))
    yield batches.annotate(lines, table)


def _graph(root: Path, packages: list[str], cache: str) -> grimp.ImportGraph:
    sys.path.insert(0, str(root))  # grimp finds packages as the interpreter would; it runs none of their code
    try:
        return grimp.build_graph(*packages, cache_dir=cache)
    finally:
        sys.path.remove(str(root))
