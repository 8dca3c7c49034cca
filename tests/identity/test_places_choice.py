"""What makes the one candidate of a look-up the place, and what is a doubt for a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.places import Place, Query
from sonik_assets.identity.places.choice import DOUBTED_METRES, choose, doubt

HERE = {"latitude": -12.0, "longitude": -77.0}


@pytest.mark.parametrize(
    ("query", "place", "why"),
    [
        (Query("Bar Nébula", city="Lima"), Place("P", "NEBULA bar", "Av. Sol 1, Lima 15, Perú"), None),
        (Query("Bar Nébula", city="Lima"), Place("P", "Bar Nébula", "Av. Sol 1, Limatambo, Perú"), "city"),
        (Query("Bar Nébula", city="Lima"), Place("P", "Bar Nébula", city="Cusco"), "city"),
        (Query("Bar Nébula", city="Lima"), Place("P", "Bar Nébula"), None),
        (Query("Bar Nébula"), Place("P", "Bar Nébula", "Av. Sol 1, Lima"), "nowhere"),
        (Query("Bar Nébula", city="Lima"), Place("P", "Teatro Colón", "Av. Sol 1, Lima"), "name"),
        (Query("Bar Nébula", city="Lima", **HERE), Place("P", "Bar Nébula", "Callao", -12.008, -77.0), None),
        (
            Query("Bar Nébula", "Sol 5", "Lima", **HERE),
            Place("P", "Bar Nébula", "Av. Sol 5, Lima", -12.03, -77.0),
            None,
        ),
        (
            Query("Bar Nébula", "Sol 5", "Lima", **HERE),
            Place("P", "Bar Nébula", "Av. Sol 7, Lima", -12.03, -77.0),
            "far",
        ),
        (Query("Bar Nébula", "Sol 5", "Lima"), Place("P", "Bar Nébula", "Av. Sol 7, Lima"), "address"),
        (Query("Bar Nébula", "Sol 5", "Lima"), Place("P", "Bar Nébula", "Av. Sol 5, Lima"), None),
        (Query("Bar Nébula", city="Lima", **HERE), Place("P", "Bar Nébula", "Lima", -12.06, -77.0), "far"),
        # A name within another says little where it is one word, unless it is at the door.
        (Query("Restaurante", **HERE), Place("P", "Restaurante El Güero", None, -12.008, -77.0), "name"),
        (Query("Restaurante", **HERE), Place("P", "Restaurante El Güero", None, -12.0005, -77.0), None),
        (Query("La Casa", city="Lima"), Place("P", "Casa de la Música", "Lima"), "name"),
        (Query("La Casa", "Sol 5", "Lima"), Place("P", "Casa de la Música", "Av. Sol 5, Lima"), None),
        (Query("Nébula Bar", **HERE), Place("P", "Nébula Bar Lounge", None, -12.008, -77.0), None),
        # A part of a house is not the house, how near it ever is.
        (
            Query("Teatro Metropólitan", **HERE),
            Place("P", "Estacionamiento Teatro Metropólitan", None, -12.0, -77.0),
            "name",
        ),
        (Query("Bar Nébula", **HERE), Place("P", "", None, -12.0, -77.0), "name"),
        (Query("Bar Nébula", **HERE), Place("P", "★★★", None, -12.0, -77.0), "name"),
        (Query("★★★", **HERE), Place("P", "★★★", None, -12.0, -77.0), "name"),
        # Most letters are shared, but a word of its own is left on either side.
        (Query("Sala 1", **HERE), Place("P", "Sala 2", None, -12.0, -77.0), "name"),
        (Query("Bar Uno", city="Lima"), Place("P", "Bar Dos", "Lima"), "name"),
        (Query("Bar Nébulla", **HERE), Place("P", "Nebula Bar", None, -12.008, -77.0), None),
        # Another house beyond the next door.
        (
            Query("Bar", "Av. Uno 100", **HERE),
            Place("P", "Bar Otro", "Av. Dos 999", -12.008, -77.0),
            "name",
        ),
        (
            Query("Bar Nébula", "Av. Larco 100", "Lima", **HERE),
            Place("P", "Bar Nébula", "Av. Pardo 999, Lima", -12.008, -77.0),
            "address",
        ),
        (
            Query("Bar Nébula", "Av. Larco 100", "Lima", **HERE),
            Place("P", "Bar Nébula", "Av. Pardo 999, Lima", -12.0005, -77.0),
            None,
        ),
        (
            Query("Bar Nébula", "Av. Larco 100, Lima", "Lima", **HERE),
            Place("P", "Bar Nébula", "Av. Pardo 100, Lima", -12.008, -77.0),
            "address",
        ),
        (
            Query("Bar Nébula", "Av. Larco, Lima", "Lima", **HERE),
            Place("P", "Bar Nébula", "Av. Pardo 100, Lima", -12.008, -77.0),
            "address",
        ),
        (
            Query("Bar Nébula", "Plaza Sur, Av. Larco 100, Lima", "Lima", **HERE),
            Place("P", "Bar Nébula", "Av. Larco 100, Lima", -12.03, -77.0),
            None,
        ),
    ],
)
def test_what_agrees(query, place, why):
    assert doubt(query, place) == why
    assert choose(query, [place]).status == ("doubtful" if why else "found")


@given(st.floats(-80, 80), st.floats(-180, 180), st.floats(0.9, 1.1))
def test_near_is_by_metres_wherever_it_is(latitude, longitude, share):
    north = latitude + share * DOUBTED_METRES / 111_195
    query = Query("Bar", latitude=latitude, longitude=longitude)
    found = doubt(query, Place("P", "Bar", None, north, longitude))
    assert found == ("far" if share > 1.001 else None) or 0.999 < share <= 1.001


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_name_of_no_words_is_like_nothing(ours, theirs):
    for query, place in ((Query(ours, **HERE), Place("P", "★", None, -12.0, -77.0)), (Query("", **HERE), _at(theirs))):
        assert doubt(query, place) == "name"


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_name_is_one_from_either_side(ours, theirs):
    assert doubt(Query(ours, **HERE), _at(theirs)) == doubt(Query(theirs, **HERE), _at(ours))


def _at(name):
    return Place("P", name, None, -12.0, -77.0)
