"""What Arrow holds is what the server has after `GRAPH.BULK`; what it cannot hold is refused by name."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from falkordb import FalkorDB
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from resources.errors import TerminalError
from sonik_assets.graph import cypher
from sonik_assets.graph.bulk_format import edge_blob, node_blob

GRAPH = "operations"
LOWEST, HIGHEST = -(2**63), 2**63 - 1

texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)
whole = st.integers(LOWEST, HIGHEST) | st.sampled_from([LOWEST, HIGHEST, 0])
# The server keeps all bits of a number, and tells 15 digits of it.
real = st.floats(-1e300, 1e300).map(lambda number: float(f"{number:.15g}"))
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.string(): texts,
    pa.large_string(): st.sampled_from(["uno", "dos", "six"]),
    pa.int64(): whole,
    pa.int32(): st.integers(-(2**31), 2**31 - 1),
    pa.float64(): real,
    pa.bool_(): st.booleans(),
    pa.list_(pa.string()): st.lists(texts, max_size=3),
    pa.large_list(pa.int64()): st.lists(whole, max_size=3),
    pa.list_(pa.float64()): st.lists(real, max_size=3),
    pa.list_(pa.bool_()): st.lists(st.booleans(), max_size=3),
}


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Columns of all types, with and without nulls, in one or more chunks, cut out of longer ones."""
    rows = draw(st.integers(1, 6))
    columns: dict[str, pa.ChunkedArray] = {"at": pa.chunked_array([pa.array(range(rows), pa.int64())])}
    kinds = draw(st.lists(st.sampled_from(list(VALUES)), max_size=6))
    for i, kind in enumerate(kinds):
        value = VALUES[kind] if draw(st.booleans()) else VALUES[kind] | st.none()
        values = pa.array(draw(st.lists(value, min_size=rows + 2, max_size=rows + 2)), kind).slice(1, rows)
        cut = draw(st.integers(0, rows))
        columns[f"c{i}"] = pa.chunked_array([values.slice(0, cut), values.slice(cut)])
    return pa.table(columns)


def load(client: FalkorDB, *counts_and_blobs: int | bytes) -> None:
    client.connection.execute_command("GRAPH.BULK", GRAPH, "BEGIN", *counts_and_blobs)


def expected(table: pa.Table) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if value is not None} for row in table.to_pylist()]


@given(tables())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
def test_nodes_and_edges_come_back_as_they_were(falkordb: FalkorDB, table: pa.Table) -> None:
    falkordb.connection.execute_command("DEL", GRAPH)
    ends = np.arange(len(table))
    nodes, edges = node_blob(GRAPH, "A", table), edge_blob(GRAPH, "E", ends, ends[::-1], table)
    load(falkordb, len(table), len(table), 1, 1, nodes, edges)
    graph = falkordb.select_graph(GRAPH)
    for query in ("MATCH (n:A) RETURN n ORDER BY n.at", "MATCH ()-[n:E]->() RETURN n ORDER BY n.at"):
        assert [row[0].properties for row in cypher.read(graph, query)] == expected(table)
    crossed = cypher.read(graph, "MATCH (a)-[:E]->(b) RETURN a.at, b.at ORDER BY a.at")
    assert crossed == [[int(i), int(j)] for i, j in zip(ends, ends[::-1], strict=True)]


def test_numbers_keep_all_bits(falkordb: FalkorDB) -> None:
    load(falkordb, 1, 0, 1, 0, node_blob(GRAPH, "A", pa.table({"share": [0.1 + 0.2]})))
    graph = falkordb.select_graph(GRAPH)
    assert cypher.read(graph, "MATCH (n) RETURN n.share = 0.1 + 0.2, n.share = 0.3") == [[True, False]]


def test_types_survive(falkordb: FalkorDB) -> None:
    table = pa.table({"whole": [1], "real": [1.0], "yes": [True], "none": pa.nulls(1), "empty": [""]})
    load(falkordb, 1, 0, 1, 0, node_blob(GRAPH, "A", table))
    ((keys, whole, real),) = cypher.read(
        falkordb.select_graph(GRAPH), "MATCH (n) RETURN keys(n), n.whole / 2, n.real / 2"
    )
    assert (sorted(keys), whole, real) == (["empty", "real", "whole", "yes"], 0, 0.5)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (pa.array([1.0, float("nan")]), "not finite"),
        (pa.array([None, float("-inf")]), "not finite"),
        (pa.array(["one", "a\0b"]), "NUL"),
        (pa.array(["one", "t\0o"]), "NUL"),
        (pa.array([None, "a\0b"]), "NUL"),
        (pa.array([["a", "b"], ["c", None]]), "null inside"),
        (pa.array([["a", "b"], ["c", "\0"]]), "NUL"),
        (pa.array([[], [float("inf")]]), "not finite"),
    ],
)
def test_what_a_property_cannot_hold_is_refused_by_name(values: pa.Array, reason: str) -> None:
    table = pa.table({"id": ["first", "second"], "size": values})
    with pytest.raises(TerminalError, match=rf"graph operations: Venue second: property size: .*{reason}"):
        node_blob(GRAPH, "Venue", table)


def test_a_type_without_counterpart_is_refused() -> None:
    table = pa.table({"id": ["first"], "at": pa.array([0], pa.timestamp("us"))})
    with pytest.raises(TerminalError, match="property at: its type timestamp"):
        edge_blob(GRAPH, "SHARED", np.array([0]), np.array([0]), table)
