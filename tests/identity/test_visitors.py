"""Anonymous visitors: the rules on made evidence, people's decisions and the constraint on PostgreSQL."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import polars as pl
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.errors import TerminalError
from resources.stores import tables
from sonik_assets.identity.tables import ensure_tables
from sonik_assets.identity.visitors import EVIDENCE, PAIR, TABLES, USERS, recompute, redo, spans, undo, undone

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
METHODS = st.sampled_from(["sign_in", "sign_in", "sign_in", "profile"])
ROWS = st.lists(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc"), st.integers(0, 6), METHODS), max_size=12)
PERSONS = st.dictionaries(st.sampled_from("abc"), st.sampled_from(["A", "B"]))
UNDONE = st.sets(st.tuples(st.sampled_from("xyz"), st.sampled_from("abc")), max_size=3)


def at(day):
    return EPOCH + timedelta(days=day)


def evidence(rows):
    told = [(row[0], row[1], row[3] if len(row) > 3 else "sign_in", at(row[2])) for row in rows]
    return pl.DataFrame(told, EVIDENCE, orient="row")


def users(persons):
    return pl.DataFrame(list(persons.items()), USERS, orient="row")


def pairs(links):
    return pl.DataFrame(sorted(links), PAIR, orient="row")


def told(frame):
    """Return who has the visitor from which day to which, and how."""
    days = [(r["user_record"], r["valid_from"], r["valid_to"], r["status"]) for r in frame.rows(named=True)]
    return [(user, (a - EPOCH).days, (b - EPOCH).days if b else None, status) for user, a, b, status in days]


def test_what_happened_up_to_30_days_before_the_first_sign_in_is_that_users():
    assert told(spans(evidence([("x", "a", 40)]))) == [("a", 10, None, "linked")]


def test_a_later_sign_in_by_another_takes_only_what_follows():
    rows = [("x", "a", 0), ("x", "a", 1), ("x", "b", 2), ("x", "a", 4)]
    assert told(spans(evidence(rows))) == [("a", -30, 2, "linked"), ("b", 2, 4, "linked"), ("a", 4, None, "linked")]


def test_two_at_one_instant_are_contested_until_the_next_sign_in():
    rows = [("x", "a", 0), ("x", "a", 4), ("x", "c", 4), ("x", "a", 5)]
    assert told(spans(evidence(rows))) == [
        ("a", -30, 4, "linked"),
        ("a", 4, 5, "contested"),
        ("c", 4, 5, "contested"),
        ("a", 5, None, "linked"),
    ]


def test_two_accounts_of_one_person_do_not_contest_each_other():
    rows = [("x", "a", 0), ("x", "b", 0), ("x", "b", 3)]
    found = spans(evidence(rows), users({"a": "P", "b": "P"}))
    assert told(found) == [("a", -30, None, "linked")]
    assert found["entity_id"].to_list() == ["P"]


def test_a_user_of_several_devices_has_them_all():
    found = spans(evidence([("x", "a", 0), ("y", "a", 9)]))
    assert found.select("anonymous_id", "user_record", "status").rows() == [("x", "a", "linked"), ("y", "a", "linked")]


def test_sign_ins_settle_what_accounts_list():
    rows = [("x", "a", 0, "profile"), ("x", "b", 1, "profile"), ("x", "b", 50, "sign_in")]
    assert told(spans(evidence(rows))) == [("b", 20, None, "linked")]


def test_an_account_that_alone_lists_a_visitor_has_it():
    """From its own time on: a list says nothing of what was before the account."""
    assert told(spans(evidence([("x", "a", 3, "profile")]))) == [("a", 3, None, "linked")]


def test_accounts_of_one_person_that_list_a_visitor_have_it_from_the_earliest_on():
    rows = [("x", "a", 9, "profile"), ("x", "b", 3, "profile")]
    found = spans(evidence(rows), users({"a": "P", "b": "P"}))
    assert told(found) == [("b", 3, None, "linked")]
    assert found["evidence_at"].to_list() == [at(3)]


def test_two_accounts_that_list_a_visitor_contest_it():
    rows = [("x", "a", 0, "profile"), ("x", "b", 9, "profile")]
    assert told(spans(evidence(rows))) == [("a", 0, None, "contested"), ("b", 0, None, "contested")]


@pytest.mark.parametrize(("undone", "live", "day"), [("a", "b", 9), ("b", "a", 0)])
def test_of_two_lists_the_one_that_stays_counts_from_its_own_time(undone, live, day):
    rows = evidence([("x", "a", 0, "profile"), ("x", "b", 9, "profile")])
    found = spans(rows, undone=pairs({("x", undone)}))
    assert sorted(told(found)) == sorted([(live, day, None, "linked"), (undone, day, None, "undone")])


def test_lists_of_two_contest_each_other_from_the_earliest_that_stays():
    rows = evidence([("x", user, day, "profile") for user, day in (("a", 0), ("b", 5), ("c", 9))])
    found = told(spans(rows, undone=pairs({("x", "a")})))
    assert sorted(found) == [("a", 5, None, "undone"), ("b", 5, None, "contested"), ("c", 5, None, "contested")]


def test_lists_that_are_all_undone_are_nobodys_from_the_earliest_on():
    rows = evidence([("x", "a", 0, "profile"), ("x", "b", 9, "profile")])
    assert told(spans(rows, undone=pairs({("x", "a"), ("x", "b")}))) == [
        ("a", 0, None, "undone"),
        ("b", 0, None, "undone"),
    ]


def test_an_unknown_user_ends_a_span_and_gets_none():
    found = spans(evidence([("x", "a", 0), ("x", "gone", 2)]), users({"a": "P"}))
    assert told(found) == [("a", -30, 2, "linked")]


def test_an_undone_span_goes_to_nobody():
    rows = evidence([("x", "a", 0), ("x", "b", 2), ("x", "b", 3), ("x", "a", 5)])
    assert told(spans(rows, undone=pairs({("x", "b")}))) == [
        ("a", -30, 2, "linked"),
        ("b", 2, 5, "undone"),
        ("a", 5, None, "linked"),
    ]


def test_undoing_one_of_two_claims_settles_them():
    rows = evidence([("x", "a", 0), ("x", "b", 0)])
    assert told(spans(rows, undone=pairs({("x", "b")}))) == [("a", -30, None, "linked"), ("b", -30, None, "undone")]


@given(ROWS, PERSONS, UNDONE)
def test_linked_spans_of_a_visitor_never_overlap(rows, persons, links):
    for known in (None, users(persons)):
        linked = spans(evidence(rows), known, pairs(links)).filter(pl.col("status") == "linked")
        for (_,), held in linked.group_by("anonymous_id"):
            for earlier, later in pairwise(held.sort("valid_from").rows(named=True)):
                assert earlier["valid_to"] is not None
                assert earlier["valid_to"] <= later["valid_from"]


@given(ROWS, PERSONS, UNDONE)
def test_only_a_sign_in_looks_back_and_at_most_30_days(rows, persons, links):
    """No account has a visitor before its own evidence, but for the first to sign in."""
    frame = evidence(rows)
    linked = spans(frame, users(persons), pairs(links)).filter(pl.col("status") == "linked")
    signed = set(frame.filter(pl.col("method") == "sign_in")["anonymous_id"])
    for row in linked.rows(named=True):
        back = timedelta(days=30) if row["anonymous_id"] in signed else timedelta()
        assert row["valid_from"] in {row["evidence_at"], row["evidence_at"] - back}


@given(ROWS, PERSONS, st.integers(-60, 20))
def test_every_instant_is_at_most_one_persons(rows, persons, day):
    open_ended = pl.col("valid_to").is_null() | (pl.col("valid_to") > at(day))
    found = spans(evidence(rows), users(persons))
    then = found.filter((pl.col("status") == "linked") & (pl.col("valid_from") <= at(day)) & open_ended)
    assert then.group_by("anonymous_id").agg(pl.col("entity_id").n_unique()).filter(pl.col("entity_id") > 1).is_empty()


@given(ROWS, PERSONS, UNDONE, st.randoms())
def test_neither_order_nor_repetition_of_evidence_matters(rows, persons, links, dice):
    again = rows + rows[: len(rows) // 2]
    dice.shuffle(again)
    first, second = (spans(evidence(part), users(persons), pairs(links)) for part in (rows, again))
    assert first.equals(second)


@given(ROWS, PERSONS, UNDONE)
def test_a_visitors_spans_are_the_same_alone(rows, persons, links):
    full = spans(evidence(rows), users(persons), pairs(links))
    alone = spans(evidence([row for row in rows if row[0] == "x"]), users(persons), pairs(links))
    assert alone.equals(full.filter(pl.col("anonymous_id") == "x"))


@given(ROWS, ROWS, UNDONE)
def test_what_is_undone_stays_undone_whatever_comes(rows, more, links):
    found = spans(evidence(rows + more), undone=pairs(links))
    theirs = found.join(pairs(links), on=list(PAIR))
    assert set(theirs["status"]) <= {"undone"}
    assert found.join(pairs(links), on=list(PAIR), how="anti").filter(pl.col("status") == "undone").is_empty()


@given(ROWS, PERSONS)
def test_keys_are_unique(rows, persons):
    for known in (None, users(persons)):
        keys = spans(evidence(rows), known).select("anonymous_id", "user_record", "evidence_at")
        assert not keys.is_duplicated().any()


@pytest.fixture
def people(world):
    """Two users in entity_map and staging, and the tables."""
    ensure_tables(world.connection)
    world.connection.execute(TABLES)
    for user in ("a", "b"):
        world.mention(f"mongo/users/{user}", "person", user_id=user)
        world.connection.execute(
            "insert into identity.entity_map values ('mongo', 'users', %s, uuidv7(), 'person', 'own')", [user]
        )
    world.evidence("x", "a", at(0).isoformat())
    world.evidence("x", "b", at(2).isoformat())
    world.evidence("y", "a", at(1).isoformat())
    recompute(world.connection, ["x", "y"])
    return world


SHOWN = "select anonymous_id, user_record, status from identity.visitors order by 1, valid_from, 2"


def test_a_decision_takes_effect_at_once_and_holds_over_later_runs(people):
    undo(people.connection, "x", "b", "ana", "a kiosk")
    after = [("x", "a", "linked"), ("x", "b", "undone"), ("y", "a", "linked")]
    assert people.rows(SHOWN) == after
    people.evidence("x", "b", at(3).isoformat())
    recompute(people.connection, ["x", "y"])
    assert people.rows(SHOWN) == after
    (decision,) = undone(people.connection).rows(named=True)
    assert (decision["decided_by"], decision["reason"]) == ("ana", "a kiosk")
    undo(people.connection, "x", "b", "eva", "again")
    assert undone(people.connection, ["x"])["decided_by"].to_list() == ["ana"]
    redo(people.connection, "x", "b", "eva")
    assert people.rows(SHOWN) == [("x", "a", "linked"), ("x", "b", "linked"), ("y", "a", "linked")]
    assert undone(people.connection).is_empty()
    assert people.rows("select decided_by, retired_by from identity.visitor_undos") == [("ana", "eva")]


def test_only_what_is_linked_can_be_undone_and_only_what_is_undone_redone(people):
    with pytest.raises(TerminalError, match="visitor x is not linked to user c"):
        undo(people.connection, "x", "c", "ana", "why")
    with pytest.raises(TerminalError, match="is not undone"):
        redo(people.connection, "x", "a", "ana")


ONE = "update identity.entity_map set entity_id = '00000000-0000-7000-8000-000000000000' where record_id in ('a', 'c')"


@pytest.fixture
def twice(people):
    """The first user has another account, `c`, used on the visitor too; one row tells of both."""
    people.mention("mongo/users/c", "person", user_id="c")
    people.connection.execute("insert into identity.entity_map values ('mongo', 'users', 'c', uuidv7(), 'person', 'x')")
    people.connection.execute(ONE)
    people.evidence("y", "c", at(5).isoformat())
    recompute(people.connection, ["x", "y"])
    assert people.rows(SHOWN)[2:] == [("y", "a", "linked")]
    return people


@pytest.mark.parametrize("account", ["a", "c"])
def test_an_undone_link_is_that_of_all_accounts_of_the_person(twice, account):
    assert undo(twice.connection, "y", account, "ana", "a kiosk") == ["a", "c"]
    assert {row[2] for row in twice.rows(SHOWN) if row[0] == "y"} == {"undone"}
    assert undone(twice.connection)["user_record"].sort().to_list() == ["a", "c"]
    assert redo(twice.connection, "y", account, "eva") == ["a", "c"]
    assert twice.rows(SHOWN)[2:] == [("y", "a", "linked")]
    with pytest.raises(TerminalError, match=f"visitor y to user {account} is not undone"):
        redo(twice.connection, "y", account, "eva")


def test_an_account_that_was_never_on_the_visitor_is_not_undone_with_the_others(twice):
    assert undo(twice.connection, "x", "a", "ana", "a kiosk") == ["a"]
    with pytest.raises(TerminalError, match="visitor x is not linked to user c: nothing to undo"):
        undo(twice.connection, "x", "c", "ana", "a kiosk")


def test_what_was_undone_before_two_became_one_person_is_given_again(people):
    undo(people.connection, "x", "b", "ana", "a kiosk")
    people.connection.execute(ONE.replace("'c'", "'b'"))
    recompute(people.connection, ["x"])
    assert redo(people.connection, "x", "a", "eva") == ["b"]
    assert people.rows(SHOWN)[0] == ("x", "a", "linked")


def test_a_user_whose_record_is_gone_is_undone_alone(people):
    people.delete("mongo/users/b")
    assert undo(people.connection, "x", "b", "ana", "a kiosk") == ["b"]
    assert redo(people.connection, "x", "b", "ana") == ["b"]


def test_a_second_computation_writes_nothing(people):
    assert recompute(people.connection, ["x", "y"]).total == 0


def test_a_user_whose_record_is_deleted_loses_the_visitor(people):
    people.delete("mongo/users/b")
    recompute(people.connection, ["x"])
    assert people.rows(SHOWN) == [("x", "a", "linked"), ("y", "a", "linked")]
    assert people.rows("select valid_to from identity.visitors where anonymous_id = 'x'") == [(at(2),)]


def test_the_database_refuses_overlapping_links(people):
    people.connection.execute(TABLES)  # again: changes nothing
    people.connection.execute("update identity.visitors set status = 'undone' where user_record = 'b'")
    with pytest.raises(psycopg.errors.ExclusionViolation, match="visitors_linked_once"):
        people.connection.execute("update identity.visitors set valid_to = null, status = 'linked'")


def test_a_boundary_moves_within_one_transaction(people):
    moved = (
        spans(evidence([("x", "a", 0), ("x", "b", 1)]))
        .with_columns(entity_id=pl.lit("00000000-0000-7000-8000-000000000000"))
        .sort("valid_from", descending=True)
    )
    with people.connection.transaction():
        key = ["anonymous_id", "user_record", "evidence_at"]
        tables.sync(people.connection, "identity.visitors", key, moved, delete=True)
    assert len(people.rows(SHOWN)) == 2
