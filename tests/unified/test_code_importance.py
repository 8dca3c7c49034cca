"""Importance of code modules is PageRank: the model's SQL, run as it is, against networkx."""

import uuid
from collections.abc import Iterator

import networkx as nx
import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import Environment

from sonik_assets.unified import dbt

MODULES = [f"m{n}" for n in range(8)]
TREES = st.dictionaries(st.sampled_from(MODULES), st.lists(st.sampled_from(MODULES), max_size=6), max_size=8)


@pytest.fixture(scope="module")
def pg(server: psycopg.Connection) -> Iterator[psycopg.Connection]:
    table = f"modules_{uuid.uuid4().hex[:8]}"
    server.execute(f"create temporary table {table} (path text, imports text[])")
    server.execute(f"create temporary view stg as select * from {table}")
    yield server
    server.execute(f"drop table {table} cascade")


def importance(pg: psycopg.Connection, tree: dict[str, list[str]]) -> dict[str, float]:
    """Return importance by module."""
    text = (dbt.PROJECT / "models" / "unified" / "code_modules.sql").read_text()
    macros = {
        "config": lambda **_: "",
        "ref": lambda _: "stg",
        "row_id": lambda *_: "path",
        "frequency_weight": lambda n, scale: f"{n} / ({n} + {scale})",
    }
    pg.execute("delete from stg")
    with pg.cursor() as cursor:
        cursor.executemany("insert into stg values (%s, %s)", list(tree.items()))
    rows = pg.execute(Environment().from_string(text).render(**macros)).fetchall()  # noqa: S701 - SQL, no page
    return {path: value for _, path, value, _ in rows}


@settings(max_examples=40)
@given(TREES)
def test_it_is_page_rank(pg: psycopg.Connection, tree: dict[str, list[str]]) -> None:
    graph = nx.DiGraph()
    graph.add_nodes_from(tree)
    graph.add_edges_from((a, b) for a, imports in tree.items() for b in imports if b in tree and a != b)
    found = importance(pg, tree)
    assert found.keys() == tree.keys()
    if tree:
        # A module that nobody imports gives the unit; the tree may have none, so one stands by.
        graph.add_node("alone")
        ranks = nx.pagerank(graph, alpha=0.85, tol=1e-13, max_iter=1_000)
        beyond = {path: ranks[path] / ranks["alone"] - 1 for path in tree}
        assert found == pytest.approx({path: n / (n + 2) for path, n in beyond.items()}, abs=2e-6)


def test_a_module_elsewhere_changes_nothing(pg: psycopg.Connection) -> None:
    tree = {"a": ["b", "c"], "b": ["c"], "c": ["b"]}
    before = importance(pg, tree)
    assert importance(pg, tree | {"other": ["d"], "d": []}).items() >= before.items()
    assert importance(pg, tree | {"a": ["b"]}) != before
