"""What serving tells of identity: explanation, history, names, and what a trial would change."""

import pytest

from resources.errors import TerminalError
from sonik_assets.identity import decisions
from sonik_assets.serving import identity, review
from tests.support.review_scene import CAFE, CMS, LISTED, OLD, SHOW, TAKER, TWICE, House, house, seen

__all__ = ["house", "seen"]


def test_an_explanation_names_method_score_values_and_who(seen: House) -> None:
    found = identity.explanation(seen.connection, str(seen.id(CAFE)))
    assert [row["ref"] for row in found["records"]] == [CAFE, "scraper/venue_info/ra:2"]
    (link,) = [row for row in found["links"] if row["right_ref"] == "scraper/venue_info/ra:2"]
    assert (link["method"], link["score"], link["decided_by"]) == ("instagram_url", 1.0, "sonik")
    assert link["explanation"] == {"shared": {"scheme": "instagram_url", "value": "instagram.com/cafeazul"}}
    assert (found["conflicts"], found["weak"], found["redirects"], found["aliases"]) == ([], [], [], [])


def test_attached_mentions_are_counted_or_listed(seen: House) -> None:
    id = str(seen.id(CAFE))
    (counted,) = identity.explanation(seen.connection, id)["attached"]
    assert (counted["table_name"], counted["mentions"]) == ("event_listings.venue", 2)
    listed = identity.explanation(seen.connection, id, every=True)["attached"]
    assert [row["ref"] for row in listed] == [f"{LISTED}1", f"{LISTED}2"]


def test_an_id_that_was_merged_leads_on_and_keeps_its_name(house: House) -> None:
    pg, (first, second) = house.connection, sorted([str(house.id(CMS)), str(house.id(TWICE))])
    names = identity.names(pg, [first, second, None])
    decisions.merge(pg, first, second, "ana")
    assert identity.entity_id(pg, second) == first
    assert identity.names(pg, [second]) == {second: names[second]}
    found = identity.explanation(pg, first)
    assert [row["id"] for row in found["redirects"]] == [second]
    decided = [(row["left_ref"], row["right_ref"]) for row in found["links"] if row["decided_by"] == "ana"]
    assert decided == [(CMS, TWICE)]
    with pytest.raises(TerminalError, match="there is no entity"):
        identity.entity_id(pg, "00000000-0000-7000-8000-000000000000")


def test_a_history_is_in_the_order_of_time(house: House) -> None:
    pg, ids = house.connection, sorted([str(house.id(CMS)), str(house.id(TWICE))])
    decisions.merge(pg, *ids, "ana", "one door")
    decisions.split(pg, ids[0], [TWICE], "ben", "two doors")
    found = identity.history(pg, ids[0])
    assert [row["at"] for row in found] == sorted(row["at"] for row in found)
    told = [(row["what"], row.get("kind") or row.get("judgement"), row.get("decided_by")) for row in found]
    order = [
        ("entity", "created", None), ("judgement", "same", "ana"), ("entity", "merged", None),
        ("judgement", "different", "ben"), ("entity", "split", None),
    ]  # fmt: skip
    assert [each for each in told if each in order] == order
    moved = [row["records"] for row in found if row["what"] == "records"]
    assert len(moved) == 2


def test_the_queue_begins_with_the_most_likely(seen: House) -> None:
    found = review.queue(seen.connection, None, 10)
    assert [(row["left_ref"], row["right_ref"]) for row in found] == [(CMS, TWICE), (OLD, TAKER)]
    assert (found[0]["left_records"], found[0]["right_records"]) == (1, 1)
    assert [row["reason"] for row in found] == ["two records of one source", "reused_identifier"]
    assert len(review.queue(seen.connection, None, 1)) == 1
    assert review.waiting(seen.connection) == {"artist": 1, "venue": 1, "places": 1}


def test_what_is_one_by_now_does_not_wait(house: House) -> None:
    decisions.merge(house.connection, str(house.id(CMS)), str(house.id(TWICE)), "ana")
    assert [row["left_ref"] for row in review.queue(house.connection, None, 10)] == [OLD]


def test_a_look_up_has_a_short_name(house: House) -> None:
    (asked,) = review.lookups(house.connection, 10)
    assert review.lookup(house.connection, asked["id"][:8]) == asked
    assert review.lookup(house.connection, asked["id"][:7]) is None
    house.connection.execute(
        "insert into identity.places_cache (query_hash, query, candidates, status)"
        " select query_hash || 'x', query, 0, 'none' from identity.places_cache where query_hash = %s",
        [asked["id"]],
    )
    with pytest.raises(TerminalError, match="give more of its characters"):
        review.lookup(house.connection, asked["id"][:8])


def test_an_event_shows_where_and_which_night(house: House) -> None:
    other = "scraper/event_listings/ra:e"
    house.event(other, name="Juanes unplugged", venue=CMS, starts_at_text="2026-03-01T21:00:00", city="Guadalajara")
    from sonik_assets.identity.judgements import Decision
    from sonik_assets.identity.resolve import Options, resolve

    resolve(house.connection, options=Options(matchers={}))
    decisions.judge(house.connection, Decision(SHOW, other, "unsure"), "ana")
    (row,) = review.queue(house.connection, "event", 10)
    left = review.item(house.connection, row["id"])["left"]
    assert (left["venue"], left["night"]) == ("Pastelería Joaquina (guadalajara)", "2026-03-01")
