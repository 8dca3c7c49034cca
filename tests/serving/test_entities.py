"""Entities, what is on and leads, read from PostgreSQL."""

from datetime import date

import pytest

from resources.errors import TerminalError
from sonik_assets.serving import entities, events, leads
from tests.support.scene import OLD, OLDER, Scene


def test_an_old_id_shows_the_entity_it_became(scene: Scene) -> None:
    found = entities.show(scene.pg, OLD)
    assert (str(found["id"]), found["metadata"]) == (scene.ids["Ñandú"], {"city": "Lima"})
    assert [(row["source"], row["record_id"]) for row in found["records"]] == [("directus", "7")]
    assert [str(row["old_id"]) for row in found["merged_from"]] == [OLDER]


def test_an_unknown_id_is_an_error(scene: Scene) -> None:
    with pytest.raises(TerminalError, match="there is no entity"):
        entities.show(scene.pg, "00000000-0000-7000-8000-00000000ffff")


@pytest.mark.parametrize("city", ["Bogotá", "bogota", " BOGOTÁ "])
def test_a_city_is_found_whatever_its_accents(scene: Scene, city: str) -> None:
    day = date(2026, 3, 1)
    rows = events.whats_on(scene.pg, city=city, first=day, last=day, limit=5)
    assert [row["event_name"] for row in rows] == ["Noche"]


def test_dates_are_local_and_included(scene: Scene) -> None:
    assert events.whats_on(scene.pg, city=None, first=date(2026, 3, 2), last=None, limit=5) == []
    assert events.whats_on(scene.pg, city=None, first=None, last=date(2026, 2, 28), limit=5) == []
    assert events.extent(scene.pg) == (date(2026, 3, 1), date(2026, 3, 1), ["Bogotá"])


def test_the_best_lead_comes_first(scene: Scene) -> None:
    rows = leads.leads(scene.pg, limit=5)
    assert [row["name"] for row in rows] == ["Crobar", "Nobody"]
    assert rows[0]["sentence"] == "We sent 847 clicks to your ticket page"
