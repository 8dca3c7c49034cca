"""Two things that are both claimed become one only by a person's word, in full runs and in runs over what changed."""

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sonik_assets.identity import decisions, rekeying
from sonik_assets.identity.agglomerate import Rules, agglomerate
from sonik_assets.identity.clusters import BOTH_CLAIMED, CLAIM, Clusters
from sonik_assets.identity.judgements import Decision
from sonik_assets.identity.resolve import Options, resolve
from sonik_assets.migrations import migrate

IDS = Options(matchers={})
FULL = Options(full=True, matchers={})
A, B, C = "directus/venues/1", "directus/venues/2", "scraper/venue_info/ra:1"
ANA, BEN = "mongo/users/ana", "mongo/users/ben"
LIVE = "retired_at is null and judgement = 'unsure'"


@pytest.fixture
def two(world):
    """Two venues that say the same site only later, two users."""
    world.connection.execute("create schema if not exists raw")
    migrate(world.connection)
    for ref, name in ((A, "Bar Nébula"), (B, "Bar Nébula")):
        world.mention(ref, "venue", name=name, city="Lima", country="PE")
    for ref in (ANA, BEN):
        world.mention(ref, "person", name=ref, email=f"{ref[-3:]}@example.org")
    resolve(world.connection, options=IDS)
    assert world.id(A) != world.id(B)
    return world


def claim(world, ref, user, *events):
    for event in events or ("submit",):
        world.connection.execute(
            "insert into ops.claims (id, entity_ref, user_id, event) values (uuidv7(), %s, %s, %s)",
            [ref, user.rpartition("/")[2], event],
        )


def one_site(world, *refs):
    for ref in refs:
        world.mention(ref, "venue", name="Bar Nébula", city="Lima", country="PE", google_place_id="ChIJnebula0001")


def asked(world):
    found = world.rows(f"select left_ref, right_ref, method, explanation from identity.judgements where {LIVE}")
    return [(left, right, method) for left, right, method, why in found if why.get("reason") == BOTH_CLAIMED]


def states(world):
    query = "select entity_id::text, claim_status, user_id, claimed_by::text from ops.claim_states() order by user_id"
    return world.rows(query)


@pytest.mark.parametrize("options", [IDS, FULL], ids=["changed", "full"])
@pytest.mark.parametrize("events", [("submit",), ("submit", "verify")], ids=["pending", "claimed"])
def test_two_claimed_things_are_not_merged_but_asked_about(two, options, events):
    claim(two, A, ANA, *events)
    claim(two, B, BEN)
    one_site(two, A, B)
    resolve(two.connection, options=options)
    assert two.id(A) != two.id(B)
    assert asked(two) == [(A, B, "google_places_id")]
    before = two.rows("select * from identity.entity_map order by 1, 2, 3")
    for again in (IDS, FULL):
        resolve(two.connection, options=again)
    assert two.rows("select * from identity.entity_map order by 1, 2, 3") == before
    assert asked(two) == [(A, B, "google_places_id")]


def test_one_claimed_thing_is_merged_and_keeps_its_id_and_claim(two):
    newer = max((A, B), key=two.id)
    kept = two.id(newer)
    claim(two, newer, ANA, "submit", "verify")
    one_site(two, A, B)
    resolve(two.connection, options=IDS)
    assert two.id(A) == two.id(B) == kept
    assert states(two) == [(kept, "claimed", "ana", two.id(ANA))]


def test_who_is_not_claimed_goes_with_the_first(two):
    claim(two, A, ANA)
    claim(two, B, BEN)
    one_site(two, A, B, C)
    resolve(two.connection, options=IDS)
    assert two.id(C) == two.id(A) != two.id(B)
    assert asked(two) == [(A, B, "google_places_id")]


def test_a_third_record_does_not_bring_two_claimed_things_together(two):
    """The one has its site, the other its handle."""
    one, other, third = ("twenty/companies/1", "twenty/companies/2", "scraper/artist_profiles/ra:9")
    said = {"name": "Nébula Producciones", "country": "PE"}
    two.mention(one, "organization", **said, website="https://nebula.pe")
    two.mention(other, "organization", **said, instagram="@nebulaprod")
    resolve(two.connection, options=IDS)
    claim(two, one, ANA)
    claim(two, other, BEN)
    two.mention(third, "organization", **said, website="https://nebula.pe", instagram="@nebulaprod")
    resolve(two.connection, options=IDS)
    assert two.id(third) == two.id(one) != two.id(other)
    assert len(asked(two)) == 1


@pytest.mark.parametrize("ending", ["reject", "expire"])
def test_when_a_claim_ends_the_next_run_merges(two, ending):
    claim(two, A, ANA, "submit", "verify")
    claim(two, B, BEN)
    one_site(two, A, B)
    resolve(two.connection, options=IDS)
    kept = two.id(A)
    claim(two, B, BEN, ending)
    resolve(two.connection, options=IDS)
    assert two.id(A) == two.id(B) == kept
    assert asked(two) == []


def test_a_person_may_merge_them_and_the_owner_stays(two):
    claim(two, A, ANA)
    claim(two, B, BEN, "submit", "verify")
    one_site(two, A, B)
    resolve(two.connection, options=IDS)
    owned = two.id(B)
    done = decisions.judge(two.connection, Decision(A, B, "same"), "eva")
    assert two.id(A) == two.id(B) == owned
    assert done.ended == [("reject", A, "ana")]
    assert states(two) == [(owned, "claimed", "ben", two.id(BEN))]
    last = two.rows("select event, decided_by, reason, status from ops.claims order by seq desc limit 1")
    assert last == [("reject", "eva", "merged", "unclaimed")]
    for options in (IDS, FULL):
        resolve(two.connection, options=options)
        assert two.id(A) == two.id(B) == owned


def test_of_two_owners_the_first_stays_and_a_split_gives_nothing_back(two):
    claim(two, B, BEN, "submit", "verify")
    claim(two, A, ANA, "submit", "verify")
    first, second = two.id(B), two.id(A)
    done = decisions.merge(two.connection, first, second, "eva")
    assert done.ended == [("revoke", A, "ana")]
    assert two.id(A) == two.id(B) == first
    decisions.split(two.connection, first, [A], "eva")
    assert two.id(A) == second
    assert states(two) == [(first, "claimed", "ben", two.id(BEN))]


def test_a_merge_that_cannot_be_ends_no_claim(two):
    claim(two, A, ANA)
    claim(two, B, BEN)
    two.mention(A, "venue", name="Bar Nébula", city="Lima", country="PE", google_place_id="ChIJnebula0001")
    two.mention(B, "venue", name="Bar Nébula", city="Lima", country="PE", google_place_id="ChIJother000002")
    resolve(two.connection, options=IDS)
    with pytest.raises(Exception, match="cannot be one"):
        decisions.merge(two.connection, two.id(A), two.id(B), "eva")
    assert [state[1] for state in states(two)] == ["pending", "pending"]


def test_without_the_table_of_claims_all_goes_on(world):
    one_site(world, A, B)
    resolve(world.connection, options=IDS)
    assert world.id(A) == world.id(B)


def test_records_with_new_ids_keep_their_claims(two):
    claim(two, A, ANA, "submit", "verify")
    new = {"old_record_id": ["1"], "new_record_id": ["1001"]}
    rekeying.rekey(two.connection, "directus", "venues", pl.DataFrame(new), "eva")
    rekeying.rekey(
        two.connection, "mongo", "users", pl.DataFrame({"old_record_id": ["ana"], "new_record_id": ["ana2"]}), "eva"
    )
    assert states(two) == [(two.id("directus/venues/1001"), "claimed", "ana2", two.id("mongo/users/ana2"))]
    with pytest.raises(Exception, match="append-only"):
        two.connection.execute("update ops.claims set user_id = 'eve'")


@pytest.mark.parametrize(
    ("claims", "probability", "root", "doubts"),
    [
        ([0], 0.99, [0, 0, 0], []),
        ([0, 1], 0.99, [0, 1, 1], [(0, 1, 0.99, BOTH_CLAIMED)]),
        ([0, 1], 0.6, [0, 1, 1], [(0, 1, 0.6, "doubtful")]),
    ],
)
def test_likeness_joins_no_two_claimed(claims, probability, root, doubts):
    """Record 2 is like both others; what would not be one anyway is asked about as ever."""
    clusters = Clusters.of(3)
    clusters.hold(CLAIM, claims)
    pairs = [(0, 1, probability), (1, 2, 0.999), (0, 2, 0.5)]
    verdicts = agglomerate(clusters, pairs, Rules(0.9, (), [None] * 3, [True] * 3, 50))
    assert (clusters.root, verdicts.doubts) == (root, doubts)


STEPS = st.lists(
    st.tuples(st.sampled_from(["site", "claim", "end"]), st.integers(0, 2)) | st.just(("run", 0)),
    min_size=3, max_size=9,
)  # fmt: skip


@pytest.mark.long
@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_a_run_over_what_changed_decides_as_a_run_over_all(two, steps):
    """Whatever is claimed, ended and said, in whichever order."""
    pg = two.connection
    house = two.rows("select nextval('identity.moves_id_seq')")[0][0]
    refs = [f"directus/venues/{house}-{number}" for number in range(3)]
    name = f"Bar {house}"
    for ref in refs:
        two.mention(ref, "venue", name=name, city="Lima", country="PE")
    resolve(pg, options=IDS)
    for step, number in [*steps, ("run", 0)]:
        ref = refs[number]
        mine = two.rows(f"select user_id, status from ops.claims_of(array['{two.id(ref)}'::uuid])")
        if step == "site":
            two.mention(ref, "venue", name=name, city="Lima", country="PE", google_place_id=f"ChIJ{house:010}")
        elif step == "claim" and not mine:
            claim(two, ref, ANA)
        elif step == "end" and mine:
            claim(two, ref, ANA, "reject")
        elif step == "run":
            resolve(pg, options=IDS)
    mapped = "select * from identity.entity_map order by 1, 2, 3"
    judged = f"select left_ref, right_ref, method, explanation from identity.judgements where {LIVE} order by 1, 2"
    before = [two.rows(mapped), two.rows(judged)]
    resolve(pg, options=FULL)
    assert [two.rows(mapped), two.rows(judged)] == before
