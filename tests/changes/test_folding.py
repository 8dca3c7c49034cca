"""Messages encoded by hand (tests/support/pgoutput.py) against a plain fold of what they say."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.changes.folding import Folding
from sonik_assets.changes.lsn import Lsn
from sonik_assets.changes.pgoutput import Begin, Column, Commit, Delete, Insert, Logical, Relation, Truncate, Update
from tests.support.pgoutput import encode

COLUMNS = (Column(True, "id", 25, -1), Column(True, "note", 25, -1), Column(True, "far", 25, -1))  # noqa: FBT003
RELATION = Relation(7, "unified", "edges", "f", COLUMNS)
BEGIN, COMMIT = Begin(Lsn(100), 0, 5), Commit(0, Lsn(100), Lsn(120), 0)
KEY = st.sampled_from(["a", "b", "", "N", "Nt"])
VALUES = st.tuples(KEY, st.none() | st.text("Ntu\x01O", max_size=3), st.none() | st.just("N" * 78))
CHANGES = st.lists(
    st.one_of(
        st.builds(Insert, st.just(7), VALUES),
        st.builds(Update, st.just(7), st.just("O"), VALUES, VALUES),
        st.builds(Update, st.just(7), st.just(""), st.none(), VALUES),
        st.builds(Delete, st.just(7), st.just("O"), VALUES),
    )
)


def folded(*messages: Any, since: int = 0, tables: tuple[str, ...] = ("edges",), oid: int = 7) -> Folding:
    folding = Folding(Lsn(since), tables, {"edges": oid})
    folding.take(encode(message) for message in messages)
    return folding


@given(CHANGES)
def test_each_key_is_told_once_with_the_oldest_row(changes: list[Insert | Update | Delete]) -> None:
    expected: dict[str, Any] = {}
    for change in changes:
        old, new = getattr(change, "old", None), getattr(change, "new", None)
        if old is not None and expected.get(old[0]) is None:
            expected[old[0]] = dict(zip(("id", "note", "far"), old, strict=True))
        if new is not None:
            expected.setdefault(new[0], None)
    batch = folded(BEGIN, RELATION, *changes, COMMIT).batch()
    assert {key: None if row is None else dict(row) for key, row in batch.keys.get("edges", {}).items()} == expected
    assert (batch.end, batch.xids, batch.rebuild) == (120, {5}, False)


def test_transactions_that_ended_before_are_passed_over() -> None:
    later = Begin(Lsn(120), 0, 6), Insert(7, ("b", None, None)), Commit(0, Lsn(120), Lsn(150), 0)
    folding = folded(BEGIN, RELATION, Insert(7, ("a", None, None)), Truncate(0, (7,)), COMMIT, *later, since=120)
    batch = folding.batch()
    assert (batch.keys, batch.end, batch.xids, batch.rebuild) == ({"edges": {"b": None}}, 150, {6}, False)


def test_a_batch_in_the_midst_of_a_transaction_has_no_end() -> None:
    folding = folded(BEGIN, RELATION, Insert(7, ("a", None, None)))
    first = folding.batch()
    folding.take([encode(Insert(7, ("b", None, None))), encode(COMMIT)])
    second = folding.batch()
    assert (first.keys, first.end, first.xids) == ({"edges": {"a": None}}, None, {5})
    assert (second.keys, second.end, second.xids) == ({"edges": {"b": None}}, 120, {5})
    assert folding.batch().xids == set()


def test_what_keys_do_not_tell_asks_for_a_rebuild() -> None:
    tmp = Relation(8, "unified", "edges__dbt_tmp", "f", COLUMNS)
    assert folded(BEGIN, RELATION, Truncate(0, (7,)), COMMIT).must_rebuild
    assert folded(BEGIN, RELATION, Insert(7, ("a", None, None)), COMMIT, oid=9).must_rebuild
    assert folded(BEGIN, tmp, Insert(8, ("a", None, None)), COMMIT).must_rebuild
    assert folded(BEGIN, Logical(True, Lsn(90), "sonik.published", b"unified.edges"), COMMIT).must_rebuild  # noqa: FBT003
    others = Relation(8, "unified", "other", "d", COLUMNS), Truncate(0, (8,)), Insert(8, ("a", None, None))
    foreign = Relation(9, "public", "edges", "d", COLUMNS), Insert(9, ("a", None, None))
    told = Logical(True, Lsn(90), "sonik.published", b"unified.other")  # noqa: FBT003
    assert not folded(BEGIN, *others, *foreign, told, COMMIT).must_rebuild
