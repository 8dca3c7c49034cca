"""Edits against a real server: who may edit what, what a value may be, what ends with a claim."""

from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg.types.json import Jsonb

from resources.errors import TerminalError
from sonik_assets.unified import edits
from tests.support.claims import ANA, BEN, Claimed

BAR, CLUB, NIGHT = "directus/venues/bar", "scraper/venue_info/club", "directus/events/night"
EVENTS = {"unclaimed": (), "pending": ("submit",), "claimed": ("submit", "verify")}


def values(claimed: Claimed, entity: str) -> dict[str, Any]:
    return {each.attribute: each.value for each in edits.standing(claimed.connection, entity)}


@pytest.fixture
def bar(claimed: Claimed) -> str:
    return claimed.entity(BAR)


@pytest.mark.parametrize(
    ("state", "role", "who", "attribute", "refused"),
    [
        ("unclaimed", "staff", "eva", "description", None),
        ("claimed", "staff", "eva", "capacity", None),
        ("unclaimed", "staff", "eva", "claim_status", "claim_status is nobody's to edit"),
        ("unclaimed", "claimant", ANA, "description", f"{BAR} has no open claim of user {ANA}: `sonik claim submit`"),
        ("unclaimed", "owner", ANA, "description", "has no open claim"),
        ("pending", "claimant", ANA, "description", None),
        ("pending", "claimant", ANA, "picture", None),
        ("pending", "claimant", ANA, "name", "a claimant may edit description, links, picture of .*, not name"),
        ("pending", "owner", ANA, "description", f"user {ANA} is the claimant of {BAR}, not its owner"),
        ("pending", "claimant", BEN, "description", "has no open claim of user ben"),
        ("claimed", "owner", ANA, "name", None),
        ("claimed", "owner", ANA, "domain", "domain says which records are one thing"),
        ("claimed", "owner", BEN, "name", "has no open claim of user ben"),
        ("claimed", "claimant", ANA, "description", "is the owner of .*, not its claimant"),
    ],
)
def test_who_may_edit_what(
    claimed: Claimed, bar: str, state: str, role: Any, who: str, attribute: str, refused: str | None
) -> None:
    for event in EVENTS[state]:
        claimed.write(event, BAR)
    value = {"capacity": 300, "picture": "https://bar.example/a.jpg"}.get(attribute, "El bar")
    if refused:
        with pytest.raises(TerminalError, match=refused):
            edits.edit(claimed.connection, bar, {attribute: value}, who, role)
        assert values(claimed, bar) == {}
    else:
        edits.edit(claimed.connection, bar, {attribute: value}, who, role)
        assert values(claimed, bar) == {attribute: value}


@pytest.mark.parametrize(
    ("attribute", "value", "becomes"),
    [
        ("name", " Bar Azul ", "Bar Azul"),
        ("name", 1984, "1984"),
        ("phone", 5512345678, "5512345678"),
        ("capacity", "350", 350),
        ("price_min", "49.50", 49.5),
        ("currency", "mxn", "MXN"),
        ("genres", ["techno"], ["techno"]),
        ("genres", [], []),
        ("coordinates", {"latitude": 19.43, "longitude": -99}, {"latitude": 19.43, "longitude": -99}),
        ("links", ["https://a.example"], ["https://a.example"]),
        ("opens", {"fri": "22:00"}, {"fri": "22:00"}),
    ],
)
def test_values_are_as_models_read_them(claimed: Claimed, bar: str, attribute: str, value: Any, becomes: Any) -> None:
    edits.edit(claimed.connection, bar, {attribute: value}, "eva")
    assert values(claimed, bar) == {attribute: becomes}


@pytest.mark.parametrize(
    ("attribute", "value", "refused"),
    [
        ("Name", "x", "Name is no name of an attribute"),
        ("a b", "x", "is no name of an attribute"),
        ("name", " ", "name is a text, and not empty"),
        ("name", ["x"], "name is a text"),
        ("name", "x" * 301, "at most 300"),
        ("description", "x" * 20_001, "longer than 20,000 bytes"),
        ("latitude", 4.6, "a place is one value"),
        ("coordinates", {"latitude": 91, "longitude": 0}, "coordinates are"),
        ("coordinates", {"latitude": 1}, "coordinates are"),
        ("coordinates", {"latitude": "1", "longitude": "2"}, "coordinates are"),
        ("coordinates", {"latitude": 1, "longitude": 2, "zoom": 3}, "coordinates are"),
        ("coordinates", [{"latitude": 1, "longitude": 2}], "coordinates are"),
        ("capacity", "many", "capacity is a number"),
        ("capacity", 12.5, "whole number"),
        ("capacity", -1, "whole number"),
        ("price_min", -1, "an amount from 0 on"),
        ("genres", "techno", "genres are texts"),
        ("genres", ["techno", " "], "genres are texts"),
        ("genres", [1], "genres are texts"),
        ("currency", "pesos", "three letters"),
        ("picture", "a.jpg", "begins with https"),
        ("records", 5, "counted, not told"),
        ("canonical_id", "x", "sonik entity alias"),
    ],
)
def test_values_that_cannot_be_are_refused(
    claimed: Claimed, bar: str, attribute: str, value: Any, refused: str
) -> None:
    with pytest.raises(TerminalError, match=refused):
        edits.edit(claimed.connection, bar, {"city": "Lima", attribute: value}, "eva")
    assert values(claimed, bar) == {}  # not the other one either


def test_an_event_is_edited_but_not_which_it_is(claimed: Claimed) -> None:
    night = claimed.entity(NIGHT, "event")
    edits.edit(claimed.connection, night, {"status": "cancelled", "price_max": 90}, "eva")
    for attribute in ("starts_at", "venue", "event_key"):
        with pytest.raises(TerminalError, match="says which records are one event"):
            edits.edit(claimed.connection, night, {attribute: "2026-01-01"}, "eva")
    with pytest.raises(TerminalError, match="status is scheduled, moved or cancelled"):
        edits.edit(claimed.connection, night, {"status": "draft"}, "eva")


_SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
_VALUES = st.recursive(
    _SCALARS | _TEXTS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["latitude", "longitude", "a"]), inner, max_size=3)
    ),
    max_leaves=6,
).filter(lambda value: value is not None)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["name", "coordinates", "genres", "capacity", "price_min", "picture", "x"]), _VALUES)
def test_any_value_is_kept_or_refused_for_what_it_is(claimed: Claimed, attribute: str, value: Any) -> None:
    with psycopg.connect(claimed.connection.info.dsn) as other:  # undone afterwards
        try:
            other.execute(
                "insert into ops.edits (entity_ref, attribute, value, role, edited_by)"
                " values (%s, %s, %s, 'staff', 'eva')",
                [f"mongo/users/{ANA}", attribute, Jsonb(value)],
            )
        except psycopg.errors.CheckViolation:
            assert attribute != "x"
        other.rollback()


def test_taken_back_from_every_record_of_a_merged_entity(claimed: Claimed, bar: str) -> None:
    club = claimed.entity(CLUB)
    edits.edit(claimed.connection, club, {"city": "Cusco"}, "eva")
    edits.edit(claimed.connection, bar, {"city": "Lima"}, "eva", reason="they moved")
    claimed.entity(CLUB, id=bar)
    assert values(claimed, bar) == {"city": "Lima"}
    taken = edits.edit(claimed.connection, bar, {"city": None}, "eva")
    assert {each.entity_ref for each in taken} == {BAR, CLUB}
    assert values(claimed, bar) == {}
    with pytest.raises(TerminalError, match="nobody has edited city"):
        edits.edit(claimed.connection, bar, {"city": None}, "eva")


@pytest.mark.parametrize(("state", "end"), [("pending", "reject"), ("pending", "expire"), ("claimed", "revoke")])
def test_edits_end_with_the_claim(claimed: Claimed, bar: str, state: str, end: str) -> None:
    edits.edit(claimed.connection, bar, {"description": "of staff"}, "eva")
    for event in EVENTS[state]:
        claimed.write(event, BAR)
    role: Any = "claimant" if state == "pending" else "owner"
    edits.edit(claimed.connection, bar, {"description": "first", "links": []}, ANA, role)
    edits.edit(claimed.connection, bar, {"description": "second"}, ANA, role)
    claimed.write(end, BAR)
    assert values(claimed, bar) == {"description": "of staff"}
    with pytest.raises(TerminalError, match="has no open claim"):
        edits.edit(claimed.connection, bar, {"description": "third"}, ANA, role)


def test_what_staff_edited_after_the_claimant_stays(claimed: Claimed, bar: str) -> None:
    claimed.write("submit", BAR)
    edits.edit(claimed.connection, bar, {"description": "of Ana"}, ANA, "claimant")
    edits.edit(claimed.connection, bar, {"description": "of staff"}, "eva")
    claimed.write("reject", BAR)
    assert values(claimed, bar) == {"description": "of staff"}


def test_an_edit_is_of_now_and_of_a_known_record(claimed: Claimed, bar: str) -> None:
    insert = (
        "insert into ops.edits (entity_ref, attribute, value, role, edited_by, at)"
        " values (%s, 'city', '\"Lima\"', 'staff', 'eva', '2020-01-01')"
    )
    claimed.connection.execute(insert, [BAR])
    assert claimed.one("select at > now() - interval '1 minute' from ops.edits where entity_ref = %s", BAR)
    with pytest.raises(psycopg.errors.CheckViolation, match="stands for nothing today"):
        claimed.connection.execute(insert, ["directus/venues/nobody"])
    for change in ("update ops.edits set value = null", "delete from ops.edits", "truncate ops.edits"):
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            claimed.connection.execute(change)
