"""Counts of rows that cost little whatever the size, and say when they are not exact."""

from collections.abc import Iterator

import psycopg
import pytest

from sonik_assets.unified import row_counts
from sonik_assets.unified.row_counts import RowCounts, Rows


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("create table small as select generate_series(1, 7) as id")
        connection.execute("create table large as select generate_series(1, 1000) as id")
        connection.execute("create view cheap as select * from small")
        connection.execute("create view dear as select a.id from large as a, large as b")
        connection.execute("create table parts (id int) partition by range (id)")
        connection.execute("create table parts_1 partition of parts for values from (1) to (100)")
        connection.execute("insert into parts select * from small")
        connection.execute("analyze")
        yield connection


def test_small_relations_are_counted_exactly(connection: psycopg.Connection) -> None:
    counts = RowCounts(connection)
    assert [counts.of("public", name) for name in ("small", "cheap", "parts")] == [Rows(7, exact=True)] * 3
    assert counts.of("public", "large") == Rows(1000, exact=True)


def test_large_tables_are_as_the_planner_knows_them(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_counts, "EXACT_UP_TO", 500)
    found = RowCounts(connection).of("public", "large")
    assert found == Rows(1000, exact=False)
    assert found.said("rows_out") == {"rows_out_about": 1000}


def test_dear_views_are_not_counted(connection: psycopg.Connection) -> None:
    counts = RowCounts(connection)
    assert counts.of("public", "dear") is None
    assert counts.of_all([("public", "small"), ("public", "dear")]) is None


def test_sums_are_exact_where_all_is(connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_counts, "EXACT_UP_TO", 500)
    counts = RowCounts(connection)
    assert counts.of_all([("public", "small"), ("public", "cheap")]) == Rows(14, exact=True)
    assert counts.of_all([("public", "small"), ("public", "large")]) == Rows(1007, exact=False)
    assert counts.of_all([]) == Rows(0, exact=True)
    assert Rows(14, exact=True).said("rows_in") == {"rows_in": 14}


def test_a_relation_is_counted_once(connection: psycopg.Connection) -> None:
    counts = RowCounts(connection)
    before = counts.of("public", "small")
    connection.execute("truncate small")
    assert counts.of("public", "small") == before
