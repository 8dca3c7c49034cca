"""Sync on a real server: writes what differs and nothing else."""

from datetime import UTC, datetime

import polars as pl
import psycopg
import pytest
from psycopg import sql

from resources.errors import TerminalError
from resources.stores import tables
from resources.stores.tables import Counts, read, sync

SCHEMA = {"id": pl.String, "note": pl.String, "size": pl.Int64, "extra": pl.String, "at": pl.Datetime("us", "UTC")}
AT = datetime(2026, 3, 1, 1, 30, 0, 5, tzinfo=UTC)
ROWS = [
    ("00000000-0000-7000-8000-000000000001", 'quo"te, comma\nline', 1, '{"b": 1, "a": null}', AT),
    ("00000000-0000-7000-8000-000000000002", "", None, None, None),
    ("00000000-0000-7000-8000-000000000003", None, 3, "[]", AT),
]


@pytest.fixture
def connection(database):
    with psycopg.connect(database, autocommit=True) as opened:
        opened.execute("create schema s")
        opened.execute(
            "create table s.t (id uuid primary key, note text, size int, extra jsonb, at timestamptz,"
            " seen timestamptz default now(), gone timestamptz)"
        )
        yield opened


def frame(rows):
    return pl.DataFrame(rows, SCHEMA, orient="row")


def state(connection):
    return connection.execute("select xmin::text, ctid::text, t::text from s.t order by id").fetchall()


def put(connection, rows, **options):
    return sync(connection, "s.t", ["id"], frame(rows), **{"delete": True, **options})


def test_values_arrive_as_they_are(connection):
    assert put(connection, ROWS) == Counts(inserted=3)
    query = sql.SQL("select id::text, note, size::int8, extra::text, at from s.t order by id")
    assert read(connection, query, SCHEMA).rows() == [
        (*row[:3], '{"a": null, "b": 1}' if n == 0 else row[3], row[4]) for n, row in enumerate(ROWS)
    ]


def test_only_what_differs_is_written(connection):
    put(connection, ROWS)
    before = state(connection)
    assert put(connection, ROWS) == Counts()
    assert state(connection) == before
    changed = [ROWS[0], (ROWS[1][0], None, None, None, None)]
    assert put(connection, changed) == Counts(updated=1, deleted=1)
    assert state(connection)[0] == before[0]
    assert put(connection, ROWS[2:], delete=False) == Counts(inserted=1)


def test_touched_columns_move_with_the_row(connection):
    put(connection, ROWS, touch=["seen"])
    connection.execute("update s.t set seen = '2000-01-01Z'")
    put(connection, [(ROWS[0][0], "new", 1, None, None), *ROWS[1:]], touch=["seen"])
    assert connection.execute("select count(*) from s.t where seen > '2001-01-01Z'").fetchone() == (1,)


def test_retired_rows_stay_and_come_back(connection):
    put(connection, ROWS, delete=False, retire="gone")
    assert put(connection, ROWS[:2], delete=False, retire="gone") == Counts(deleted=1)
    before = state(connection)
    assert put(connection, ROWS[:2], delete=False, retire="gone") == Counts()
    assert state(connection) == before
    assert put(connection, ROWS, delete=False, retire="gone") == Counts(updated=1)
    assert connection.execute("select count(*) from s.t where gone is null").fetchone() == (3,)


def test_a_repeated_key_is_refused(connection):
    with pytest.raises(TerminalError, match=r"rows for s\.t repeat a key"):
        put(connection, [ROWS[0], ROWS[0]])


def test_a_key_alone_is_a_table_too(connection):
    connection.execute("create table s.k (a text, b text, primary key (a, b))")
    keys = pl.DataFrame({"a": ["x", "x"], "b": ["", "y"]})
    assert sync(connection, "s.k", ["a", "b"], keys, delete=True).inserted == 2
    assert sync(connection, "s.k", ["a", "b"], keys[:1], delete=True) == Counts(deleted=1)


def test_an_empty_tables_indexes_are_there_after_many_rows(connection, monkeypatch):
    monkeypatch.setattr(tables, "MANY", 2)
    connection.execute("create unique index t_note on s.t (note) where size > 0")
    connection.execute("create index on s.t using gin (extra)")
    query = "select indexdef from pg_indexes where schemaname = 's' order by 1"
    before = connection.execute(query).fetchall()
    assert put(connection, ROWS) == Counts(inserted=3)
    assert connection.execute(query).fetchall() == before
    connection.execute("truncate s.t")
    with pytest.raises(psycopg.errors.UniqueViolation):
        put(connection, [(f"{id[:-1]}9", note, 1, extra, at) for id, note, _, extra, at in ROWS[:1]] + [
            (id, note, 1, extra, at) for id, note, _, extra, at in ROWS
        ])  # fmt: skip
    assert connection.execute(query).fetchall() == before
