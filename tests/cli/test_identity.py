"""The commands about resolution as a whole: trials, matchers, and runs that are held."""

import json
import re
from dataclasses import replace

import pytest

from sonik_assets.identity import guard, matchers
from tests.support.commands import Commands
from tests.support.review_scene import CMS, LIKE, House


def test_a_trial_tells_what_a_threshold_would_change_and_writes_nothing(sonik: Commands, seen: House) -> None:
    before = seen.rows("select * from identity.entity_map order by 1, 2, 3")
    text = sonik("identity", "diff", "--link", "venue=0.99999999")
    assert text.startswith("a full run; venue: link from 1")
    shown = " ".join(text.split())
    assert "venue split 1" in shown
    assert f"split venue Peña Sinfonía Barranco (lima) {seen.id(LIKE[0])} loses {LIKE[1]}" in shown
    used = matchers.versions(seen.connection)["venue"]
    assert text.endswith(
        f"nothing was written; next: `sonik identity adopt {used} --link 0.99999999`, then `sonik run`\n"
    )
    assert seen.rows("select * from identity.entity_map order by 1, 2, 3") == before


def test_a_trial_as_things_are_changes_nothing(sonik: Commands) -> None:
    assert sonik.json("identity", "diff") == {"counts": [], "cases": [], "trained": {}}


KEPT = "select version from identity.matchers order by 1"


@pytest.mark.parametrize("words", [(), ("--link", "venue=0.99999999")])
def test_a_trial_names_the_matcher_that_it_trained_and_kept(
    deciding: Commands, house: House, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    used = matchers.load(house.connection, matchers.versions(house.connection)["venue"])
    other = replace(used, review=used.review / 2)
    monkeypatch.setattr("sonik_assets.identity.matching.model.train", lambda *_: other)
    assert (other.version,) not in house.rows(KEPT)
    text = deciding("identity", "diff", "--train", "venue", *words)
    assert f"{other.version} is trained and kept; it is not in use\n" in text
    more = " --link 0.99999999" if words else ""
    wanted = f"next: `sonik identity adopt {other.version}{more}`, then `sonik run`\n"
    assert text.endswith(wanted)
    assert ("nothing else was written; " + wanted in text) == bool(words)  # else nothing would change
    assert (other.version,) in house.rows(KEPT)
    assert deciding.json("identity", "diff", "--train", "venue", *words)["trained"] == {"venue": other.version}
    deciding(*wanted.removeprefix("next: `sonik ").partition("`")[0].split())


def test_a_trial_says_so_if_what_it_trained_is_in_use_already(deciding: Commands, house: House) -> None:
    used = matchers.versions(house.connection)["venue"]  # too few records to learn from
    text = deciding("identity", "diff", "--train", "venue")
    assert text.endswith(f"nothing would change\n{used} is trained; it is in use already\n")


@pytest.mark.parametrize("text", ["venue", "venue=2", "venue=x", "foo=0.9"])
def test_a_threshold_that_makes_no_sense_is_wrong_usage(sonik: Commands, text: str) -> None:
    assert "Invalid value" in sonik.misused("identity", "diff", "--link", text)


def test_unknown_matchers_say_where_they_are_listed(sonik: Commands) -> None:
    wanted = "there is no matcher venue-0: `sonik identity matchers` lists them"
    assert sonik.fails("identity", "diff", "--matcher", "venue-0") == wanted
    assert sonik.fails("identity", "adopt", "venue-0") == wanted
    assert "no matcher of brand is in use: `sonik identity train brand`" in sonik.fails(
        "identity", "diff", "--link", "brand=0.9"
    )
    assert re.search(
        "asks people from 0.* on: link from there", sonik.fails("identity", "diff", "--link", "venue=0.001")
    )
    assert "no type foo" in sonik.misused("identity", "train", "foo")


def test_a_matcher_is_trained_then_adopted_with_another_threshold(deciding: Commands, house: House) -> None:
    used = matchers.versions(house.connection)["venue"]
    version, *_ = deciding("identity", "train", "venue").split()
    assert version == used  # too few records to learn from: the one that the package carries
    text = deciding("identity", "adopt", version, "--link", "0.8")
    assert re.search("is in use: link from 0.8, review from 0.*\nnext: `sonik run`", text)
    rows = {row["version"]: row for row in deciding.json("identity", "matchers")}
    assert [rows[version]["in_use"], rows[text.split()[0]]["in_use"]] == [False, True]
    assert matchers.versions(house.connection)["venue"] == text.split()[0] != version
    shown = deciding("identity", "matchers")
    assert "venue-" in shown
    assert max(map(len, shown.splitlines())) <= 80
    house.connection.execute("update identity.matchers set payload = 'x' where version = %s", [text.split()[0]])
    assert "damaged" in deciding("identity", "matchers")
    deciding("identity", "adopt", version)
    assert matchers.versions(house.connection)["venue"] == version


def test_a_held_run_shows_its_worst_cases_until_somebody_lets_it_through(deciding: Commands, house: House) -> None:
    assert deciding("identity", "held") == "no run is held\n"
    assert deciding("identity", "acknowledge") == "no run is held: nothing to acknowledge\n"
    worst = [{"type": "venue", "change": "merged", "entity": house.id(CMS), "count": 30}]
    guard.hold(house.connection, guard.HeldError(["30 of 90 venue entities would be merged"], worst))
    text = deciding("identity", "held")
    assert "30 of 90 venue entities would be merged" in text
    assert f"venue merged 30 Pastelería Joaquina (guadalajara) {house.id(CMS)}" in " ".join(text.split())
    assert text.endswith("next: mend the source, or `sonik identity acknowledge` and `sonik run`\n")
    assert json.loads(deciding("identity", "held", "--json"))["worst"][0]["name"] == "Pastelería Joaquina (guadalajara)"
    text = deciding("identity", "acknowledge")
    assert "ana lets it through: 30 of 90" in text
    assert "the next run may change as much, up to 10 % more" in text
    assert "acknowledged by ana: the next run may change as much, up to 10 % more" in deciding("identity", "held")


def test_undoing_one_account_undoes_the_persons_others(deciding: Commands, house: House) -> None:
    house.mention("mongo/users/u2", "person", user_id="u2")
    house.connection.execute(
        "insert into identity.entity_map (source, table_name, record_id, entity_id, entity_type, linked_by)"
        " select source, table_name, 'u2', entity_id, entity_type, linked_by"
        " from identity.entity_map where record_id = 'u1' and source = 'mongo'"
    )
    house.evidence("anon", "u2", "2026-03-05T00:00Z")
    status = "select user_record, status from identity.visitors where anonymous_id = 'anon' and status = 'linked'"
    text = deciding("visitor", "undo", "anon", "u2", "--reason", "shared tablet")
    assert text.startswith("visitor anon is not user u2, nor u1: the same person\nnext: `sonik run`")
    assert house.rows(status) == []
    text = deciding("visitor", "redo", "anon", "u2")
    assert text.startswith("visitor anon may be user u1 again, and u2: the same person\nnext: `sonik run`")
    assert house.rows(status) == [("u1", "linked")]


def test_before_the_first_run_it_says_what_to_run(unused: Commands) -> None:
    for command in ("held", "matchers", "acknowledge"):
        assert unused.fails("identity", command) == "there is no data yet: run `sonik run` first"
