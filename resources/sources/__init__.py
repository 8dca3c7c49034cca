"""Readers, one interface: `read(settings, table)` yields batches (see `batches.py`) in bounded memory.

A reader knows its system and nothing of Dagster, windows or the database.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from resources.settings import Settings
from resources.sources.catalogue import SourceTable

if TYPE_CHECKING:
    import polars as pl


def read(settings: Settings, table: SourceTable) -> Iterator["pl.DataFrame"]:
    """Yield the batches of one table from where the settings say it is."""
    from resources.sources import code, exports

    if table.relation == "raw_sonik.code_modules":
        return code.read(settings, table)
    return exports.read(settings.exports, table)
