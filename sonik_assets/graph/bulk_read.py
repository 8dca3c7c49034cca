"""The desired rows of a whole graph as Arrow batches, all from one snapshot of PostgreSQL, read ahead by a thread.

Which rows those are is in `desired.py`; where they go, in `bulk.py`.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from resources.errors import TransientError
from sonik_assets.graph import desired, schema

if TYPE_CHECKING:
    import pyarrow as pa
    from adbc_driver_manager.dbapi import Connection

ROWS = 100_000
"""At most so many rows a batch: other graphs wait while the server takes one in."""

_SNAPSHOT = "set transaction isolation level repeatable read read only"
# A uuid is 16 bytes, its text 36: the ends come as what they are found by.
_NODES = "select *, uuid_send(id::uuid) as node_key from ({}) as d"
_EDGES = "select id, row_hash, {}, uuid_send(from_id) as from_key, uuid_send(to_id) as to_key from ({}) as d"


@dataclass(frozen=True)
class NodeRows:
    """Nodes of a label: their properties and, apart, `node_key` (the uuid in 16 bytes)."""

    label: str
    rows: "pa.Table"


@dataclass(frozen=True)
class EdgeRows:
    """Edges of a type between two labels: their properties and, apart, `from_key` and `to_key` (16 bytes)."""

    type: str
    ends: tuple[str, str]
    rows: "pa.Table"


type Rows = NodeRows | EdgeRows


def snapshot_rows(postgres_url: str, graph: str) -> Generator[Rows]:
    """Yield all nodes and then all edges of a graph, at most `ROWS` at once; TransientError when reading fails."""
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

    try:
        with dbapi.connect(postgres_url) as connection:
            with connection.cursor() as cursor:
                cursor.execute(_SNAPSHOT)
                # Before the snapshot is taken: a table that is emptied or made anew later would look empty to it.
                tables = ", ".join(f"unified.{name}" for name in schema.relations_of(graph))
                cursor.execute(f"lock table {tables} in access share mode")
            yield from _rows(connection, graph)
    except (dbapi.Error, OSError, pa.ArrowException) as error:  # the latter two from batches after the first
        raise TransientError(f"graph {graph}: reading it from PostgreSQL failed: {error}; run again") from error


def _rows(connection: "Connection", graph: str) -> Iterator[Rows]:
    for label in schema.labels_of(graph):
        for rows in _tables(connection, _NODES.format(desired.nodes_sql(label))):
            yield NodeRows(label.name, rows)
    for edge in schema.edge_types_of(graph):
        names = ", ".join(f'"{each.name}"' for each in (*schema.COMMON, *edge.properties))
        for ends in edge.ends:
            for rows in _tables(connection, _EDGES.format(names, desired.edges_sql(edge, ends, raw=True))):
                yield EdgeRows(edge.name, ends, rows)


def _tables(connection: "Connection", query: str) -> Iterator["pa.Table"]:
    import pyarrow as pa

    with connection.cursor() as cursor:
        cursor.execute(query)
        for batch in cursor.fetch_record_batch():
            parts = -(-batch.num_rows // ROWS)
            size = -(-batch.num_rows // parts) if parts else 0
            for part in range(parts):
                yield pa.Table.from_batches([batch.slice(part * size, size)])
