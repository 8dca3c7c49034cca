"""The measures in SQL: what is alike, the same in either direction, and null where one side says nothing."""

from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.identity.matching.similarity import MACROS


@pytest.fixture(scope="module")
def sql() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for macro in MACROS:
            connection.execute(macro)
        yield connection


@pytest.mark.parametrize(
    ("left", "right", "likeness"),
    [("umbral", "umbral", 1), ("umbral", "umrbal", 0.9), ("prod", "producciones", 0.8), ("luna", "nebula", 0)],
)
def test_words_alike(sql: duckdb.DuckDBPyConnection, left: str, right: str, likeness: float) -> None:
    assert sql.execute("select token_likeness(?, ?)", [left, right]).fetchone() == (likeness,)


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        ("gonzalonascimento1267", "gonzalonascimen1267", True),
        ("facundofigueroa187", "facundofigueroa287", False),
        ("ana", "ana", True),
        ("anagarcia", "anagarci", False),
    ],
)
def test_mailboxes(sql: duckdb.DuckDBPyConnection, left: str, right: str, *, same: bool) -> None:
    assert sql.execute("select same_mailbox(?, ?)", [left, right]).fetchone() == (same,)


def test_distance_in_metres(sql: duckdb.DuckDBPyConnection) -> None:
    found = sql.execute("select metres(19.43, -99.13, 19.44, -99.13), metres(19.43, null, 19.44, -99.13)").fetchone()
    assert found is not None
    assert found[0] == pytest.approx(1112, abs=1)
    assert found[1] is None


_LISTS = st.lists(st.text("abcd", min_size=1, max_size=6), max_size=4)


@given(_LISTS, _LISTS)
def test_cover_and_disjoint_have_no_direction(sql: duckdb.DuckDBPyConnection, xs: list[str], ys: list[str]) -> None:
    query = "select cover(x, y), disjoint(x, y), shared(x, y) from (select ?::varchar[] as x, ?::varchar[] as y)"
    assert sql.execute(query, [xs, ys]).fetchone() == sql.execute(query, [ys, xs]).fetchone()


_WORD = st.text("abcde", min_size=4, max_size=9)


@given(_WORD, _WORD)
def test_cheap_looks_never_change_what_is_alike(sql: duckdb.DuckDBPyConnection, one: str, other: str) -> None:
    query = "select token_likeness(a, b), damerau_levenshtein(a, b) = 1 from (select ? as a, ? as b)"
    found = sql.execute(query, [one, other]).fetchone()
    assert found is not None
    assert found[0] >= 0.9 or not found[1] or one == other
