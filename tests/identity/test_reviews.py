"""What a run leaves to a person, and what becomes of it: reused identifiers; what it says of merged venues."""

import pytest

from resources.errors import TerminalError
from resources.places import Place
from sonik_assets.identity import decisions
from sonik_assets.identity.judgements import Decision
from sonik_assets.identity.resolve import Options, resolve

IDS = Options(matchers={})
FULL = Options(full=True, matchers={})
OLD, NEW = "directus/venues/1", "scraper/venue_info/ra:2"
LIVE = "select left_ref, right_ref, judgement, method from identity.judgements where retired_at is null order by 1, 2"


@pytest.fixture
def reused(world):
    """An artist gave up a handle, and later another one, named unlike, took it."""
    old, new = "directus/artists/1", "directus/artists/2"
    world.mention(old, "artist", name="Nébula", instagram="@nebula", updated_at="2026-01-01T00:00Z")
    world.mention(new, "artist", name="Los Otros", updated_at="2026-01-01T00:00Z")
    resolve(world.connection, options=IDS)
    world.mention(old, "artist", name="Nébula", instagram=None, updated_at="2026-02-01T00:00Z")
    resolve(world.connection, options=IDS)
    world.mention(new, "artist", name="Los Otros", instagram="@nebula", updated_at="2026-03-01T00:00Z")
    resolve(world.connection, options=IDS)
    return world


def handles(world):
    query = "select entity_id::text from identity.entities where canonical_id = 'instagram.com/nebula'"
    return [row[0] for row in world.rows(query)]


def test_a_reused_handle_opens_a_review_and_names_nobody(reused):
    old, new = "directus/artists/1", "directus/artists/2"
    assert reused.id(old) != reused.id(new)
    assert reused.rows(LIVE) == [(old, new, "unsure", "reused_identifier")]
    assert handles(reused) == []
    report = resolve(reused.connection, options=FULL)
    assert sum(counts.total for counts in report.written.values()) == 0


@pytest.mark.parametrize("judgement", ["same", "different"])
def test_whoever_a_reused_handle_is_judged_to_be_has_it_from_then_on(reused, judgement):
    old, new = "directus/artists/1", "directus/artists/2"
    decisions.judge(reused.connection, Decision(old, new, judgement), "ana")
    assert (reused.id(old) == reused.id(new)) == (judgement == "same")
    assert handles(reused) == [reused.id(new)]
    report = resolve(reused.connection, options=FULL)
    assert sum(counts.total for counts in report.written.values()) == 0


def test_the_review_ends_with_the_record_that_gave_the_handle_up(reused):
    reused.delete("directus/artists/1")
    resolve(reused.connection, options=IDS)
    assert reused.rows(LIVE) == []
    assert handles(reused) == [reused.id("directus/artists/2")]


def test_events_that_collide_because_their_venues_merge_say_so_for_good(world):
    one, other = "directus/venues/1", "scraper/venue_info/ra:2"
    world.mention(one, "venue", name="Nebula", google_place_id="P1")
    world.mention(other, "venue", name="Bar Nébula")
    for ref, venue in (("directus/events/1", one), ("scraper/event_listings/ra:e", other)):
        world.event(ref, name="Juanes", venue=venue, starts_at_text="2026-03-01T21:00:00")
    resolve(world.connection, options=IDS)
    shows = [world.id("directus/events/1"), world.id("scraper/event_listings/ra:e")]
    world.mention(other, "venue", name="Bar Nébula", google_place_id="P1")
    resolve(world.connection, options=IDS)
    assert {world.id("directus/events/1"), world.id("scraper/event_listings/ra:e")} == {min(shows)}
    assert ("directus/events/1", "scraper/event_listings/ra:e", "same", "venue_merged") in world.rows(LIVE)
    report = resolve(world.connection, options=FULL)
    assert sum(counts.total for counts in report.written.values()) == 0


class Register:
    """Google after a year: one id has become another."""

    origin, keeps = "google", None

    def find(self, queries):
        return [[] for _ in queries]

    def refresh(self, ids):
        return {one: {"P1": "P2"}.get(one, one) for one in ids}


def test_a_place_whose_id_changed_is_the_same_place_at_once(world):
    world.mention(OLD, "venue", name="Nebula", google_place_id="P1")
    world.mention(NEW, "venue", name="Otro nombre", google_place_id="P2")
    resolve(world.connection, options=IDS)
    assert world.id(OLD) != world.id(NEW)
    resolve(world.connection, Register(), IDS)
    assert world.id(OLD) == world.id(NEW)
    assert world.rows("select canonical_id from identity.entities") == [("P2",)]
    assert world.rows("select count(*) from identity.identifiers where verified_at is null") == [(0,)]
    report = resolve(world.connection, Register(), FULL)
    assert sum(counts.total for counts in report.written.values()) == 0


def test_a_run_after_a_decision_says_that_something_changed_though_it_writes_nothing(reused):
    decisions.judge(reused.connection, Decision("directus/artists/1", "directus/artists/2", "different"), "ana")
    first, second = (resolve(reused.connection, options=IDS) for _ in range(2))
    assert (first.decided, second.decided) == (True, False)
    assert sum(counts.total for counts in first.written.values()) == 0


def test_a_trial_and_a_run_without_a_register_know_what_was_looked_up(world):
    class Offline:
        origin, keeps = "test", None

        def find(self, queries):
            return [[Place("P1", query.name)] if query.name == "Nébula" else [] for query in queries]

    world.mention(OLD, "venue", name="Nébula", city="Lima", country="PE")
    world.mention(NEW, "venue", name="Otro", google_place_id="P1")
    resolve(world.connection, Offline(), IDS)
    assert world.id(OLD) == world.id(NEW)
    for options in (Options(full=True, trial=True, matchers={}), FULL):
        report = resolve(world.connection, options=options)
        assert sum(counts.total for counts in report.written.values()) == 0


def test_unlike_names_with_one_handle_and_a_site_each_are_asked_about(world):
    one, two = "directus/artists/1", "directus/artists/2"
    world.mention(one, "artist", name="Ana Paz", instagram="@nebula", website="https://anapaz.mx")
    world.mention(two, "artist", name="Zoe Rock", instagram="@nebula", website="https://zoerock.mx")
    world.mention(
        "scraper/artist_profiles/ra:1", "artist", name="Anapaz", instagram="@paz", website="https://pazana.mx"
    )
    world.mention(
        "scraper/artist_profiles/ra:2", "artist", name="Ana Paz", instagram="@paz", website="https://anapaz.com"
    )
    resolve(world.connection, options=Options(matchers={}))
    assert world.id(one) != world.id(two)
    assert world.id("scraper/artist_profiles/ra:1") == world.id("scraper/artist_profiles/ra:2"), "named alike"
    ((judgement, method, told),) = world.rows(
        "select judgement, method, explanation from identity.judgements where judgement = 'unsure'"
    )
    assert (judgement, method) == ("unsure", "instagram_url")
    assert told["shared"]["value"] == "instagram.com/nebula"
    assert told["reason"] == "named unlike, and each has its own domain"
    with pytest.raises(TerminalError, match=r"hold different domain .*sonik entity alias"):
        decisions.judge(world.connection, Decision(one, two, "same"), "ana")
    decisions.alias(world.connection, "domain", "zoerock.mx", "anapaz.mx", "ana", "her other band")
    assert world.id(one) == world.id(two)
    resolve(world.connection, options=Options(full=True, matchers={}))
    assert world.id(one) == world.id(two)
