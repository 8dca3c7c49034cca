"""The stage on a real server: what links, what must not, and that ids never change."""

import pytest

from resources.errors import TerminalError
from resources.places import Place
from sonik_assets.identity.resolve import Options, resolve

TABLES = ("identifiers", "entity_map", "entities", "redirects", "event_times", "places_cache", "visitors")
BAR = {"name": "Bar Nébula", "city": "Ciudad de México", "country": "MX", "latitude": 19.42, "longitude": -99.16}


@pytest.fixture
def full(world):
    world.mention("directus/venues/1", "venue", **BAR, google_place_id="P1", instagram="@BarNebula")
    world.mention("scraper/venue_info/ra:9", "venue", name="Nebula Bar", instagram="instagram.com/barnebula/?hl=es")
    world.mention(
        "scraper/event_listings.venue/ra:e1", "venue", embedded=True, name="bar nebula", city="ciudad de mexico"
    )
    world.mention("scraper/event_listings.venue/ra:e2", "venue", embedded=True, name="Nowhere", city="Lima")
    world.mention("mongo/users/u1", "person", email="Ana@Mail.com", user_id="u1")
    world.mention("twenty/people/t1", "person", email="ana@mail.com", name="Ana")
    world.event(
        "directus/events/7", name="Juanes en vivo", venue="directus/venues/1", starts_at_text="2026-03-01T01:30:00"
    )
    world.event(
        "scraper/event_listings/ra:e1",
        name="JUANES - Bar Nébula (28/02)",
        venue="scraper/event_listings.venue/ra:e1",
        starts_at_text="2026-03-01T07:30:00Z",
        venue_name="bar nebula",
    )
    world.evidence("anon", "u1", "2026-02-10T00:00Z")
    return world


def test_one_thing_of_several_sources_is_one_entity(full):
    report = resolve(full.connection)
    venue = full.id("directus/venues/1")
    assert venue == full.id("scraper/venue_info/ra:9") == full.id("scraper/event_listings.venue/ra:e1")
    assert full.id("scraper/event_listings.venue/ra:e2") is None
    assert full.id("mongo/users/u1") == full.id("twenty/people/t1")
    assert report.entities == {"venue": 1, "person": 1, "event": 1}
    assert report.unresolved == 1
    assert full.rows(
        "select distinct canonical_scheme, canonical_id from identity.entities where entity_type = 'venue'"
    ) == [("google_places_id", "P1")]


def test_a_night_past_midnight_belongs_to_the_evening_it_began(full):
    resolve(full.connection)
    assert full.id("directus/events/7") == full.id("scraper/event_listings/ra:e1")
    rows = full.rows("select distinct local_date::text, zone, starts_at::text from identity.event_times")
    assert [row[:2] for row in rows] == [("2026-02-28", "America/Mexico_City")]
    key = full.rows("select canonical_id from identity.entities where canonical_scheme = 'event_key'")[0][0]
    assert key.startswith(f"{full.id('directus/venues/1')}|2026-02-28||")


def test_a_ticket_page_joins_the_spellings_of_one_show_and_not_a_tour(world):
    here, there = "directus/venues/1", "directus/venues/2"
    world.mention(here, "venue", name="Bar Nébula", city="Lima", country="PE")
    world.mention(there, "venue", name="Teatro Roma", city="Lima", country="PE")
    shows = {
        "moved": [(here, "2026-03-06T21:00:00"), (here, "2026-03-20")],
        "somewhere": [(here, "2026-03-06T21:00:00"), ("//", "2026-03-06")],
        "yearly": [(here, "2026-03-06"), (here, "2027-03-05")],
        "tour": [(here, "2026-04-07"), (there, "2026-04-08")],
    }
    for page, pair in shows.items():
        for source, (venue, at) in zip(("directus/events/", "scraper/event_listings/ra:"), pair, strict=True):
            name = f"Gira {page} {source[:2]}"
            said = {"country": "PE", "ticket_url": f"https://tix.pe/{page}"}
            world.event(source + page, name=name, venue=venue, starts_at_text=at, **said)
    resolve(world.connection, options=Options(matchers={}))
    joined = {page for page in shows
              if world.id(f"directus/events/{page}") == world.id(f"scraper/event_listings/ra:{page}")}  # fmt: skip
    assert joined == {"moved", "somewhere"}


def test_second_run_rewrites_nothing(full):
    resolve(full.connection)
    state = {name: full.rows(f"select xmin::text, ctid::text from identity.{name} order by 2") for name in TABLES}
    changes = full.rows("select count(*) from unified.changes")
    report = resolve(full.connection, options=Options(full=True))
    assert state == {
        name: full.rows(f"select xmin::text, ctid::text from identity.{name} order by 2") for name in TABLES
    }
    assert changes == full.rows("select count(*) from unified.changes")
    assert sum(counts.total for counts in report.written.values()) == 0


def test_a_chains_handle_merges_no_two_places(world):
    world.mention("directus/venues/1", "venue", name="Roxy Norte", google_place_id="P1", instagram="roxy")
    world.mention("directus/venues/2", "venue", name="Roxy Sur", google_place_id="P2", instagram="roxy")
    world.mention("scraper/venue_info/a:1", "venue", name="Roxy", instagram="roxy")
    resolve(world.connection)
    ids = {world.id(ref) for ref in ("directus/venues/1", "directus/venues/2", "scraper/venue_info/a:1")}
    assert len(ids) == 3
    assert world.rows("select distinct weak from identity.identifiers where value = 'instagram.com/roxy'") == [(True,)]
    assert world.rows("select canonical_scheme, count(*) from identity.entities group by 1 order by 1") == [
        ("google_places_id", 2),
        ("uuid", 1),
    ]


def test_an_entity_keeps_its_id_when_it_gets_a_canonical_id(world):
    world.mention("directus/venues/1", "venue", **BAR)
    resolve(world.connection)
    first = world.id("directus/venues/1")
    assert world.rows("select canonical_scheme, canonical_id from identity.entities") == [("uuid", first)]
    world.mention("directus/venues/1", "venue", **BAR, google_place_id="P1")
    resolve(world.connection)
    assert world.id("directus/venues/1") == first
    assert world.rows("select canonical_scheme, canonical_id from identity.entities") == [("google_places_id", "P1")]


def test_a_merge_keeps_the_oldest_id_and_leaves_a_redirect(world):
    world.mention("scraper/venue_info/a:2", "venue", name="Nebula", instagram="@nebula")
    resolve(world.connection)
    world.mention("directus/venues/1", "venue", name="Nebula", google_place_id="P1")
    resolve(world.connection)
    old, new = world.id("scraper/venue_info/a:2"), world.id("directus/venues/1")
    world.mention("directus/venues/1", "venue", name="Nebula", google_place_id="P1", instagram="@nebula")
    resolve(world.connection)
    assert world.id("directus/venues/1") == world.id("scraper/venue_info/a:2") == old
    assert world.rows("select old_id::text, new_id::text, reason from identity.redirects") == [(new, old, "merged")]
    assert world.rows("select kind, entity_id::text, new_id::text from unified.changes order by seq")[-1] == (
        "merged",
        new,
        old,
    )


def test_a_deleted_record_tombstones_its_entity_and_comes_back_to_the_same_id(world):
    world.mention("directus/venues/1", "venue", name="Nebula", instagram="@nebula")
    world.mention("directus/venues/2", "venue", name="Otro")
    resolve(world.connection)
    first = world.id("directus/venues/1")
    world.delete("directus/venues/1")
    resolve(world.connection)
    assert world.id("directus/venues/1") == first
    assert world.rows(f"select 1 from identity.entities where entity_id = '{first}'") == []
    assert world.rows("select count(*) from identity.identifiers where valid_to is not null") == [(1,)]
    world.mention("directus/venues/1", "venue", name="Nebula", instagram="@nebula")
    resolve(world.connection)
    assert world.id("directus/venues/1") == first
    assert world.rows("select count(*) from identity.identifiers where valid_to is not null") == [(0,)]
    kinds = [row[0] for row in world.rows(f"select kind from unified.changes where entity_id = '{first}' order by seq")]
    assert kinds == ["created", "tombstoned", "created"]


def test_a_split_leaves_the_id_with_most_records(world):
    for ref in ("directus/venues/1", "scraper/venue_info/a:2", "scraper/venue_info/b:3"):
        world.mention(ref, "venue", name="Nebula", instagram="@nebula")
    resolve(world.connection)
    whole = world.id("directus/venues/1")
    world.mention("directus/venues/1", "venue", name="Cueva", instagram="@other")
    resolve(world.connection)
    assert world.id("scraper/venue_info/a:2") == world.id("scraper/venue_info/b:3") == whole
    part = world.id("directus/venues/1")
    assert part != whole
    assert world.rows("select kind, entity_id::text, new_id::text from unified.changes order by seq")[-1] == (
        "split",
        whole,
        part,
    )


def test_an_emptied_staging_is_refused(world):
    world.mention("directus/venues/1", "venue", name="Nebula")
    resolve(world.connection)
    world.delete("directus/venues/1")
    with pytest.raises(TerminalError, match="is empty though 1 entities live"):
        resolve(world.connection)
    assert world.rows("select count(*) from identity.entities") == [(1,)]


def test_missing_staging_is_said_clearly(world):
    world.connection.execute("drop table staging.mentions")
    with pytest.raises(TerminalError, match=r"staging.mentions does not exist"):
        resolve(world.connection)


class Places:
    origin = "test"
    keeps = None
    asked = 0

    def find(self, queries):
        self.asked += len(queries)
        found = {"Bar Nébula": ["P1"], "Twin": ["P2", "P3"]}
        return [[Place(place, query.name) for place in found.get(query.name, [])] for query in queries]


def test_places_are_looked_up_once(world):
    world.mention("directus/venues/1", "venue", **BAR)
    world.mention("directus/venues/2", "venue", name="Twin")
    world.mention("directus/venues/3", "venue", name="Unknown")
    world.mention("directus/venues/4", "venue", name="Elsewhere named", google_place_id="P1")
    places = Places()
    report = resolve(world.connection, places)
    told = {"asked": 3, "ambiguous": 1, "doubtful": 0, "unknown": 1, "waiting": 0, "moved": 0, "gone": 0}
    assert report.places == told
    assert world.id("directus/venues/1") == world.id("directus/venues/4")
    state = world.rows("select xmin::text from identity.places_cache order by 1")
    again = resolve(world.connection, places, Options(full=True))
    assert again.places == told | {"asked": 0}
    assert places.asked == 3
    assert world.rows("select xmin::text from identity.places_cache order by 1") == state


def test_visitors_become_users(full):
    full.mention("mongo/users/u2", "person", user_id="u2")
    full.evidence("anon", "u2", "2026-02-20T00:00Z")
    resolve(full.connection)
    rows = full.rows(
        "select user_record, valid_from::date::text, valid_to::date::text, status from identity.visitors order by 1"
    )
    assert rows == [("u1", "2026-01-11", "2026-02-20", "linked"), ("u2", "2026-02-20", None, "linked")]
