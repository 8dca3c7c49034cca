"""Which value survives, against a rule written a second time; what entities show of it after a build."""

from datetime import UTC, datetime, timedelta
from functools import cache, cmp_to_key
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment, StrictUndefined
from psycopg.types.json import Jsonb

from sonik_assets.unified import dbt, edits
from tests.support.built import NOW, Built

CLOCKS = st.none() | st.integers(0, 3).map(lambda days: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=days))
VALUES = st.sampled_from(["a", "b", "longer", "longest"])
TOLD = st.tuples(st.integers(0, 4), CLOCKS, VALUES)
NEWEST, FULLEST = {"followers", "job_title"}, {"bio", "description", "genres", "line_up"}


@cache
def order() -> str:
    """Return the ORDER BY of the survivors, as models have it."""
    text = (dbt.PROJECT / "macros" / "survivorship.sql").read_text()
    rules: dict[str, str] = {}

    def give_back(value: dict[str, str]) -> str:
        rules.update(value)
        return ""

    environment = Environment(undefined=StrictUndefined)  # noqa: S701 - SQL of ours, no page
    environment.from_string(text + "{{ attribute_rules() }}").render({"return": give_back})
    assert {name for name, rule in rules.items() if rule == "newest"} == NEWEST
    assert {name for name, rule in rules.items() if rule == "fullest"} == FULLEST
    # dbt's `return` ends a macro with a value, which Jinja alone has no word for.
    known = text.replace("attribute_rules().items()", "rules.items()")
    return (
        environment.from_string(known + "{{ survival_order() }}").render({"return": give_back, "rules": rules}).strip()
    )


def survivor(attribute: str, told: list[tuple[int, datetime | None, str]]) -> str:
    """Return the value that survives, by the rule as docs/survivorship.md has it."""
    edited = [(number, each) for number, each in enumerate(told) if each[0] == 0]

    def newer(one: datetime | None, other: datetime | None) -> int:
        if one == other:
            return 0
        return -1 if other is None or (one is not None and one > other) else 1

    def before(one: tuple[int, Any], other: tuple[int, Any]) -> int:
        (place, (trust, at, value)), (other_place, (other_trust, other_at, other_value)) = one, other
        first = trust - other_trust
        if edited or attribute in NEWEST:
            first = 0
        elif attribute in FULLEST:
            first = len(other_value) - len(value)
        return first or newer(at, other_at) or trust - other_trust or place - other_place

    return min(edited or list(enumerate(told)), key=cmp_to_key(before))[1][2]


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(["name", "followers", "bio"]), st.lists(TOLD, min_size=1, max_size=6))
def test_the_same_value_survives_as_by_the_rule_in_words(
    server: psycopg.Connection[Any], attribute: str, told: list[tuple[int, datetime | None, str]]
) -> None:
    rows = [
        {"trust": trust, "updated_at": at and at.isoformat(), "value": value, "record_id": f"{place}"}
        for place, (trust, at, value) in enumerate(told)
    ]
    (found,) = server.execute(
        f"select value #>> '{{}}' from (select %s as attribute, 's' as source, 't' as table_name, r.*"
        " from jsonb_to_recordset(%s) as r (trust int, updated_at timestamptz, value jsonb, record_id text)) as told"
        f" order by {order()} limit 1",
        [attribute, Jsonb(rows)],
    ).fetchone() or (None,)
    assert found == survivor(attribute, told)


def test_what_an_entity_shows_and_where_it_is_from(built: Built) -> None:
    venue, artist, event = (built.entity(f"directus/{ref}") for ref in ("venues/v6", "artists/a6", "events/e6"))
    # Half a place is none: the scraper's place is taken whole.
    built.write("directus/venues/v6", NOW, latitude=99)
    built.write("scraper/artist_profiles/p6", NOW + timedelta(days=1), followers=777, genres=["Cumbia", "Champeta"])
    edits.edit(built.connection, venue, {"city": "Callao", "phone": "1"}, "eva")
    edits.edit(built.connection, venue, {"phone": None}, "eva")
    edits.edit(built.connection, event, {"genres": ["Tango"], "price_max": 999, "status": "moved"}, "eva")
    built.run("--select", "source_records", "entities", "events", "venues", "conflicts")
    shown = "select metadata from unified.entities where id = %s"
    found = built.one(shown, venue)
    said = {name: found["provenance"][name]["source"] for name in ("name", "city", "phone", "coordinates")}
    assert said == {"name": "directus", "city": "edit", "phone": "scraper", "coordinates": "scraper"}
    assert found["provenance"]["coordinates"]["record"] == "scraper/venue_info/i6"
    assert (found["city"], found["phone"]) == ("Callao", "+51 1 444 5506")
    assert {"latitude", "longitude"} <= set(found)
    assert "coordinates" not in found
    played = built.one(shown, artist)
    assert (played["followers"], played["genres"]) == (777, ["Cumbia", "Champeta"])
    row = "select genres::text || price_min || ' ' || price_max || status from unified.events where id = %s"
    assert built.column(row, event) == ["{tango}15 999moved"] or built.column(row, event) == ["{tango}16 999moved"]
    # a person has settled it: no contradiction any more
    contradicting = "select attribute from marts.conflicts where entity_id = %s"
    assert "city" not in built.column(contradicting, venue)
    assert "category" in built.column(contradicting, venue)
