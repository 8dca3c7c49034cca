"""Reads the import graph of a Python source tree: one record a module, for the knowledge graph.

A tree has no log and no clock: every read is the whole of it.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path

import grimp
from grimp.application.config import settings as grimp_settings
from grimp.application.ports.packagefinder import AbstractPackageFinder

from resources.errors import TerminalError
from resources.settings import Settings
from resources.sources import Request, batches
from resources.sources.batches import Batch
from resources.sources.catalogue import SourceTable

NOT_CODE = frozenset({"tests", "build", "dist", "node_modules"})


def read(settings: Settings, table: SourceTable, request: Request) -> Iterator[Batch]:  # noqa: ARG001 - the whole
    """Yield one batch: {id: dotted module, package, imports: [modules]} of every package under the code root."""
    root = settings.code_root
    packages = _packages(root)
    if not packages:
        raise TerminalError(f"no Python package under {root}: set SONIK_CODE_ROOT to a source tree")
    try:
        graph = _graph(packages)
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


class _Here(AbstractPackageFinder):
    """Finds packages where they were seen.

    grimp's own asks the interpreter, who takes a package of this process for the tree's where both are named alike.
    """

    def __init__(self, packages: Mapping[str, Path]) -> None:
        self.packages = packages

    def determine_package_directories(self, package_name: str, file_system: object) -> set[str]:  # noqa: ARG002
        return {str(self.packages[package_name])}


def _packages(root: Path) -> dict[str, Path]:
    """Return the folder of each top package by name, in the root and in its `src`; namespace packages are some too."""
    tops = [root, *(source for source in [root / "src"] if not (source / "__init__.py").exists())]
    folders = (folder for top in tops if top.is_dir() for folder in sorted(top.iterdir()) if folder not in tops)
    return {folder.name: folder for folder in folders if _is_package(folder)}


def _is_package(folder: Path) -> bool:
    if folder.name in NOT_CODE or not folder.name.isidentifier() or (folder / "pyvenv.cfg").exists():
        return False
    return any(next(folder.glob(f"{below}__init__.py"), None) for below in ("", "*/", "*/*/"))


def _graph(packages: Mapping[str, Path]) -> grimp.ImportGraph:
    grimp_settings.configure(PACKAGE_FINDER=_Here(packages))
    # Without its cache, which takes a file for unchanged by its time alone: a checkout may give all files the same.
    return grimp.build_graph(*packages, cache_dir=None)
