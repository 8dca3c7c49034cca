"""A unit's checksum: the same rows in any order and cut have it, other rows have another."""

from collections import Counter
from typing import Any

import psycopg
from hypothesis import example, given, settings
from hypothesis import strategies as st

from resources.migration import checksum
from resources.migration.catalogue import Unit, units
from resources.migration.checksum import Sum
from resources.migration.plan import Part
from resources.migration.servers import session

type Row = tuple[str | None, str | None]
CELLS = st.one_of(st.none(), st.text(alphabet='ab,()" \\ñ\n', max_size=3))
ROWS = st.lists(st.tuples(CELLS, CELLS), max_size=6)


def filled(connection: psycopg.Connection[Any], rows: list[Row]) -> None:
    connection.execute("truncate public.t")
    with connection.cursor() as cursor:
        cursor.executemany("insert into public.t values (%s, %s)", rows)


def total(connection: psycopg.Connection[Any], unit: Unit, *ranges: tuple[int, int | None]) -> Sum:
    found = Sum()
    for first, last in ranges or ((0, None),):
        rows, hashes = connection.execute(checksum.of_part(Part(unit, first, last))).fetchone() or (0, 0)
        found += Sum(rows, int(hashes))
    return found


def test_sums_are_equal_exactly_where_rows_are(database: str) -> None:
    with session(database) as connection:
        connection.execute("create table public.t (a text, b text)")
        [unit] = units(connection, connection)

        @settings(max_examples=60)
        @given(ROWS, ROWS)
        @example([(None, "")], [("", None)])
        @example([("a,b", "c")], [("a", "b,c")])
        @example([("a", "b"), ("a", "b")], [])
        @example([("a", "a"), ("b", "b")], [("a", "b"), ("b", "a")])
        def holds(some: list[Row], others: list[Row]) -> None:
            filled(connection, some)
            before = total(connection, unit)
            filled(connection, others)
            assert (total(connection, unit) == before) == (Counter(some) == Counter(others))
            filled(connection, some[::-1])
            assert total(connection, unit) == before

        holds()


def test_parts_add_up_to_the_whole(database: str) -> None:
    with session(database) as connection:
        connection.execute("create table public.t (a text, b text)")
        connection.execute("insert into public.t select i, repeat('x', 500) from generate_series(1, 500) as i")
        [unit] = units(connection, connection)
        assert unit.pages > 20
        assert total(connection, unit, (0, 7), (7, 8), (8, 20), (20, None)) == total(connection, unit)


def test_servers_with_different_encodings_compare_in_utf_8(database: str) -> None:
    with session(database) as connection:
        connection.execute("create table public.t (a text, b text)")
        [unit] = units(connection, connection)
        recoded = Unit(
            unit.schema, unit.name, unit.partitioned, unit.pages, unit.columns, unit.key, recoded=not unit.recoded
        )
        assert "convert_to" in checksum.of_part(Part(recoded, 0, None)).as_string()
        filled(connection, [("ñ", None)])
        assert total(connection, recoded).rows == 1
