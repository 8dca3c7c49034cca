"""How to reach LanceDB and what its tables look like. Which documents are in them belongs to `vectors`.

Every table of documents has one schema, so that search reads them all alike.
"""

from typing import TYPE_CHECKING

import lancedb
import pyarrow as pa
from lancedb.index import FTS

from resources.errors import TerminalError

if TYPE_CHECKING:
    from lancedb.db import DBConnection
    from lancedb.table import Table

DIMENSION = 384
PRIMARY_KEY = {b"lance-schema:unenforced-primary-key": b"true"}
"""Makes concurrent merges on the key collide instead of inserting twice; holds while the key has no index."""

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False, metadata=PRIMARY_KEY),
        pa.field("kind", pa.string()),
        pa.field("name", pa.string()),
        pa.field("text", pa.string()),
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
    ]
)


def connect(uri: str) -> "DBConnection":
    """Open the database at `uri` (a folder or an object store); raises TerminalError when it cannot be."""
    try:
        return lancedb.connect(uri)
    except (OSError, ValueError, RuntimeError) as error:
        raise TerminalError(f"LanceDB at {uri} cannot be opened ({error}): check SONIK_LANCEDB_URI") from error


def open_table(database: "DBConnection", name: str) -> "Table | None":
    """Return the table, or None where it does not exist yet."""
    # A missing table and a broken one raise the same class: only the list tells them apart.
    return database.open_table(name) if name in table_names(database) else None


def ensure_table(database: "DBConnection", name: str) -> "Table":
    """Return the table, created empty where it does not exist."""
    return database.create_table(name, schema=SCHEMA, exist_ok=True)


def table_names(database: "DBConnection") -> list[str]:
    """Return the names of all tables."""
    return list(database.list_tables(limit=1000).tables)


def ensure_text_index(table: "Table") -> None:
    """Have every row in a Spanish full-text index; does nothing where that already holds."""
    index = next((i for i in table.list_indices() if i.columns == ["text"]), None)
    if index is None:
        config = FTS(language="Spanish", stem=True, remove_stop_words=True, ascii_folding=True)
        table.create_index("text", config=config)
    elif index.num_unindexed_rows:
        table.optimize()


def quoted(text: str) -> str:
    """Return the text as a string literal for a filter: the only way that input enters one."""
    return "'" + text.replace("'", "''") + "'"
