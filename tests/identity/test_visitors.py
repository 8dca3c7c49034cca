"""Spans of anonymous visitors."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.identity.visitors import EVIDENCE, spans

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
ROWS = st.lists(st.tuples(st.sampled_from("xy"), st.sampled_from("abc"), st.integers(0, 6)), max_size=12)


def found(rows):
    evidence = [(visitor, user, "sign_in", EPOCH + timedelta(days=day)) for visitor, user, day in rows]
    return spans(pl.DataFrame(evidence, EVIDENCE, orient="row"))


@given(ROWS)
def test_linked_spans_of_a_visitor_never_overlap(rows):
    for visitor in "xy":
        linked = found(rows).filter((pl.col("anonymous_id") == visitor) & (pl.col("status") == "linked"))
        ordered = linked.sort("valid_from").rows(named=True)
        for earlier, later in pairwise(ordered):
            assert earlier["valid_to"] is not None
            assert earlier["valid_to"] <= later["valid_from"]


def test_a_later_user_takes_only_what_follows_and_two_at_once_are_contested():
    rows = found([("x", "a", 0), ("x", "a", 1), ("x", "b", 2), ("x", "a", 4), ("x", "c", 4), ("x", "a", 5)])
    seen = [(r["user_record"], r["evidence_at"].day - 1, r["status"]) for r in rows.rows(named=True)]
    assert seen == [
        ("a", 0, "linked"),
        ("b", 2, "linked"),
        ("a", 4, "contested"),
        ("c", 4, "contested"),
        ("a", 5, "linked"),
    ]
    assert rows["valid_from"][0] == EPOCH - timedelta(days=30)
    assert rows["valid_to"].to_list() == [EPOCH + timedelta(days=d) if d else None for d in (2, 4, 5, 5, 0)]
