"""The claim funnel against a real server: every event in every state, two at once, merges, splits, files, the feed."""

import threading
import uuid

import psycopg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from psycopg import errors

from resources.errors import TerminalError
from sonik_assets.unified import claims
from tests.support.claims import ANA, BEN, Claimed

BAR, CLUB = "directus/venues/bar", "scraper/venue_info/ra:club"

BEFORE = {
    "unclaimed": (),
    "pending": ("submit",),
    "claimed": ("submit", "verify"),
    "rejected": ("submit", "reject"),
    "revoked": ("submit", "verify", "revoke"),
    "expired": ("submit", "expire"),
}
AFTER = {"submit": "pending", "verify": "claimed", "reject": "unclaimed", "revoke": "unclaimed", "expire": "unclaimed"}
ALLOWED = {
    "unclaimed": {"submit"},
    "pending": {"verify", "reject", "expire"},
    "claimed": {"revoke"},
    "rejected": {"submit"},
    "revoked": {"submit"},
    "expired": {"submit"},
}


@pytest.mark.parametrize("event", AFTER)
@pytest.mark.parametrize("state", BEFORE)
def test_each_event_in_each_state(claimed: Claimed, state: str, event: str) -> None:
    bar = claimed.entity(BAR)
    for each in BEFORE[state]:
        claimed.write(each, BAR)
    before = claimed.columns(bar)
    if event in ALLOWED[state]:
        claimed.write(event, BAR)
        owner = claimed.person(ANA) if event == "verify" else None
        assert claimed.columns(bar) == (AFTER[event], owner)
    else:
        with pytest.raises(errors.CheckViolation, match=f"{BAR} is "):
            claimed.write(event, BAR)
        assert claimed.columns(bar) == before


@pytest.mark.parametrize("event", ["verify", "reject", "revoke"])
def test_an_event_is_of_the_claimant(claimed: Claimed, event: str) -> None:
    bar = claimed.entity(BAR)
    claimed.write("submit", BAR)
    if event == "revoke":
        claimed.write("verify", BAR)
    before = claimed.columns(bar)
    with pytest.raises(errors.CheckViolation, match=f"no claim of user ben to {event}"):
        claimed.write(event, BAR, BEN)
    assert claimed.columns(bar) == before
    claimed.write(event, BAR, None)  # whoever it is
    assert claimed.one("select user_id from ops.claims order by seq desc limit 1") == ANA


def test_one_open_claim_an_entity_whichever_of_its_records_is_named(claimed: Claimed) -> None:
    bar = claimed.entity(BAR)
    claimed.entity(CLUB, id=bar)
    claimed.write("submit", BAR)
    with pytest.raises(errors.CheckViolation, match="asked for by user ana: verify or reject that claim first"):
        claimed.write("submit", CLUB, BEN)
    claimed.write("verify", CLUB)
    with pytest.raises(errors.CheckViolation, match="claimed by user ana: revoke that claim first"):
        claimed.write("submit", CLUB, BEN)


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ({"event": "submit", "ref": "directus/events/1"}, "is an event, which nobody owns"),
        ({"event": "submit", "ref": "bar"}, "bar is no record: give source/table/record_id"),
        ({"event": "submit", "ref": BAR, "user": ""}, "needs its user"),
        ({"event": "submit", "ref": BAR, "method": "pigeon"}, "pigeon is no way to verify a claim"),
        ({"event": None, "ref": BAR, "status": "lost"}, "lost is no state of a claim"),
        ({"event": None, "ref": BAR}, "nothing is no state of a claim"),
    ],
)
def test_what_is_no_claim_is_refused(claimed: Claimed, row: dict[str, str], why: str) -> None:
    claimed.entity(BAR)
    claimed.entity("directus/events/1", "event")
    with pytest.raises(errors.CheckViolation, match=why):
        claimed.write(**row)


@pytest.mark.parametrize("kind", ["venue", "organization", "artist", "brand", "person"])
def test_what_may_be_claimed(claimed: Claimed, kind: str) -> None:
    thing = claimed.entity("directus/things/1", kind)
    claimed.write("submit", "directus/things/1")
    claimed.write("verify", "directus/things/1")
    assert claimed.columns(thing) == ("claimed", claimed.person(ANA))


def test_the_log_goes_forward(claimed: Claimed) -> None:
    claimed.entity(BAR)
    claimed.write("submit", BAR, at="2026-03-02Z")
    with pytest.raises(errors.CheckViolation, match="the log is not written backwards"):
        claimed.write("verify", BAR, at="2026-03-01Z")
    with pytest.raises(errors.CheckViolation, match="is still to come"):
        claimed.write("verify", BAR, at="2126-03-01Z")  # would shut the log for a hundred years
    claimed.write("verify", BAR)
    claimed.write("revoke", BAR)


@pytest.mark.parametrize(
    "statement", ["update ops.claims set user_id = 'eve'", "delete from ops.claims", "truncate ops.claims"]
)
def test_the_log_is_append_only(claimed: Claimed, statement: str) -> None:
    claimed.write("submit", BAR)
    with pytest.raises(errors.RaiseException, match="append-only"):
        claimed.connection.execute(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "update unified.entities set claim_status = 'claimed' where id = %(id)s",
        "update unified.entities set claimed_by = id where id = %(id)s",
        """merge into unified.entities as t using (select %(id)s::uuid as id) as s on t.id = s.id
        when matched then update set name = 'x', claim_status = 'claimed'""",
        """merge into unified.entities as t using (select uuidv7() as id) as s on t.id = s.id
        when not matched then insert (id, entity_type, claim_status) values (s.id, 'venue', 'pending')""",
        "insert into unified.entities (id, entity_type, claimed_by) values (uuidv7(), 'venue', %(id)s)",
    ],
)
def test_nobody_writes_the_columns_but_the_log(claimed: Claimed, statement: str) -> None:
    bar = claimed.entity(BAR)
    with pytest.raises(errors.CheckViolation, match=r"follow ops\.claims, which says unclaimed: use `sonik claim`"):
        claimed.connection.execute(statement, {"id": bar})
    assert claimed.columns(bar) == ("unclaimed", None)


def test_a_merge_that_leaves_the_columns_alone_is_free_to_write(claimed: Claimed) -> None:
    bar = claimed.entity(BAR)
    claimed.write("submit", BAR)
    claimed.connection.execute(
        """merge into unified.entities as t
        using (select %s::uuid as id union all select uuidv7()) as s on t.id = s.id
        when matched then update set name = 'other'
        when not matched then insert (id, entity_type) values (s.id, 'venue')
        when not matched by source then delete""",
        [bar],
    )
    assert claimed.columns(bar) == ("pending", None)
    assert claimed.one("select count(*) from unified.entities where claim_status = 'unclaimed'") == 1


def test_log_and_columns_are_one_transaction(claimed: Claimed, database: str) -> None:
    bar = claimed.entity(BAR)
    other = psycopg.connect(database)
    claims.submit(other, bar, ANA, "email", "eva")
    assert other.execute("select claim_status from unified.entities where id = %s", [bar]).fetchone() == ("pending",)
    other.close()  # killed before it committed
    assert claimed.one("select count(*) from ops.claims") == 0
    assert claimed.columns(bar) == ("unclaimed", None)


@pytest.mark.parametrize("first_commits", [True, False])
def test_of_two_at_once_one_wins(claimed: Claimed, database: str, *, first_commits: bool) -> None:
    bar = claimed.entity(BAR)
    claimed.entity(CLUB, id=bar)
    said: list[object] = []

    def second() -> None:
        with psycopg.connect(database) as connection:
            try:
                said.append(claims.submit(connection, bar, BEN, "phone", "eva").status)
            except TerminalError as error:
                said.append(str(error))

    with psycopg.connect(database) as connection:
        claims.submit(connection, bar, ANA, "phone", "eva")
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.5)
        assert not said
        if first_commits:
            connection.commit()
        else:
            connection.rollback()
        waiting.join()
    if first_commits:
        assert said == [f"{BAR} is asked for by user ana: verify or reject that claim first"]
    else:
        assert said == ["pending"]
    assert claimed.one("select array_agg(user_id) from ops.claims") == [ANA if first_commits else BEN]


def test_a_session_that_cannot_see_what_others_wrote_may_not_claim(claimed: Claimed, database: str) -> None:
    claimed.entity(BAR)
    with psycopg.connect(database) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with pytest.raises(errors.RaiseException, match="use read committed or serializable"):
            connection.execute(
                "insert into ops.claims (id, entity_ref, user_id, event) values (uuidv7(), %s, 'ana', 'submit')", [BAR]
            )


def test_a_claim_follows_its_record_through_merge_and_split(claimed: Claimed) -> None:
    bar, club = claimed.entity(BAR), claimed.entity(CLUB)
    claimed.write("submit", CLUB)
    claimed.write("verify", CLUB)
    owned = ("claimed", claimed.person(ANA))
    claimed.entity(CLUB, id=bar)
    assert claimed.one("select ops.settle_claims()") == 2
    assert (claimed.columns(bar), claimed.columns(club)) == (owned, ("unclaimed", None))
    claimed.entity(CLUB, id=club)
    claimed.connection.execute("select ops.settle_claims()")
    assert (claimed.columns(bar), claimed.columns(club)) == (("unclaimed", None), owned)


def test_the_owner_follows_the_merges_of_the_claimant(claimed: Claimed) -> None:
    bar = claimed.entity(BAR)
    claimed.write("submit", BAR)
    claimed.write("verify", BAR)
    claimed.entity("mongo/users/ana", "person", claimed.person(BEN))
    claimed.connection.execute("select ops.settle_claims()")
    assert claimed.columns(bar) == ("claimed", claimed.person(BEN))
    assert claims.role_of(claimed.connection, bar, BEN) == "owner"  # their second account


def test_a_claim_of_what_nobody_knows_yet_waits_for_it(claimed: Claimed) -> None:
    claimed.write("submit", BAR, "carl")
    claimed.write("verify", BAR, "carl")
    bar = claimed.entity(BAR)
    claimed.connection.execute("select ops.settle_claims()")
    assert claimed.columns(bar) == ("claimed", None)
    carl = claimed.entity("mongo/users/carl", "person")
    claimed.connection.execute("select ops.settle_claims()")
    assert claimed.columns(bar) == ("claimed", carl)


def test_settling_what_is_settled_writes_nothing(claimed: Claimed) -> None:
    claimed.entity(BAR)
    claimed.write("submit", BAR)
    rows = "select array_agg(xmin::text order by id) from unified.entities"
    before = claimed.one(rows)
    assert claimed.one("select ops.settle_claims()") == 0
    assert claimed.one(rows) == before


def test_of_two_claims_that_met_the_owner_counts_until_someone_ends_one(claimed: Claimed) -> None:
    bar, club = claimed.entity(BAR), claimed.entity(CLUB)
    claims.submit(claimed.connection, bar, BEN, "phone", "eva")
    claims.submit(claimed.connection, club, ANA, "phone", "eva")
    claims.end(claimed.connection, "verify", club, "eva")
    claimed.entity(CLUB, id=bar)
    claimed.connection.execute("select ops.settle_claims()")
    assert claimed.columns(bar) == ("claimed", claimed.person(ANA))
    assert [row["contested"] for row in claims.open_claims(claimed.connection)] == [True, True]
    with pytest.raises(TerminalError, match="claimed by user ana: revoke or reject that claim first"):
        claims.end(claimed.connection, "verify", bar, "eva", user=BEN)
    claims.end(claimed.connection, "revoke", bar, "eva", user=ANA)
    assert claimed.columns(bar) == ("pending", None)
    claims.end(claimed.connection, "verify", bar, "eva", "she called", {"call": 1})
    assert claimed.columns(bar) == ("claimed", claimed.person(BEN))
    assert [row["event"] for row in claims.log(claimed.connection, bar)] == [
        "submit", "submit", "verify", "revoke", "verify",
    ]  # fmt: skip


def test_requests_that_nobody_verified_in_time_end(claimed: Claimed) -> None:
    bar, club = claimed.entity(BAR), claimed.entity(CLUB)
    claimed.write("submit", BAR, at="2026-01-01Z")
    claimed.write("submit", CLUB)
    assert claims.expire_old(claimed.connection) == 1
    assert claims.expire_old(claimed.connection) == 0
    assert (claimed.columns(bar), claimed.columns(club)) == (("unclaimed", None), ("pending", None))
    last = claimed.connection.execute("select event, decided_by, reason from ops.claims order by seq desc").fetchone()
    assert last == ("expire", "sonik", "not verified within 30 days")
    claimed.write("submit", BAR, BEN)


EDITS = [
    ("staff", "unclaimed", "name", True),
    ("staff", "claimed", "canonical_id", True),
    ("staff", "pending", "claim_status", False),
    ("claimant", "pending", "description", True),
    ("claimant", "pending", "links", True),
    ("claimant", "pending", "picture", True),
    ("claimant", "pending", "name", False),
    ("claimant", "claimed", "description", False),
    ("owner", "claimed", "name", True),
    ("owner", "claimed", "website", True),
    ("owner", "claimed", "canonical_id", False),
    ("owner", "claimed", "google_places_id", False),
    ("owner", "claimed", "instagram_url", False),
    ("owner", "claimed", "domain", False),
    ("owner", "claimed", "claimed_by", False),
    ("owner", "unclaimed", "name", False),
    ("visitor", "unclaimed", "description", False),
]


def test_who_may_edit_what(claimed: Claimed) -> None:
    asked = [(*each[:3], claims.may_edit(claimed.connection, *each[:3])) for each in EDITS]  # type: ignore[arg-type]
    assert asked == EDITS


def test_what_a_user_is_to_an_entity(claimed: Claimed) -> None:
    bar = claimed.entity(BAR)

    def roles() -> list[str]:
        return [claims.role_of(claimed.connection, bar, user) for user in (ANA, BEN, "nobody")]

    assert roles() == ["visitor", "visitor", "visitor"]
    claimed.write("submit", BAR)
    assert roles() == ["claimant", "visitor", "visitor"]
    claimed.write("verify", BAR)
    assert roles() == ["owner", "visitor", "visitor"]


def test_the_change_feed_carries_a_claim_at_once(claimed: Claimed) -> None:
    pg = claimed.connection
    bar, slot = claimed.entity(BAR), f"claims_{uuid.uuid4().hex[:8]}"
    pg.execute("create publication feed for table unified.entities")
    pg.execute("select pg_create_logical_replication_slot(%s, 'pgoutput')", [slot])
    try:
        claims.submit(pg, bar, ANA, "email", "eva")
        changes = pg.execute(
            "select data from pg_logical_slot_get_binary_changes(%s, null, null, 'proto_version', '1',"
            " 'publication_names', 'feed')",
            [slot],
        ).fetchall()
    finally:
        pg.execute("select pg_drop_replication_slot(%s)", [slot])
    updates = [bytes(data) for (data,) in changes if bytes(data)[:1] == b"U"]
    assert len(updates) == 1
    assert b"pending" in updates[0]
    assert bar.encode() in updates[0]


class Funnel(RuleBasedStateMachine):
    """Two users and three records of two entities, against a dict: entity -> (record, user, status)."""

    house: Claimed

    def __init__(self) -> None:
        super().__init__()
        run = uuid.uuid4().hex
        self.refs = [f"directus/venues/{run}-{number}" for number in range(3)]
        first, second = (self.house.entity(ref) for ref in self.refs[:2])
        self.ids = [first, second]
        self.house.entity(self.refs[2], id=first)
        self.where = dict(zip(self.refs, [first, second, first], strict=True))
        self.open: dict[str, tuple[str, str]] = {}
        """Record of the claim -> user, status."""

    def standing(self, ref: str) -> str | None:
        """Return the record of the open claim of a record's entity."""
        return next((each for each in self.open if self.where[each] == self.where[ref]), None)

    @rule(number=st.integers(0, 2), user=st.sampled_from([ANA, BEN]), event=st.sampled_from(sorted(AFTER)))
    def happens(self, number: int, user: str, event: str) -> None:
        ref = self.refs[number]
        mine = self.standing(ref)
        state = self.open[mine] if mine else (user, "unclaimed")
        if event in ALLOWED[state[1]] and state[0] == user:
            self.house.write(event, ref, user)
            if AFTER[event] == "unclaimed":
                del self.open[str(mine)]
            else:
                self.open[mine or ref] = (user, AFTER[event])
        else:
            with pytest.raises(errors.CheckViolation):
                self.house.write(event, ref, user)

    @precondition(lambda self: len(self.open) < 2)
    @rule(number=st.integers(0, 2), home=st.integers(0, 1))
    def goes(self, number: int, home: int) -> None:
        ref = self.refs[number]
        self.where[ref] = self.house.entity(ref, id=self.ids[home])
        self.house.connection.execute("select ops.settle_claims()")

    @invariant()
    def the_columns_are_what_the_model_says(self) -> None:
        for id in self.ids:
            mine = [(user, status) for ref, (user, status) in self.open.items() if self.where[ref] == id]
            assert len(mine) <= 1
            user, status = mine[0] if mine else ("", "unclaimed")
            owner = self.house.person(user) if status == "claimed" else None
            assert self.house.columns(id) == (status, owner)


def test_any_sequence_of_events_merges_and_splits(claimed: Claimed) -> None:
    machine = type("Here", (Funnel,), {"house": claimed})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=20, deadline=None))
