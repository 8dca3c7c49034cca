"""The commands about claims, on a house that identity has resolved."""

import pytest

from sonik_assets.migrations import migrate
from tests.support.commands import Commands
from tests.support.review_scene import CAFE, CMS, SHOW, TWICE, House

USER = "u1"


@pytest.fixture
def claiming(deciding: Commands, house: House) -> Commands:
    """The house with claims."""
    migrate(house.connection)
    # As dbt makes it; a migration may have dropped what was there.
    house.connection.execute("""
        drop table if exists unified.entities;
        create table unified.entities as
        select distinct on (m.entity_id) m.entity_id as id, m.entity_type, p.name, '{}'::jsonb as metadata
        from identity.entity_map as m
        inner join identity.mentions as r using (source, table_name, record_id)
        inner join identity.profiles as p using (key)
        order by m.entity_id, r.embedded, r.ref;
        alter table unified.entities add primary key (id),
            add column claim_status text not null default 'unclaimed', add column claimed_by uuid;
        create table if not exists unified.features (id uuid, name text);
    """)
    house.connection.execute("select ops.guard_entities()")
    return deciding


def columns(house: House, id: str) -> tuple:
    query = "select claim_status, claimed_by::text from unified.entities where id = '{}'"
    return house.rows(query.format(id))[0]


def test_from_a_request_to_an_owner_and_back(claiming: Commands, house: House) -> None:
    cafe, person = str(house.id(CAFE)), house.id("mongo/users/u1")
    text = claiming("claim", "submit", "café azul", USER, "--method", "instagram_dm", "--evidence", "@cafeazul wrote")
    assert text == (
        f"Café Azul (lima) {cafe}\n  is pending: asked for by user u1, to be verified by instagram_dm, says ana\n"
        f"next: `sonik claim verify {cafe} --evidence TEXT` or `sonik claim reject {cafe} --reason TEXT`\n"
    )
    assert columns(house, cafe) == ("pending", None)
    text = claiming("claim", "verify", cafe, "--evidence", '{"code": 4711}', "--by", "ben")
    assert f"{cafe}\n  is claimed: owned by user u1, says ben\n" in text
    assert columns(house, cafe) == ("claimed", person)
    (row,) = claiming.json("claim", "list")
    assert (row["status"], row["entity_id"], row["claimant"], row["method"]) == (
        "claimed",
        cafe,
        person,
        "instagram_dm",
    )
    assert "Café Azul" in claiming("claim", "list", "--status", "claimed")
    done = claiming.json("claim", "revoke", cafe, "--reason", "not the owner")
    assert (done["entity_id"], done["status"], done["reason"], done["decided_by"]) == (
        cafe, "unclaimed", "not the owner", "ana",
    )  # fmt: skip
    assert columns(house, cafe) == ("unclaimed", None)
    assert "no claim is open" in claiming("claim", "list")
    logged = house.rows("select event, evidence from ops.claims order by seq")
    assert logged == [("submit", {"text": "@cafeazul wrote"}), ("verify", {"code": 4711}), ("revoke", None)]


def test_a_refusal_says_why_and_what_to_do(claiming: Commands, house: House) -> None:
    cafe = str(house.id(CAFE))
    submit = ("claim", "submit", cafe, USER, "--method")
    assert "there is no claim to verify" in claiming.fails("claim", "verify", cafe)
    assert "is no way to verify a claim: give instagram_dm" in claiming.fails(*submit, "pigeon")
    assert "there is no user nobody" in claiming.fails("claim", "submit", cafe, "nobody", "--method", "email")
    assert "is an event, which nobody owns" in claiming.fails(
        "claim", "submit", str(house.id(SHOW)), USER, "--method", "email"
    )
    claiming(*submit, "phone")
    assert "verify or reject that claim first" in claiming.fails(*submit, "phone")
    assert "reject it instead" in claiming.fails("claim", "revoke", cafe)
    assert "no claim of user u2 to verify" in claiming.fails("claim", "verify", cafe, "--user", "u2")
    assert "begins like JSON and is none" in claiming.fails("claim", "verify", cafe, "--evidence", "{x")
    text = claiming("claim", "reject", cafe, "--reason", "nobody answered")
    assert "is unclaimed: reject: user u1, nobody answered, says ana" in text
    assert "give pending or claimed" in claiming.misused("claim", "list", "--status", "odd")


def test_a_merge_tells_which_claim_it_ended(claiming: Commands, house: House) -> None:
    first, second = str(house.id(CMS)), str(house.id(TWICE))
    for id in (first, second):
        claiming("claim", "submit", id, USER, "--method", "email")
    text = claiming("entity", "merge", first, second)
    assert f"the claim of user u1 to {TWICE} has ended (reject: merged)" in text
    assert columns(house, first) == ("pending", None)


def test_before_the_first_run_there_is_nothing_to_claim(unused: Commands) -> None:
    assert "run `sonik run` first" in unused.fails("claim", "list")
