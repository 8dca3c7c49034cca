"""The gazetteer on a file, and the Google client against a server on 127.0.0.1."""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlparse

import googlemaps
import pytest

from resources.errors import TerminalError, TransientError
from resources.places import Gazetteer, GooglePlaces, Query, open_places
from sonik_assets.identity.normalize.text import name_key


def place(place_id, name, city, latitude=19.42, longitude=-99.16):
    query = {"name": name, "city": city, "country": "MX"}
    location = {"lat": latitude, "lng": longitude}
    return {
        "query": query,
        "place_id": place_id,
        "name": name,
        "formatted_address": "x",
        "location": location,
        "types": [],
    }


@pytest.fixture
def gazetteer(tmp_path):
    rows = [
        place("P1", "Bar Nébula", "Ciudad de México"),
        place("P2", "Bar Nébula", "Lima", -12.04, -77.03),
        place("P3", "Twin", "Lima", -12.04, -77.03),
        place("P4", "Twin", "Lima", -12.05, -77.04),
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
    ],
)
def test_gazetteer(gazetteer, query, found):
    (candidates,) = gazetteer.find([query])
    assert [candidate.place_id for candidate in candidates or []] == found


def test_a_broken_gazetteer_is_named(tmp_path):
    (tmp_path / "places.ndjson").write_text('{"place_id": "P1"}\n')
    with pytest.raises(TerminalError, match=r"places\.ndjson:1 is not a place"):
        open_places(tmp_path, name_key, {})


def test_no_gazetteer_is_no_error(tmp_path):
    assert open_places(tmp_path, name_key, {}) is None


def test_a_key_selects_google(tmp_path):
    found = open_places(tmp_path, name_key, {"GOOGLE_MAPS_API_KEY": "AIza-test"})
    assert isinstance(found, GooglePlaces)


@pytest.fixture
def google():
    """Yield a client of a local server, the queries it got, and the answer it gives."""
    asked, answer = [], {"status": "OK", "candidates": []}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(parse_qs(urlparse(self.path).query))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    client = googlemaps.Client(key="AIza-test", base_url=base, retry_timeout=1, retry_over_query_limit=False)
    yield client, asked, answer
    server.shutdown()
    server.server_close()


def test_google_is_asked_within_budget(google):
    client, asked, answer = google
    answer["candidates"] = [{"place_id": "P1", "name": "Bar", "geometry": {"location": {"lat": 1.0, "lng": 2.0}}}]
    queries = [Query("Bar", "Calle 1", "Lima", "PE", -12.0, -77.0), Query("Other")]
    first, second = GooglePlaces(client, budget=1).find(queries)
    assert first is not None
    assert [(found.place_id, found.latitude) for found in first] == [("P1", 1.0)]
    assert second is None
    assert asked[0]["input"] == ["Bar, Calle 1, Lima, PE"]
    assert asked[0]["locationbias"] == ["circle:5000@-12.0,-77.0"]
    assert len(asked) == 1


def test_nothing_found_is_an_answer(google):
    client, _, answer = google
    answer["status"] = "ZERO_RESULTS"
    assert GooglePlaces(client).find([Query("Bar")]) == [[]]


@pytest.mark.parametrize(("status", "error"), [("REQUEST_DENIED", TerminalError), ("OVER_QUERY_LIMIT", TransientError)])
def test_googles_refusals_are_told_apart(google, status, error):
    client, _, answer = google
    answer["status"] = status
    with pytest.raises(error, match="Google Places refused 'Bar'"):
        GooglePlaces(client).find([Query("Bar")])
