"""`sonik entity edit`, on a house that identity has resolved."""

from sonik_assets.migrations import migrate
from tests.support.commands import Commands
from tests.support.review_scene import CAFE, House


def test_edits_are_told_listed_and_taken_back(deciding: Commands, house: House) -> None:
    migrate(house.connection)
    cafe = str(house.id(CAFE))
    text = deciding("entity", "edit", cafe, "capacity=80", "city=Lima", 'genres=["salsa"]', "--reason", "they said so")
    assert text == (
        f"Café Azul (lima) {cafe}\n  capacity: 80, says ana (staff)\n  city: Lima, says ana (staff)\n"
        '  genres: ["salsa"], says ana (staff)\nnext: `sonik run` shows it, in search, graph and reports too\n'
    )
    text = deciding("entity", "edit", cafe)
    assert all(word in text for word in ("capacity", "Lima", "salsa", "they said so", "ana (staff)"))
    text = deciding("entity", "edit", cafe, "city=", "--by", "ben")
    assert "  city: taken back, what its records say holds again\n" in text
    found = {each["attribute"]: (each["value"], each["edited_by"]) for each in deciding.json("entity", "edit", cafe)}
    assert found == {"capacity": (80, "ana"), "genres": (["salsa"], "ana")}


def test_a_refusal_says_why_and_what_to_do(deciding: Commands, house: House) -> None:
    migrate(house.connection)
    cafe = str(house.id(CAFE))
    edit = ("entity", "edit", cafe)
    assert "nobody has edited it" in deciding(*edit)
    assert "is no edit: give ATTRIBUTE=VALUE" in deciding.fails(*edit, "capacity")
    assert "begins like JSON and is none" in deciding.fails(*edit, "genres=[salsa")
    assert "capacity is a number" in deciding.fails(*edit, "capacity=NaN")
    assert "nobody has edited city" in deciding.fails(*edit, "city=")
    assert "boss is no role" in deciding.fails(*edit, "city=Lima", "--role", "boss")
    assert "has no open claim of user u1: `sonik claim submit`" in deciding.fails(
        *edit, "description=Un café", "--role", "claimant", "--by", "u1"
    )
    assert deciding.json(*edit) == []
