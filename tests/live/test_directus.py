"""The reader against a real Directus over PostgreSQL: the contract server's tests, and that nothing is changed."""

import tempfile
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

from resources import embedded
from resources.embedded.urls import with_database
from resources.errors import TerminalError
from tests.sources.test_directus import (  # noqa: F401
    LINE_UP,
    collection,
    ids,
    read,
    small_pages,
    test_a_bulk_update_gives_one_time_to_more_rows_than_a_page,
    test_a_collection_that_is_not_there,
    test_a_collection_without_clocks_is_read_whole_in_any_window,
    test_a_line_up_is_whole_and_known_by_the_artists_ids,
    test_a_read_goes_on_where_it_was_killed,
    test_a_window_begins_with_its_start_and_ends_before_its_end,
    test_a_wrong_token,
    test_a_wrong_url,
    test_deletes_come_from_the_activity_log,
    test_ids_are_all_ids,
    test_marked_records_come_whatever_their_clock_and_are_gone_where_they_are_not_there,
    test_new_and_updated_records_come_once,
    test_touched_days,
)
from tests.support.real_directus import RealDirectus, running

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def server(endpoints: embedded.Endpoints) -> Iterator[RealDirectus]:
    name = f"directus_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(endpoints.postgres, autocommit=True) as connection, tempfile.TemporaryDirectory() as folder:
        connection.execute(f"create database {name} template template0")
        with running(with_database(endpoints.postgres, name), Path(folder)) as directus:
            yield directus
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def cms(server: RealDirectus) -> Iterator[RealDirectus]:
    yield server
    server.clear()


def test_a_full_extract_changes_nothing(cms: RealDirectus) -> None:
    artists = [cms.insert("artists", name=f"a{n}") for n in range(5)]
    events = [cms.insert("events", name=f"e{n}", price_min="12.50") for n in range(5)]
    cms.link(LINE_UP, "artists_id", events[0], artists)
    cms.update("events", *events[1:], name="renamed")
    cms.delete("artists", artists[0])
    before = cms.dump()
    for name in ("directus.artists", "directus.events", "directus.events_artists"):
        assert read(cms, name, marked=[str(each) for each in artists])
        assert sum(map(len, collection(cms, name).ids()))
        collection(cms, name).touched(cms.now)
    assert cms.dump() == before


@pytest.mark.usefixtures("small_pages")
def test_a_record_that_nobody_touches_is_read_while_others_change(cms: RealDirectus) -> None:
    some = [cms.insert("venues", name=f"v{n}") for n in range(120)]
    touched, calm = some[::2], set(some[1::2])

    def write() -> None:
        for n, id in enumerate(touched):
            cms.delete("venues", id) if n % 2 else cms.update("venues", id, name="renamed")

    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write)
        while not writing.done():
            assert set(ids(read(cms))) >= calm
        writing.result()


@pytest.mark.parametrize("hidden", ["events_artists", "events", "id of the junction"])
def test_a_line_up_that_the_role_may_not_read_is_an_error(cms: RealDirectus, hidden: str) -> None:
    event = cms.insert("events", name="festival")
    cms.link(LINE_UP, "artists_id", event, [cms.insert("artists", name="a")])
    name = "events" if hidden == "events" else "events_artists"
    fields = {"events": ("id", "name", "date_created", "date_updated"), "id of the junction": ("id", "events_id")}
    cms.permit(name, *fields.get(hidden, ()))
    try:
        with pytest.raises(TerminalError, match="artists"):
            read(cms, "directus.events")
    finally:
        cms.permit(name, "*")
