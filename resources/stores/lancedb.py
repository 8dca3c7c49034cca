"""How to reach LanceDB and what its tables look like. Which documents are in them belongs to `vectors`.

Every table of documents has one schema, so that search reads them all alike. Indexes: `lance_indexes`; versions, tags
and going back: `lance_versions`.
"""

from collections.abc import Iterable, Iterator
from itertools import batched
from typing import TYPE_CHECKING

import lancedb
import pyarrow as pa

from resources.errors import TerminalError

if TYPE_CHECKING:
    from lancedb import AsyncConnection
    from lancedb.db import DBConnection
    from lancedb.table import Table

DIMENSION = 384
PRIMARY_KEY = {b"lance-schema:unenforced-primary-key": b"true"}
"""Makes concurrent merges on the key collide instead of inserting twice; holds while the key has no index."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False, metadata=PRIMARY_KEY),
        pa.field("document_id", pa.string()),
        pa.field("kind", pa.string()),
        pa.field("name", pa.string()),
        pa.field("text", pa.string()),
        pa.field("text_folded", pa.string()),
        pa.field("vector", pa.list_(pa.float32(), DIMENSION)),
        pa.field("model", pa.string()),
        pa.field("text_hash", pa.string()),
        pa.field("row_hash", pa.string()),
        pa.field("city", pa.string()),
        pa.field("city_key", pa.string()),
        pa.field("local_date", pa.date32()),
        pa.field("genres", pa.list_(pa.string())),
        pa.field("genre_keys", pa.list_(pa.string())),
        pa.field("updated_at", pa.timestamp("us", tz="UTC")),
        pa.field("shown", pa.string()),
    ]
)

FILTER_VALUES = 1000
"""Values a filter: it is parsed as text, and a huge one is slow."""


def connect(uri: str) -> "DBConnection":
    """Open the database at `uri` (a folder or an object store); raises TerminalError when it cannot be.

    An object store is reached as its environment variables say (`AWS_ENDPOINT`, `AWS_ACCESS_KEY_ID`, ...).
    """
    try:
        return lancedb.connect(uri)
    except (OSError, ValueError, RuntimeError) as error:
        raise TerminalError(f"LanceDB at {uri} cannot be opened ({error}): check SONIK_LANCEDB_URI") from error


async def connect_async(uri: str) -> "AsyncConnection":
    """Open the database for many questions at once, each of which reads tables as they are when it opens them."""
    return await lancedb.connect_async(uri)


def open_table(database: "DBConnection", name: str) -> "Table | None":
    """Return the table, or None where it does not exist yet."""
    # A missing table and a broken one raise the same class: only the list tells them apart.
    return database.open_table(name) if name in table_names(database) else None


def overwrite(database: "DBConnection", name: str, rows: Iterator[pa.RecordBatch], facts: dict[str, str]) -> "Table":
    """Write the table anew in one version and return it: readers have the old rows or all new ones, never half.

    Rows stream through; its indexes are gone. `facts` become the table's own metadata.
    """
    schema = SCHEMA.with_metadata({key.encode(): value.encode() for key, value in facts.items()})
    mode = "overwrite" if name in table_names(database) else "create"
    return database.create_table(name, pa.RecordBatchReader.from_batches(schema, rows), mode=mode)


def facts(table: "Table") -> dict[str, str]:
    """Return what `overwrite` wrote into the table's metadata."""
    return {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}


def has_our_schema(table: "Table") -> bool:
    """Return whether the table has the columns that we write, with the declared key."""
    return bool(table.schema.equals(SCHEMA)) and table.schema.field("id").metadata == PRIMARY_KEY


def table_names(database: "DBConnection") -> list[str]:
    """Return the names of all tables."""
    return list(database.list_tables(limit=1000).tables)


def quoted(text: str) -> str:
    """Return the text as a string literal for a filter: the only way that input enters one."""
    return "'" + text.replace("'", "''") + "'"


def among(column: str, values: Iterable[str]) -> Iterator[str]:
    """Yield filters that together hold where the column is one of the values."""
    for chunk in batched(values, FILTER_VALUES):
        yield f"{column} in ({', '.join(map(quoted, chunk))})"
