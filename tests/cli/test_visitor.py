"""A visitor's link to a user is taken back and given again on the command line."""

import pytest

from resources.embedded import Endpoints
from tests.support.commands import Commands
from tests.support.review_scene import House, house

__all__ = ["house"]

STATUS = "select status from identity.visitors where anonymous_id = 'anon'"


@pytest.fixture
def sonik(house: House, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch) -> Commands:
    return Commands(monkeypatch, endpoints, house.url)


def test_undo_and_redo(sonik: Commands, house: House) -> None:
    text = sonik("visitor", "undo", "anon", "u1", "--reason", "shared tablet")
    assert text.startswith("visitor anon is not user u1\nnext: `sonik run`")
    assert house.rows(STATUS) == [("undone",)]
    said = "select decided_by, reason from identity.visitor_undos"
    assert house.rows(said) == [("ana", "shared tablet")]
    assert sonik("visitor", "redo", "anon", "u1").startswith("visitor anon may be user u1 again\n")
    assert house.rows(STATUS) == [("linked",)]


def test_what_is_not_linked_cannot_be_undone(sonik: Commands) -> None:
    assert sonik.fails("visitor", "undo", "anon", "u9") == ("visitor anon is not linked to user u9: nothing to undo")
    assert sonik.fails("visitor", "redo", "anon", "u1") == "the link of visitor anon to user u1 is not undone"
    assert "Missing argument" in sonik.misused("visitor", "undo", "anon")
