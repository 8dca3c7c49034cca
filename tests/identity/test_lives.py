"""An identifier's life: given, given up, taken back; renamed; given again to another; confirmed by two sources."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sonik_assets.identity.lives import LIVES, lives, verified_own

DAY = timedelta(days=1)
START = datetime(2026, 3, 1, tzinfo=UTC)
GIVEN = {
    **dict.fromkeys(("source", "table_name", "record_id", "entity_type", "scheme", "value", "name_key"), pl.String),
    "updated_at": pl.Datetime("us", "UTC"),
}
NOTHING = pl.DataFrame(schema=LIVES)
NAMES = ("bar nebula", "nebula bar club", "teatro colon")


def told(*rows, day=0, kind="venue"):
    """Rows: (record, scheme, value, name)."""
    full = [("s", "t", record, kind, scheme, value, name, START + day * DAY) for record, scheme, value, name in rows]
    return pl.DataFrame(full, GIVEN, orient="row")


def run(days):
    """Return the lives after one run a day."""
    found, before = None, NOTHING
    for day, rows in enumerate(days):
        found = lives(before, told(*rows, day=day), START + day * DAY)
        before = found.rows
    return found


def spans(found):
    rows = found.rows.select("record_id", "value", "valid_from", "valid_to").rows()
    days = [(a, b, (c - START).days, d and (d - START).days) for a, b, c, d in rows]
    return sorted(days, key=str)


HANDLE = "instagram_url"


def test_a_value_given_up_ends_when_its_record_changed_and_lives_again_when_taken_back():
    one, other = ("r", HANDLE, "a", "bar"), ("r", "domain", "d.mx", "bar")
    assert spans(run([[one, other], [other]])) == [("r", "a", 0, 1), ("r", "d.mx", 0, None)]
    assert spans(run([[one, other], [other], [one, other]])) == [("r", "a", 0, None), ("r", "d.mx", 0, None)]
    assert spans(run([[one], []])) == [("r", "a", 0, 1)]


def test_a_rename_is_one_value_for_another_under_a_like_name():
    found = run([[("r", HANDLE, "old", "bar nebula")], [("r", HANDLE, "new", "club nebula bar")]])
    assert found.renames.select("scheme", "old_value", "new_value", "record_id", "at").rows() == [
        (HANDLE, "old", "new", "r", START + DAY)
    ]
    assert run([[("r", HANDLE, "old", "bar nebula")], [("r", HANDLE, "new", "teatro colon")]]).renames.height == 0
    assert run([[("r", "phone", "1", "bar")], [("r", "phone", "2", "bar")]]).renames.height == 0
    two = [("r", HANDLE, "b", "bar"), ("r", HANDLE, "c", "bar")]
    assert run([[("r", HANDLE, "a", "bar")], two]).renames.height == 0


def test_the_clock_of_the_run_counts_where_the_sources_stood_still():
    first = lives(NOTHING, told(("r", HANDLE, "a", "bar")), START + DAY)
    second = lives(first.rows, told(("r", HANDLE, "b", "bar")), START + 3 * DAY)
    assert spans(second) == [("r", "a", 0, 3), ("r", "b", 3, None)]
    assert second.renames.height == 1


def test_a_handle_given_later_to_an_unlike_name_is_reused_and_to_a_like_one_is_not():
    gone = [[("r", HANDLE, "a", "bar nebula")], [("r", HANDLE, "b", "bar nebula")]]
    unlike = run([*gone, [("r", HANDLE, "b", "bar nebula"), ("n", HANDLE, "a", "teatro colon")]])
    assert unlike.reused.select("value", "left_record_id", "right_record_id", "at").rows() == [
        ("a", "r", "n", START + 2 * DAY)
    ]
    assert run([*gone, [("r", HANDLE, "b", "bar nebula"), ("n", HANDLE, "a", "nebula")]]).reused.height == 0
    both = [("r", HANDLE, "a", "bar nebula"), ("n", HANDLE, "a", "teatro colon")]
    assert run([both, both]).reused.height == 0
    assert run([both, both[1:]]).reused.height == 0


def test_a_record_without_a_name_that_takes_a_freed_handle_is_doubtful():
    found = run([[("r", HANDLE, "a", "bar")], [], [("n", HANDLE, "a", None)]])
    assert found.reused["right_record_id"].to_list() == ["n"]


def test_only_examined_records_give_up_values():
    both = told(("r", HANDLE, "a", "bar"), ("n", HANDLE, "b", "colon"))
    before = lives(NOTHING, both, START).rows
    examined = pl.DataFrame({"source": ["s"], "table_name": ["t"], "record_id": ["n"]})
    later = lives(before, told(day=1), START + DAY, examined=examined)
    assert spans(later) == [("n", "b", 0, 1), ("r", "a", 0, None)]


def test_names_of_today_stand_in_where_the_last_run_kept_none():
    first = lives(NOTHING, told(("r", HANDLE, "a", "bar")), START).rows.drop("name_key")
    assert lives(first, told(("r", HANDLE, "b", "bar"), day=1), START + DAY).renames.height == 1


VALUES = st.tuples(
    st.sampled_from("rnm"), st.sampled_from([HANDLE, "domain"]), st.sampled_from("abc"), st.sampled_from(NAMES)
)
DAYS = st.lists(st.lists(VALUES, max_size=5, unique_by=lambda v: v[:3]), min_size=1, max_size=4)


@given(DAYS, st.data())
@settings(max_examples=60, deadline=None)
def test_same_input_twice_changes_nothing_and_order_does_not_matter(days, data):
    found = run(days)
    last = told(*days[-1], day=len(days) - 1)
    again = lives(found.rows, last, START + 9 * DAY)
    assert again.rows.equals(found.rows)
    assert again.renames.equals(found.renames)
    assert again.reused.equals(found.reused)
    order = data.draw(st.permutations(range(last.height)))
    mixed = lives(found.rows.reverse(), last[order], START + 9 * DAY)
    assert mixed.rows.equals(found.rows)
    assert mixed.reused.equals(found.reused)
    assert not found.rows.select(pl.struct("record_id", "scheme", "value").is_duplicated().any()).item()
    assert (found.rows["valid_to"] >= found.rows["valid_from"]).fill_null(value=True).all()
    current = found.rows.filter(pl.col("valid_to").is_null()).select("record_id", "scheme", "value").rows()
    assert set(current) == {value[:3] for value in days[-1]}


@given(DAYS)
@settings(max_examples=40, deadline=None)
def test_a_run_over_the_changed_records_is_the_run_over_all(days):
    found = run(days)
    day = len(days) - 1
    before = run(days[:-1]).rows if day else NOTHING
    examined = pl.DataFrame({"source": "s", "table_name": "t", "record_id": list("rn")})
    rows = [value for value in days[-1] if value[0] in "rn"]
    rest = told(*[value for value in days[-1] if value[0] not in "rn"], day=day)
    half = lives(before, told(*rows, day=day), START + day * DAY, examined=examined)
    other = pl.DataFrame({"source": "s", "table_name": "t", "record_id": ["m"]})
    assert lives(half.rows, rest, START + day * DAY, examined=other).rows.equals(found.rows)


def seen(*rows):
    """Rows: (source, record, name, latitude, day)."""
    full = [
        (source, "t", record, "venue", HANDLE, "instagram.com/a", name, START + day * DAY, latitude, latitude and -99.0)
        for source, record, name, latitude, day in rows
    ]
    return pl.DataFrame(full, {**GIVEN, "latitude": pl.Float64, "longitude": pl.Float64}, orient="row")


@pytest.mark.parametrize(
    ("left", "right", "days"),
    [
        (("directus", "1", "bar nebula", 19.0, 1), ("scraper", "ra:1", "nebula", 19.01, 4), 4),
        (("scraper", "ra:1", "bar nebula", None, 5), ("scraper", "dice:7", "bar nebula", 19.0, 4), 5),
        (("scraper", "ra:1", "bar nebula", None, 1), ("scraper", "ra:2", "bar nebula", None, 1), None),
        (("directus", "1", "bar nebula", None, 1), ("directus", "2", "bar nebula", None, 1), None),
        (("directus", "1", "bar nebula", 19.0, 1), ("scraper", "ra:1", "bar nebula", 19.1, 1), None),
        (("directus", "1", "bar nebula", 19.0, 1), ("scraper", "ra:1", "teatro colon", 19.0, 1), None),
    ],
)
def test_a_venues_handle_is_verified_by_two_origins_alike_and_near(left, right, days):
    found = verified_own(seen(left, right))
    assert found["verified_at"].to_list() == ([START + days * DAY] * 2 if days else [])
    assert found.equals(verified_own(seen(right, left)))


def test_a_chains_handle_is_nobodys_own_and_verification_outlives_its_witness():
    assert verified_own(seen(*(("ab"[n % 2], str(n), "chain", 19.0 + n, 1) for n in range(50)))).height == 0
    both = seen(("directus", "1", "bar", None, 1), ("scraper", "ra:1", "bar", None, 2))
    first = lives(NOTHING, both, START + 2 * DAY, verified_own(both))
    alone = both.filter(pl.col("source") == "directus")
    later = lives(first.rows, alone, START + 5 * DAY, verified_own(alone))
    assert later.rows.filter(pl.col("valid_to").is_null())["verified_at"].to_list() == [START + 2 * DAY]
