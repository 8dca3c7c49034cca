"""What waits for a person: listing, showing and deciding it on the command line."""

import re
import sys

import pytest

from sonik_assets import cli
from tests.support.commands import Commands
from tests.support.review_scene import AT, CAFE, CMS, LISTED, OLD, TAKER, TWICE, TWIN, House


def asked(sonik: Commands, left: str) -> str:
    (found,) = [row["id"] for row in sonik.json("review", "list")["pairs"] if row["left_ref"] == left]
    return str(found)


def test_the_likeliest_pairs_come_first_with_what_to_do(sonik: Commands) -> None:
    text = sonik("review", "list")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    pair, reused = asked(sonik, CMS), asked(sonik, OLD)
    first, second = (next(n for n, line in enumerate(lines) if line.startswith(id)) for id in (pair, reused))
    assert first < second
    assert f"{pair} two records of one source" in " ".join(text.split())
    assert "Pastelería Joaquina (guadalajara) [1]" in text
    assert "given up by the one" in text
    assert "Instagram instagram.com/firstones" in " ".join(text.split())
    assert "2 candidates" in text
    assert lines[-2] == "3 wait: artist 1, venue 1, places 1"
    assert lines[-1].startswith("next: `sonik review show ID`")
    assert max(map(len, lines)) <= 80


def test_a_list_is_limited_to_a_type_and_a_number(sonik: Commands) -> None:
    assert sonik.json("review", "list", "--type", "places")["pairs"] == []
    assert [row["entity_type"] for row in sonik.json("review", "list", "--type", "venue")["pairs"]] == ["venue"]
    assert sonik.json("review", "list", "--type", "venue")["places"] == []
    assert "... and 1 more: --limit, --type" in sonik("review", "list", "--limit", "1")
    assert sonik("review", "list", "--type", "person") == "nothing waits of type person; try without --type\n"
    assert "no type foo; there are person, venue" in sonik.misused("review", "list", "--type", "foo")


def test_both_sides_stand_side_by_side_with_what_was_compared(sonik: Commands) -> None:
    text = sonik("review", "show", asked(sonik, CMS))
    shown = " ".join(text.split())
    assert re.match(r"venue: [01]\.\d{3}, unsure, two records of one source \(sonik, ", shown)
    assert "name Pastelería Joaquina Joaquina Pastelería" in shown
    assert f"record {CMS} {TWICE}" in shown
    assert "bits before any comparison" in shown
    assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("next:"))
    found = sonik.json("review", "show", asked(sonik, CMS))
    assert (found["left"]["address"], found["right"]["mentions"]) == (AT["address"], 1)
    names = [row["name"] for row in found["explanation"]["comparisons"]]
    assert names[0] == "name"


def test_a_look_up_shows_its_candidates(sonik: Commands) -> None:
    (found,) = sonik.json("review", "list", "--type", "places")["places"]
    text = sonik("review", "show", found["id"][:12])
    assert "Twin: ambiguous" in text
    assert {"P1", "P2"} <= set(text.split())
    assert text.splitlines()[-1] == f"next: sonik review decide {found['id'][:12]} PLACE_ID|none"
    assert sonik.json("review", "show", found["id"]) == found


@pytest.mark.parametrize("id", ["nope", "00000000-0000-7000-8000-000000000000", "ffffffffffff"])
def test_an_unknown_id_says_where_ids_are_listed(sonik: Commands, id: str) -> None:
    assert sonik.fails("review", "show", id) == (
        f"nothing in the review is called {id}: `sonik review list` names what waits"
    )
    assert "`sonik review list` names what waits" in sonik.fails("review", "decide", id, "same")


def test_same_links_at_once_and_different_undoes_it(deciding: Commands, house: House) -> None:
    id, before = asked(deciding, CMS), (house.id(CMS), house.id(TWICE))
    text = deciding("review", "decide", id, "same", "--reason", "one door")
    assert text.startswith(f"{CMS} and {TWICE}: same, says ana\n")
    assert f"  is now Pastelería Joaquina (guadalajara) {before[0]}\n" in text
    assert text.endswith("next: `sonik run` takes it on to search, graph and reports\n")
    assert house.id(CMS) == house.id(TWICE)
    assert "same, one door (ana, " in deciding("review", "show", id)
    found = deciding.json("review", "decide", id, "different", "--by", "ben")
    assert [change["kind"] for change in found["changes"]] == ["split"]
    assert (house.id(CMS), house.id(TWICE)) == before
    assert CMS not in [row["left_ref"] for row in deciding.json("review", "list")["pairs"]]


def test_a_mention_is_decided_for_all_that_say_the_same(deciding: Commands, house: House) -> None:
    assert house.id(f"{LISTED}1") == house.id(f"{LISTED}2") == house.id(CAFE)
    text = deciding("entity", "split", str(house.id(CAFE)), f"{LISTED}1")
    assert "nothing but these mentions moved" in text
    assert house.id(f"{LISTED}1") == house.id(f"{LISTED}2") != house.id(CAFE)


def test_what_is_left_open_waits_last_with_who_left_it(deciding: Commands) -> None:
    pair = asked(deciding, CMS)
    said = deciding("review", "decide", pair, "unsure", "--reason", "ask them")
    assert "no entity changes by it" in said
    last = deciding.json("review", "list")["pairs"][-1]
    assert (last["left_ref"], last["decided_by"], last["reason"]) == (CMS, "ana", "ask them")
    assert "ask them, left open by ana" in " ".join(deciding("review", "list").split())


def test_a_place_is_chosen_and_taken_back(deciding: Commands, house: House) -> None:
    (found,) = deciding.json("review", "list", "--type", "places")["places"]
    held = "select value from identity.identifiers where scheme = 'google_places_id' and valid_to is null"
    given = deciding("review", "decide", found["id"][:12], "P2", "--reason", "the door is there")
    assert given.startswith("Twin: P2, says ana\n")
    assert house.rows("select decided_reason from identity.places_cache where decided_by = 'ana'") == [
        ("the door is there",)
    ]
    assert house.rows(held) == [("P2",)]
    assert "decided by ana: P2" in deciding("review", "show", found["id"])
    assert deciding.json("review", "list", "--type", "places")["places"] == []
    deciding("review", "decide", found["id"], "none")
    assert house.rows(held) == []
    message = deciding.fails("review", "decide", found["id"], "same")
    assert message == "same is no candidate of this look-up; candidates: P1, P2"
    assert house.id(TWIN)


def test_what_a_person_may_not_decide(sonik: Commands, seen: House) -> None:
    pair = asked(sonik, CMS)
    assert "'P1' is no verdict on a pair: give same, different, unsure" in sonik.misused("review", "decide", pair, "P1")
    assert "set SONIK_USER or give --by" in sonik.fails("review", "decide", pair, "same", "--by", "sonik")
    (look_up,) = sonik.json("review", "list", "--type", "places")["places"]
    assert "set SONIK_USER or give --by" in sonik.fails("review", "decide", look_up["id"], "P1", "--by", "sonik")
    assert seen.id(CMS) != seen.id(TWICE)


def test_a_reused_handle_is_given_to_its_new_holder(deciding: Commands, house: House) -> None:
    id = asked(deciding, OLD)
    assert "given up by the one" in " ".join(deciding("review", "show", id).split())
    deciding("review", "decide", id, "different")
    assert house.id(OLD) != house.id(TAKER)
    canonical = "select canonical_id from identity.entities where entity_id = '{}'"
    assert house.rows(canonical.format(house.id(TAKER))) == [("instagram.com/firstones",)]


@pytest.mark.usefixtures("unused")
def test_failures_are_one_line_and_status_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sonik", "review", "list"])
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 1
    assert capsys.readouterr().err == "sonik: there is no data yet: run `sonik run` first\n"
