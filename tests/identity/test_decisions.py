"""What people decide, on a real server: at once, kept over every later run, and undone without a trace in the ids."""

from datetime import UTC, datetime

import polars as pl
import pytest

from resources.errors import TerminalError
from resources.places import Place
from sonik_assets.identity import decisions, place_decisions, rekeying
from sonik_assets.identity.judgements import Decision
from sonik_assets.identity.resolve import Options, resolve

IDS = Options(matchers={})
FULL = Options(full=True, matchers={})
A, B, C = "directus/venues/1", "directus/venues/2", "scraper/venue_info/ra:1"
LISTED = "scraper/event_listings.venue/ra:e"
MAPPED = """
select ref, entity_id::text
from identity.entity_map join identity.mentions using (source, table_name, record_id)
order by 1
"""
DECIDED = "select count(*) from identity.judgements where retired_at is null and decided_by = 'ana'"


@pytest.fixture
def two(world):
    """Two venues, the second of two records, each with the same show on one night."""
    world.mention(A, "venue", name="Bar Nébula", city="Lima", country="PE")
    world.mention(B, "venue", name="Nebula Club", city="Lima", country="PE", instagram="@nebula.club")
    world.mention(C, "venue", name="Nebula Club", city="Lima", country="PE", instagram="@nebula.club")
    world.event("directus/events/1", name="Juanes", venue=A, starts_at_text="2026-03-01T21:00:00")
    world.event("scraper/event_listings/ra:e", name="Juanes", venue=C, starts_at_text="2026-03-01T21:30:00")
    resolve(world.connection, options=IDS)
    return world


def judged(world, judgement, by="ana"):
    query = "select left_ref, right_ref from identity.judgements where retired_at is null and judgement = '{}'"
    return world.rows(query.format(judgement) + f" and decided_by = '{by}' order by 1, 2")


def test_a_merge_keeps_the_older_id_and_events_follow_at_once(two):
    old, new = sorted([two.id(A), two.id(B)])
    shows = sorted(two.id(f"{ref}") for ref in ("directus/events/1", "scraper/event_listings/ra:e"))
    assert len(set(shows)) == 2
    done = decisions.merge(two.connection, two.id(A), two.id(B), "ana", "one door")
    assert {two.id(A), two.id(B), two.id(C)} == {old}
    assert done.changes[0] == ("merged", new, old)
    assert ("merged", shows[1], shows[0]) in done.changes
    assert {two.id("directus/events/1"), two.id("scraper/event_listings/ra:e")} == {shows[0]}
    (key,) = two.rows("select canonical_id from identity.entities where entity_type = 'event'")
    assert key[0].startswith(f"{old}|2026-03-01|")
    assert two.rows("select distinct entity_id::text from identity.event_times") == [(shows[0],)]
    redirects = {(new, old), (shows[1], shows[0])}
    assert set(two.rows("select old_id::text, new_id::text from identity.redirects")) == redirects
    assert judged(two, "same") == [(A, B)]


def test_a_decision_survives_full_runs_and_writes_nothing_again(two):
    decisions.merge(two.connection, two.id(A), two.id(B), "ana")
    state = two.rows(MAPPED)
    changes = two.rows("select count(*) from unified.changes")
    for options in (FULL, IDS, Options(full=True)):
        resolve(two.connection, options=options)
    assert state == two.rows(MAPPED)
    assert changes == two.rows("select count(*) from unified.changes")


def test_a_split_after_a_merge_restores_ids_and_removes_redirects(two):
    before = {ref: two.id(ref) for ref in (A, B, C, "directus/events/1", "scraper/event_listings/ra:e")}
    decisions.merge(two.connection, two.id(A), two.id(B), "ana")
    done = decisions.split(two.connection, two.id(A), [A], "ben", "two doors")
    assert {ref: two.id(ref) for ref in before} == before
    assert two.rows("select 1 from identity.redirects") == []
    assert done.entities[A] == before[A]
    assert judged(two, "different", "ben") == [(A, B), (A, C)]
    assert judged(two, "same") == []
    resolve(two.connection, options=FULL)
    assert {ref: two.id(ref) for ref in before} == before


def test_merging_again_takes_the_split_back(two):
    decisions.split(two.connection, two.id(B), [C], "ben")
    assert two.id(B) != two.id(C)
    decisions.merge(two.connection, two.id(B), two.id(C), "ana")
    assert two.id(B) == two.id(C)
    assert judged(two, "different", "ben") == []


def test_different_parts_what_shares_a_strong_identifier_and_stays(two):
    whole = two.id(B)
    done = decisions.judge(two.connection, Decision(B, C, "different"), "ana")
    apart = two.id(C) if two.id(B) == whole else two.id(B)
    assert whole in (two.id(B), two.id(C))
    assert done.changes[0] == ("split", whole, apart)
    for options in (FULL, Options(full=True)):
        resolve(two.connection, options=options)
        assert {two.id(B), two.id(C)} == {whole, apart}
    two.mention(C, "venue", name="Nebula Club", city="Lima", country="PE", instagram="nebula.club", phone="1")
    resolve(two.connection, options=IDS)
    assert {two.id(B), two.id(C)} == {whole, apart}


def test_same_is_refused_where_registers_contradict(two):
    two.mention(A, "venue", name="Bar Nébula", city="Lima", google_place_id="P1")
    two.mention(B, "venue", name="Nebula Club", city="Lima", instagram="@nebula.club", google_place_id="P2")
    resolve(two.connection, options=IDS)
    before = two.rows("select count(*) from identity.judgements where decided_by = 'ana'")
    with pytest.raises(TerminalError, match=r"hold different google_places_id \(P1, P2\).*sonik entity alias"):
        decisions.merge(two.connection, two.id(A), two.id(B), "ana")
    assert two.rows("select count(*) from identity.judgements where decided_by = 'ana'") == before
    assert two.id(A) != two.id(B)


def test_an_alias_lets_a_duplicate_place_join_and_undoing_it_parts_them(two):
    two.mention(A, "venue", name="Bar Nébula", city="Lima", google_place_id="P1")
    two.mention(B, "venue", name="Nebula Club", city="Lima", instagram="@nebula.club", google_place_id="P2")
    resolve(two.connection, options=IDS)
    before = two.id(A), two.id(B)
    decisions.alias(two.connection, "google_places_id", "P2", "P1", "ana", "listed twice")
    assert two.id(A) == two.id(B) == two.id(C) == min(before)
    (told,) = two.rows("select value, alias_of, reason, decided_by from identity.aliases")
    assert told == ("P2", "P1", "listed twice", "ana")
    resolve(two.connection, options=FULL)
    assert two.id(A) == two.id(B)
    decisions.unalias(two.connection, "google_places_id", "P2", "P1", "ana")
    assert (two.id(A), two.id(B)) == before
    with pytest.raises(TerminalError, match="nothing to undo"):
        decisions.unalias(two.connection, "google_places_id", "P2", "P1", "ana")


def test_records_that_only_go_elsewhere_are_told_and_the_same_word_twice_is_one(two):
    for ref, place in ((A, "P1"), (B, "P2"), ("scraper/venue_info/ra:2", "P2")):
        two.mention(ref, "venue", name="Bar Nébula", city="Lima", google_place_id=place)
    two.mention("scraper/venue_info/ra:3", "venue", name="Bar Nébula", city="Lima", google_place_id="P3")
    two.mention("scraper/venue_info/so:3", "venue", name="Bar Nébula", city="Lima", google_place_id="P3")
    resolve(two.connection, options=IDS)
    was, home = two.id("scraper/venue_info/so:3"), two.id(A)
    done = decisions.judge(
        two.connection, Decision("scraper/venue_info/ra:3", "scraper/venue_info/so:3", "different"), "ana"
    )
    (split,) = done.changes
    assert [split[0], *done.moves] == ["split", (was, split[2], 1)]
    count = "select count(*) from identity.judgements"
    before = two.rows(count)
    decisions.judge(two.connection, Decision("scraper/venue_info/ra:3", "scraper/venue_info/so:3", "different"), "ana")
    assert two.rows(count) == before
    assert two.id(A) == home


def test_what_a_person_says_of_an_alias_no_run_changes(two):
    def rename(handle, minute):
        two.mention(A, "venue", name="Bar Nébula", city="Lima", instagram=handle,
                    updated_at=datetime(2026, 5, 1, 0, minute, tzinfo=UTC))  # fmt: skip
        resolve(two.connection, options=IDS)

    rename("@old", 1)
    two.mention(C, "venue", name="Nebula Bar", city="Lima", instagram="@old")
    resolve(two.connection, options=IDS)
    rename("@new", 2)
    assert two.id(A) == two.id(C), "a renamed handle is one thing's"
    decisions.unalias(two.connection, "instagram_url", "@old", "@new", "ana", "they moved out")
    apart = two.id(A), two.id(C)
    assert len({*apart}) == 2
    rename("@new", 3)
    resolve(two.connection, options=FULL)
    assert (two.id(A), two.id(C)) == apart
    decisions.alias(two.connection, "instagram_url", "@new", "@human", "ana")
    rename("@newest", 4)
    told = two.rows(
        "select value, alias_of, reason, decided_by from identity.aliases where decided_by <> 'sonik' order by 1"
    )
    assert told == [
        ("instagram.com/new", "instagram.com/human", "", "ana"),
        ("instagram.com/old", None, "they moved out", "ana"),
    ]


def test_aliases_stay_one_step(two):
    for old, new in (("@A", "b"), ("instagram.com/b", "c"), ("d", "a"), ("c", "A")):
        decisions.alias(two.connection, "instagram_url", old, new, "ana")
    rows = two.rows("select value, alias_of from identity.aliases order by 1")
    short = [tuple(value.removeprefix("instagram.com/") for value in row) for row in rows]
    assert len(rows) == 3
    assert not {old for old, _ in short} & {new for _, new in short}
    with pytest.raises(TerminalError, match="is one instagram_url"):
        decisions.alias(two.connection, "instagram_url", "nebula", "@Nebula", "ana")
    with pytest.raises(TerminalError, match="phone has no aliases"):
        decisions.alias(two.connection, "phone", "1", "2", "ana")
    with pytest.raises(TerminalError, match="is no domain"):
        decisions.alias(two.connection, "domain", "linktr.ee/x", "x.com", "ana")


def test_a_mentions_decision_holds_for_all_of_its_profile(two):
    for number in (1, 2):
        two.mention(f"{LISTED}{number}", "venue", embedded=True, name="El Nébula", city="Lima")
    resolve(two.connection, options=IDS)
    assert two.id(f"{LISTED}1") is None
    decisions.judge(two.connection, Decision(f"{LISTED}2", A, "same"), "ana")
    assert two.id(f"{LISTED}1") == two.id(f"{LISTED}2") == two.id(A)
    resolve(two.connection, options=FULL)
    assert two.id(f"{LISTED}1") == two.id(A)
    decisions.split(two.connection, two.id(A), [f"{LISTED}1"], "ana")
    resolve(two.connection, options=FULL)
    assert two.id(f"{LISTED}1") != two.id(A)


def test_what_cannot_be_decided_says_why(two):
    ids = two.id(A), two.id(B)
    for decide, words in (
        (lambda: decisions.merge(two.connection, ids[0], ids[0], "ana"), "is one entity already"),
        (lambda: decisions.merge(two.connection, *ids, ""), "set SONIK_USER or give --by"),
        (lambda: decisions.merge(two.connection, *ids, "sonik"), "set SONIK_USER or give --by"),
        (lambda: decisions.split(two.connection, ids[1], [B, C], "ana"), "nothing would be left"),
        (lambda: decisions.split(two.connection, ids[1], [A], "ana"), "is no record of"),
        (lambda: decisions.judge(two.connection, Decision(A, "directus/venues/99", "same"), "ana"), "is no record"),
        (lambda: decisions.judge(two.connection, Decision(A, "directus/events/1", "same"), "ana"), "different types"),
    ):
        with pytest.raises(TerminalError, match=words):
            decide()
    assert (two.id(A), two.id(B)) == ids
    assert judged(two, "same") == judged(two, "different") == []


class Places:
    origin = "test"
    keeps = None

    def find(self, queries):
        return [[Place("P1", query.name), Place("P2", query.name)] if query.name == "Twin" else [] for query in queries]


def test_a_chosen_place_links_at_once_and_stays(world):
    world.mention(A, "venue", name="Twin", city="Lima")
    world.mention(B, "venue", name="Otro", city="Lima", google_place_id="P2")
    resolve(world.connection, Places(), IDS)
    assert world.id(A) != world.id(B)
    (asked,) = world.rows("select query_hash from identity.places_cache where status = 'ambiguous'")
    with pytest.raises(TerminalError, match="candidates: P1, P2"):
        place_decisions.choose(world.connection, asked[0], "P9", "ana")
    place_decisions.choose(world.connection, asked[0], "P2", "ana")
    assert world.id(A) == world.id(B)
    resolve(world.connection, Places(), FULL)
    assert world.id(A) == world.id(B)
    place_decisions.choose(world.connection, asked[0], None, "ben")
    assert world.id(A) != world.id(B)
    with pytest.raises(TerminalError, match="there is no look-up"):
        place_decisions.choose(world.connection, "nothing", None, "ben")


def renumbered(**ids):
    return pl.DataFrame({"old_record_id": list(ids), "new_record_id": list(ids.values())})


def test_a_renumbered_source_keeps_its_entities(two):
    two.mention("directus/venues/3", "venue", name="Otro", city="Cusco")
    two.mention("directus/venues.part/1", "organization", embedded=True, name="Nébula SA", instagram="@nebula.sa")
    resolve(two.connection)
    decisions.judge(two.connection, Decision("directus/venues/1", B, "unsure", "ask them"), "ana")
    decisions.split(two.connection, two.id(B), [C], "ana")
    before = {ref: two.id(ref) for ref in (A, B, "directus/venues/3", "directus/venues.part/1", C)}
    decided = two.rows(DECIDED)
    moved = {"1": "2", "2": "900", "3": "1"}
    rewritten = rekeying.rekey(two.connection, "directus", "venues", renumbered(**moved), "ana")
    assert rewritten["entity_map"] == 4
    assert two.id("directus/venues/900") == before[B]
    two.connection.execute("delete from staging.mentions where source = 'directus'")
    two.connection.execute("delete from staging.event_mentions where source = 'directus'")
    two.mention("directus/venues/2", "venue", name="Bar Nébula", city="Lima", country="PE")
    two.mention("directus/venues/900", "venue", name="Nebula Club", city="Lima", country="PE", instagram="@nebula.club")
    two.mention("directus/venues/1", "venue", name="Otro", city="Cusco")
    two.mention("directus/venues.part/2", "organization", embedded=True, name="Nébula SA", instagram="@nebula.sa")
    two.event("directus/events/1", name="Juanes", venue="directus/venues/2", starts_at_text="2026-03-01T21:00:00")
    changes = two.rows("select count(*) from unified.changes")
    resolve(two.connection, options=Options(full=True))
    assert two.id("directus/venues/2") == before[A]
    assert two.id("directus/venues/900") == before[B] != two.id(C) == before[C]
    assert two.id("directus/venues/1") == before["directus/venues/3"]
    assert two.id("directus/venues.part/2") == before["directus/venues.part/1"]
    assert changes == two.rows("select count(*) from unified.changes")
    assert decided == two.rows(DECIDED)
    assert two.rows("select key from identity.profiles where key like 'directus/venues/%' order by 1") == [
        ("directus/venues/1",), ("directus/venues/2",), ("directus/venues/900",)
    ]  # fmt: skip


def test_rekeying_refuses_what_is_not_one_to_one(two):
    before = two.rows("select * from identity.entity_map order by 1, 2, 3")
    for pairs, words in (
        (renumbered(**{"1": "9", "2": "9"}), "new_record_id is given twice: 9"),
        (renumbered(**{"1": "9", "77": "78"}), "directus.venues has no record 77"),
        (renumbered(**{"1": "2"}), "directus.venues 2 is a record already"),
        (renumbered(**{"1": " "}), "new_record_id is empty"),
        (pl.DataFrame({"old": ["1"]}), "no column old_record_id and new_record_id"),
    ):
        with pytest.raises(TerminalError, match=words):
            rekeying.rekey(two.connection, "directus", "venues", pairs, "ana")
    assert two.rows("select * from identity.entity_map order by 1, 2, 3") == before


def test_renumbered_users_keep_their_visitors(world):
    world.mention("mongo/users/u1", "person", email="ana@mail.com", user_id="u1")
    world.evidence("anon", "u1", "2026-02-10T00:00Z")
    resolve(world.connection, options=IDS)
    person = world.id("mongo/users/u1")
    rekeying.rekey(world.connection, "mongo", "users", renumbered(u1="n1"), "ana")
    world.connection.execute("truncate staging.mentions, staging.visitor_evidence")
    world.mention("mongo/users/n1", "person", email="ana@mail.com", user_id="n1")
    world.evidence("anon", "n1", "2026-02-10T00:00Z")
    resolve(world.connection, options=FULL)
    assert world.id("mongo/users/n1") == person
    visitors = world.rows("select user_record, entity_id::text, status from identity.visitors")
    assert visitors == [("n1", person, "linked")]
