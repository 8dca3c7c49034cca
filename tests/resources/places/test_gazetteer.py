"""The gazetteer on a file, and who answers by the settings."""

import gzip
import json

import pytest

from resources.errors import TerminalError
from resources.places import Gazetteer, GooglePlaces, Query, Refreshing, open_places
from sonik_assets.identity.normalize.text import name_key


def place(place_id, name, city, latitude=19.42, longitude=-99.16):
    return {
        "query": {"name": name, "city": city, "country": "MX"},
        "place_id": place_id,
        "name": name,
        "formatted_address": "x",
        "location": {"lat": latitude, "lng": longitude},
        "types": [],
    }


@pytest.fixture
def gazetteer(tmp_path):
    rows = [
        place("P1", "Bar Nébula", "Ciudad de México"),
        place("P2", "Bar Nébula", "Lima", -12.04, -77.03),
        place("P3", "Twin", "Lima", -12.04, -77.03),
        place("P4", "Twin", "Lima", -12.05, -77.04),
        place("P5", "Dateline", "Suva", -17.0, 179.9999),
    ]
    path = tmp_path / "places.ndjson.gz"
    path.write_bytes(gzip.compress("\n".join(json.dumps(row) for row in rows).encode()))
    return Gazetteer(path, name_key)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query("Nebula Bar", city="CIUDAD DE MEXICO"), ["P1"]),
        (Query("Bar Nebula", city="CDMX", latitude=19.421, longitude=-99.161), ["P1"]),
        (Query("Bar Nebula", city="CDMX"), []),
        (Query("Bar Nebula"), []),
        (Query("Bar Nebula", city="Lima", latitude=-12.5, longitude=-77.03), []),
        (Query("Twin", city="Lima"), ["P3", "P4"]),
        (Query("Other", city="Lima"), []),
        (Query("Dateline", latitude=-17.0, longitude=-179.9999), ["P5"]),
    ],
)
def test_gazetteer(gazetteer, query, found):
    (candidates,) = gazetteer.find([query])
    assert [candidate.place_id for candidate in candidates or []] == found


def test_its_ids_do_not_change(gazetteer):
    assert not isinstance(gazetteer, Refreshing)


def test_a_broken_gazetteer_is_named(tmp_path):
    (tmp_path / "places.ndjson").write_text('{"place_id": "P1"}\n')
    with pytest.raises(TerminalError, match=r"places\.ndjson:1 is not a place"):
        open_places(tmp_path, name_key, {})


def test_no_gazetteer_is_no_error(tmp_path):
    assert open_places(tmp_path, name_key, {}) is None


def test_a_key_selects_google(tmp_path):
    found = open_places(tmp_path, name_key, {"GOOGLE_MAPS_API_KEY": "AIza-test"})
    assert isinstance(found, GooglePlaces)
    assert isinstance(found, Refreshing)
