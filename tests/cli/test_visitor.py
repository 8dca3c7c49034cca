"""A visitor's link to a user is taken back and given again on the command line."""

from tests.support.commands import Commands
from tests.support.review_scene import House

STATUS = "select status from identity.visitors where anonymous_id = 'anon'"


def test_undo_and_redo(deciding: Commands, house: House) -> None:
    text = deciding("visitor", "undo", "anon", "u1", "--reason", "shared tablet")
    assert text.startswith("visitor anon is not user u1\nnext: `sonik run`")
    assert house.rows(STATUS) == [("undone",)]
    said = "select decided_by, reason from identity.visitor_undos"
    assert house.rows(said) == [("ana", "shared tablet")]
    assert deciding("visitor", "redo", "anon", "u1").startswith("visitor anon may be user u1 again\n")
    assert house.rows(STATUS) == [("linked",)]


def test_what_is_not_linked_cannot_be_undone(deciding: Commands) -> None:
    assert deciding.fails("visitor", "undo", "anon", "u9") == ("visitor anon is not linked to user u9: nothing to undo")
    assert deciding.fails("visitor", "redo", "anon", "u1") == "the link of visitor anon to user u1 is not undone"
    assert "Missing argument" in deciding.misused("visitor", "undo", "anon")
