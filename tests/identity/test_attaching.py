"""What is meant by a name inside another record: one thing, a question, or nothing."""

from typing import Any

import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from sonik_assets.identity.attaching import NEAR, SURE, attach

TEXT = pl.String
NAMED = dict.fromkeys(("key", "entity_type", "name_key", "city_key", "address"), TEXT)
RECORDS = dict.fromkeys(("ref", "entity_type", "name_key", "city_key", "entity_id"), TEXT)
PAIRS: dict[str, Any] = {**dict.fromkeys(("key", "ref", "entity_id"), TEXT), "probability": pl.Float64}
DECISIONS = dict.fromkeys(("key", "ref", "entity_id", "judgement"), TEXT)
TWINS = dict.fromkeys(("entity_id", "twin"), TEXT)

type Row = tuple[Any, ...]


def attached(
    named: list[Row],
    records: list[Row] = [],  # noqa: B006 - never changed
    pairs: list[Row] = [],  # noqa: B006
    decisions: list[Row] = [],  # noqa: B006
    twins: list[Row] = [],  # noqa: B006
) -> tuple[dict[str, Row], dict[str, Row]]:
    """Return key -> (entity, how, score) of what is attached, and key -> (record, reason) of the doubts."""
    found, doubts = attach(
        pl.DataFrame(named, NAMED, orient="row"),
        pl.DataFrame(records, RECORDS, orient="row"),
        pl.DataFrame(pairs, PAIRS, orient="row"),
        pl.DataFrame(decisions, DECISIONS, orient="row"),
        pl.DataFrame(twins, TWINS, orient="row"),
    )
    assert not found["key"].is_duplicated().any()
    assert not doubts["key"].is_duplicated().any()
    return (
        {key: (entity, how, score) for key, entity, how, _, score in found.iter_rows()},
        {key: (ref, reason) for key, ref, reason, _ in doubts.iter_rows()},
    )


ARTIST = ("k", "artist", "juanes", None, None)
VENUE = ("k", "venue", "bar nebula", "lima", None)


def test_the_one_thing_of_that_name_is_meant() -> None:
    records = [("r/1", "artist", "juanes", None, "A"), ("r/2", "artist", "juanes", None, "A")]
    assert attached([ARTIST], records) == ({"k": ("A", "name", 1.0)}, {})


def test_a_name_that_two_things_have_means_neither() -> None:
    records = [("r/1", "artist", "juanes", None, "A"), ("r/2", "artist", "juanes", None, "B")]
    assert attached([ARTIST], records) == ({}, {})


def test_a_thing_of_another_type_is_not_meant() -> None:
    assert attached([ARTIST], [("r/1", "brand", "juanes", None, "A")]) == ({}, {})


def test_a_venue_is_meant_by_its_name_in_its_city_only() -> None:
    here, there = ("r/1", "venue", "bar nebula", "lima", "A"), ("r/2", "venue", "bar nebula", "cusco", "B")
    assert attached([VENUE], [here, there])[0] == {"k": ("A", "name", 1.0)}
    assert attached([VENUE], [there])[0] == {}
    assert attached([("k", "venue", "bar nebula", None, None)], [here])[0] == {}


def test_a_venue_that_comes_with_an_address_is_not_meant_by_its_name() -> None:
    records = [("r/1", "venue", "bar nebula", "lima", "A")]
    assert attached([("k", "venue", "bar nebula", "lima", "av sol 12")], records) == ({}, {})


def test_a_name_that_says_nothing_means_nothing() -> None:
    assert attached([("k", "artist", None, None, None)], [("r/1", "artist", None, None, "A")]) == ({}, {})


def test_likeness_is_enough_where_it_is_sure_and_goes_before_the_name() -> None:
    records = [("r/1", "artist", "juanes", None, "A")]
    assert attached([ARTIST], records, [("k", "r/2", "B", SURE)])[0] == {"k": ("B", "likeness", SURE)}
    unsure = attached([ARTIST], [], [("k", "r/2", "B", SURE - 0.01)])
    assert unsure == ({}, {"k": ("r/2", "doubtful")})


def test_the_name_settles_what_likeness_leaves_open() -> None:
    records = [("r/1", "artist", "juanes", None, "A")]
    assert attached([ARTIST], records, [("k", "r/2", "B", 0.4)]) == ({"k": ("A", "name", 1.0)}, {})


def test_a_rival_that_comes_near_makes_it_a_question() -> None:
    near = [("k", "r/1", "A", 0.95), ("k", "r/2", "B", 0.95 - NEAR + 0.01)]
    assert attached([ARTIST], [], near) == ({}, {"k": ("r/1", "several are as likely")})
    far = [("k", "r/1", "A", 0.95), ("k", "r/2", "B", 0.95 - NEAR - 0.01)]
    assert attached([ARTIST], [], far) == ({"k": ("A", "likeness", 0.95)}, {})


def test_other_records_of_the_same_thing_are_no_rivals() -> None:
    same = [("k", "r/1", "A", 0.95), ("k", "r/2", "A", 0.94)]
    assert attached([ARTIST], [], same)[0] == {"k": ("A", "likeness", 0.95)}


def test_what_may_be_the_same_thing_is_no_rival() -> None:
    near = [("k", "r/1", "A", 0.95), ("k", "r/2", "B", 0.94)]
    twins = [("A", "B"), ("B", "A")]
    assert attached([ARTIST], [], near, [], twins)[0] == {"k": ("A", "likeness", 0.95)}
    third = [*near, ("k", "r/3", "C", 0.93)]
    assert attached([ARTIST], [], third, [], twins)[1] == {"k": ("r/1", "several are as likely")}


def test_what_a_person_decided_wins() -> None:
    records, likely = [("r/1", "artist", "juanes", None, "A")], [("k", "r/2", "B", 0.99)]
    same = [("k", "r/3", "C", "same")]
    assert attached([ARTIST], records, likely, same) == ({"k": ("C", "decision", 1.0)}, {})


def test_what_a_person_refused_is_not_meant_by_any_record_of_that_thing() -> None:
    records = [("r/1", "artist", "juanes", None, "A")]
    likely = [("k", "r/2", "A", 0.99), ("k", "r/3", "B", 0.97)]
    refused = [("k", "r/1", "A", "different")]
    assert attached([ARTIST], records, likely, refused) == ({"k": ("B", "likeness", 0.97)}, {})
    assert attached([ARTIST], records, [], refused) == ({}, {})


LIKELY = st.lists(
    st.tuples(
        st.sampled_from(["k", "l"]), st.sampled_from(["r/1", "r/2", "r/3", "r/4"]),
        st.sampled_from([0.3, 0.69, 0.7, 0.85, 0.9, 0.9, 1.0]),
    ),
    unique_by=lambda row: row[:2], max_size=8,
)  # fmt: skip
ENTITY = {"r/1": "A", "r/2": "A", "r/3": "B", "r/4": "C"}


@settings(max_examples=200)
@given(
    LIKELY,
    st.lists(st.sampled_from([*ENTITY]), unique=True),
    st.lists(st.tuples(st.sampled_from("kl"), st.sampled_from([*ENTITY]), st.sampled_from(["same", "different"]))),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_rows_does_not_matter(
    likely: list[Row], namesakes: list[str], decided: list[Row], random: Any
) -> None:
    named = [ARTIST, ("l", "artist", "dj roma", None, None)]
    records = [(ref, "artist", "juanes" if ref < "r/4" else "dj roma", None, ENTITY[ref]) for ref in namesakes]
    pairs = [(key, ref, ENTITY[ref], probability) for key, ref, probability in likely]
    decisions = [(key, ref, ENTITY[ref], said) for key, ref, said in decided]
    straight = attached(named, records, pairs, decisions)
    for rows in (named, records, pairs, decisions):
        random.shuffle(rows)
    assert attached(named, records, pairs, decisions) == straight
    found, doubts = straight
    assert not found.keys() & doubts.keys()
    refused = {(key, entity) for key, _, entity, said in decisions if said == "different"}
    assert not {(key, entity) for key, (entity, how, _) in found.items() if how != "decision"} & refused
