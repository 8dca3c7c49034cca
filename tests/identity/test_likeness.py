"""Whose a value is: one thing's own, or common to several."""

from hypothesis import given
from hypothesis import strategies as st

from sonik_assets.identity.likeness import MOST_NAMES, Likeness, saturated
from sonik_assets.identity.normalize.text import alike, name_key

NAMES = st.text("abcdefg ", min_size=1, max_size=12).map(name_key)


@given(NAMES, NAMES)
def test_likeness_of_names_is_symmetric_and_reflexive(left, right):
    assert alike(left, right) == alike(right, left)
    assert alike(left, left)


def test_names_are_alike_by_words_or_by_letters():
    assert alike("nebula", "club nebula")
    assert alike("nebula bar", "nebulla bar")
    assert not alike("abcde", "abxyz")
    assert not alike("hard rock cafe", "la cerveceria")


def test_too_many_spellings_are_common_however_they_are_clustered():
    names = [f"nebula {number:02}" for number in range(MOST_NAMES + 1)]
    everyone = Likeness(names, [None] * len(names))
    assert saturated(names)
    assert not saturated([*names[1:], "", names[1]])
    assert everyone.is_shared("instagram_url", [list(range(len(names)))])
    assert everyone.is_shared("instagram_url", [[number] for number in range(len(names))])
    assert not everyone.is_shared("google_places_id", [list(range(len(names)))])
    assert not everyone.is_shared("instagram_url", [[number] for number in range(MOST_NAMES)])
