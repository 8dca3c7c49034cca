"""The commands about one entity: why it is one, what it was, and what people decide of it."""

import json
from pathlib import Path

import pytest

from tests.support.commands import Commands
from tests.support.review_scene import CAFE, CMS, LISTED, OLD, TAKER, TWICE, House

NOBODY = "00000000-0000-7000-8000-000000000000"


def test_explain_tells_each_link_its_score_values_and_who(sonik: Commands, seen: House) -> None:
    text = sonik("entity", "explain", "café azul")
    shown = " ".join(text.split())
    assert f"Café Azul (lima) {seen.id(CAFE)}" in shown
    assert "scraper/venue_info/ra:2 instagram_url Café Azul" in shown
    assert {"Instagram", "instagram.com/cafeazul"} <= set(text.split())
    assert "sonik, 20" in shown
    assert max(map(len, text.splitlines())) <= 80


def test_explain_tells_what_is_in_question_and_counts_what_is_attached(sonik: Commands, seen: House) -> None:
    cafe, twice = str(seen.id(CAFE)), str(seen.id(TWICE))
    assert "two records of one" in sonik("entity", "explain", twice)
    shown = " ".join(sonik("entity", "explain", cafe).split())
    assert "named inside other records: --all lists them" in shown
    assert f"{LISTED}2" not in shown
    assert f"{LISTED}2" in sonik("entity", "explain", cafe, "--all")
    assert sonik.json("entity", "explain", cafe)["attached"][0]["mentions"] == 2
    (open_,) = sonik.json("entity", "explain", twice)["conflicts"]
    assert (open_["judgement"], open_["explanation"]["reason"]) == ("unsure", "two records of one source")
    assert open_["explanation"]["comparisons"][0]["name"] == "name"


def test_explain_tells_what_links_nothing(sonik: Commands) -> None:
    text = sonik("entity", "explain", "Orquesta Delirio")
    assert "link nothing" in text
    assert "reused: before of" in text
    (weak,) = sonik.json("entity", "explain", "Orquesta Delirio")["weak"]
    assert (weak["value"], weak["why"]) == ("instagram.com/firstones", f"reused: before of {OLD}")
    assert weak["records"] == [TAKER]


@pytest.mark.parametrize("command", ["explain", "history", "split"])
def test_who_is_meant_must_be_clear(sonik: Commands, command: str) -> None:
    more = ["x/y/1"] if command == "split" else []
    assert sonik.fails("entity", command, NOBODY, *more).startswith(f"there is no entity {NOBODY}")
    assert "there is no entity 'Nadie'; try: sonik search 'Nadie'" in sonik.fails("entity", command, "Nadie", *more)


def test_nothing_means_nobody(sonik: Commands) -> None:
    assert sonik.fails("entity", "show", " ").startswith("which entity? give an id or a name")


def test_history_keeps_to_its_limit_in_json_too(sonik: Commands, seen: House) -> None:
    every = sonik.json("entity", "history", str(seen.id(CAFE)))
    assert len(every) > 1
    assert sonik.json("entity", "history", str(seen.id(CAFE)), "--limit", "1") == every[-1:]


def test_a_name_that_several_have_is_refused_with_their_ids(deciding: Commands, house: House) -> None:
    house.connection.execute("update unified.entities set name = 'Joaquina' where name like '%Joaquina%'")
    message = deciding.fails("entity", "explain", "joaquina")
    assert "'joaquina' may be any of: Joaquina (venue) " in message
    assert str(house.id(CMS)) in message
    assert str(house.id(TWICE)) in message


def test_merge_split_and_history(deciding: Commands, house: House) -> None:
    first, second = str(house.id(CMS)), str(house.id(TWICE))
    text = deciding("entity", "merge", second, "pasteleria joaquina", "--reason", "one door")
    assert f"{second}\n  is now Pastelería Joaquina (guadalajara) {first}\n" in text
    assert second in deciding("entity", "explain", second)  # the old id leads to the new one
    assert "is one entity already" in deciding.fails("entity", "merge", first, second)
    text = deciding("entity", "split", first, TWICE, "--by", "ben", "--reason", "two doors")
    assert text.startswith(f"1 record: Joaquina Pastelería (guadalajara) {second}\n")
    assert f"{second}\n  is split off Pastelería Joaquina (guadalajara) {first}\n" in text
    shown = " ".join(deciding("entity", "history", first).split())
    order = ["created", "one door; ana, 1.000", f"merged {second} into {first}", "two doors; ben, 1.000", "split"]
    assert sorted(order, key=shown.index) == order
    short = deciding("entity", "history", first, "--limit", "1")
    assert "one door" not in short
    assert "earlier: --limit" in short


def test_a_split_names_its_records(sonik: Commands, seen: House) -> None:
    cafe = str(seen.id(CAFE))
    assert "is no record of" in sonik.fails("entity", "split", cafe, CMS)
    assert "nothing would be left" in sonik.fails("entity", "split", cafe, CAFE, "scraper/venue_info/ra:2")


def test_an_alias_joins_and_parts(deciding: Commands, house: House) -> None:
    text = deciding("entity", "alias", "instagram_url", "@losprimeros", "cafeazul", "--reason", "renamed")
    assert text.startswith("instagram_url @losprimeros stands for cafeazul\n")
    shown = " ".join(deciding("entity", "explain", str(house.id(OLD))).split())
    assert "instagram_url instagram.com/losprimeros ana: renamed stands for instagram.com/cafeazul" in shown
    gone = deciding("entity", "alias", "instagram_url", "@losprimeros", "cafeazul", "--undo")
    assert gone.startswith("instagram_url @losprimeros no longer stands for cafeazul\n")
    assert "nothing to undo" in deciding.fails("entity", "alias", "domain", "a.com", "b.com", "--undo")
    assert "'a b' is no instagram_url" in deciding.fails("entity", "alias", "instagram_url", "a b", "c")
    assert "phone has no aliases" in deciding.fails("entity", "alias", "phone", "1", "2")


def test_renumbered_records_keep_their_entity(deciding: Commands, house: House, tmp_path: Path) -> None:
    before, pairs = house.id(CAFE), tmp_path / "pairs.csv"
    pairs.write_text("old_record_id,new_record_id\n2,900\n")
    text = deciding("entity", "rekey", "directus", "venues", str(pairs))
    assert text.startswith("directus.venues: 1 record has a new id (entity_map 1, ")
    assert house.id("directus/venues/900") == before
    assert "has no record 2" in deciding.fails("entity", "rekey", "directus", "venues", str(pairs))
    pairs.write_text("old_record_id,new_record_id\n900,2\n")
    again = deciding("entity", "rekey", "directus", "venues", str(pairs), "--by", "eva", "--json")
    assert json.loads(again)["entity_map"] == 1
    noted = "select decided_by, source, table_name, records from identity.rekeyings order by id"
    assert house.rows(noted) == [(by, "directus", "venues", 1) for by in ("ana", "eva")]
    for text, words in (("", "is no CSV"), ("a,b\n1,2\n", "its first line must be old_record_id,new_record_id")):
        pairs.write_text(text)
        assert words in deciding.fails("entity", "rekey", "directus", "venues", str(pairs))
    assert "does not exist" in deciding.misused("entity", "rekey", "directus", "venues", "missing.csv")


def test_before_the_first_run_it_says_what_to_run(unused: Commands) -> None:
    for words in (["explain", NOBODY], ["merge", NOBODY, "x"], ["history", "x"]):
        assert unused.fails("entity", *words) == "there is no data yet: run `sonik run` first"
