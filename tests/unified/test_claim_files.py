"""Claims from files, and the log of an older home: what can be is in the log, the rest is kept with the reason."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from sonik_assets import migrations
from sonik_assets.raw import schema
from sonik_assets.unified import claim_files, claims
from tests.support.claims import ANA, BEN, Claimed

BAR, CLUB = "directus/venues/bar", "directus/venues/club"
STAGING = """
create schema staging;
create view staging.stg_sonik__claims as
select record_id, payload ->> 'entity_ref' as entity_ref, payload ->> 'user_id' as user_id,
    payload ->> 'method' as method, payload ->> 'status' as status, (payload ->> 'at')::timestamptz as at
from raw_sonik.claims where deleted_at is null
"""
PUT = """
insert into raw_sonik.claims
    (record_id, payload, payload_hash, first_seen_at, changed_at, partition_date, run_id)
values (%s, %s, '', now(), now(), current_date, 'test')
"""


class Files:
    """Claims as extracts leave them."""

    def __init__(self, house: Claimed) -> None:
        self.house = house
        schema.ensure(house.connection)
        house.connection.execute(STAGING)

    def say(self, ref: str | None, user: str | None, status: str | None, at: str | None, **more: Any) -> None:
        row = {"entity_ref": ref, "user_id": user, "method": "email", "status": status, "at": at, **more}
        self.house.connection.execute(PUT, [uuid.uuid4().hex, json.dumps(row)])

    def read(self) -> tuple[int, int]:
        return claim_files.append(self.house.connection, "run")

    def events(self) -> list[tuple[str, str, str]]:
        return self.house.connection.execute("select event, user_id, status from ops.claims order by seq").fetchall()

    def letters(self) -> list[str]:
        query = "select reason from raw.dead_letters where replayed_at is null order by failed_at, reason"
        return [row[0] for row in self.house.connection.execute(query)]


@pytest.fixture
def files(claimed: Claimed) -> Files:
    return Files(claimed)


def test_a_file_is_read_in_the_order_of_time_and_once(files: Files) -> None:
    bar = files.house.entity(BAR)
    files.say(BAR, ANA, "claimed", "2026-03-02T00:00:00Z", method="Instagram DM")
    files.say(BAR, ANA, "pending", "2026-03-01T00:00:00Z")
    assert files.read() == (2, 0)
    assert files.events() == [("submit", ANA, "pending"), ("verify", ANA, "claimed")]
    assert files.house.columns(bar) == ("claimed", files.house.person(ANA))
    assert [row["method"] for row in claims.open_claims(files.house.connection)] == ["instagram_dm"]
    assert files.read() == (0, 0)
    files.say(BAR, ANA, "unclaimed", "2026-03-03T00:00:00Z")
    assert files.read() == (1, 0)
    assert files.events()[-1] == ("revoke", ANA, "unclaimed")


@pytest.mark.parametrize(
    ("status", "event"), [("rejected", "reject"), ("expired", "expire"), ("unclaimed", "reject"), ("claimed", "verify")]
)
def test_what_files_call_the_end_of_a_request(files: Files, status: str, event: str) -> None:
    files.house.entity(BAR)
    files.say(BAR, ANA, "pending", "2026-03-01T00:00:00Z")
    files.say(BAR, ANA, status, "2026-03-02T00:00:00Z")
    assert files.read() == (2, 0)
    assert files.events()[-1][0] == event


def test_who_is_only_said_to_own_it_asked_for_it_then(files: Files) -> None:
    bar = files.house.entity(BAR)
    files.say(BAR, ANA, "claimed", "2026-03-02T00:00:00Z")
    assert files.read() == (1, 0)
    assert files.events() == [("submit", ANA, "pending"), ("verify", ANA, "claimed")]
    assert files.house.columns(bar) == ("claimed", files.house.person(ANA))
    assert files.read() == (0, 0)


def test_what_cannot_have_been_is_a_dead_letter(files: Files) -> None:
    bar = files.house.entity(BAR)
    files.house.entity(CLUB)
    files.say(BAR, ANA, "pending", "2026-03-01T00:00:00Z")
    files.say(BAR, BEN, "pending", "2026-03-02T00:00:00Z")
    files.say(BAR, BEN, "claimed", "2026-03-03T00:00:00Z")
    files.say(CLUB, ANA, "revoked", "2026-03-04T00:00:00Z")
    files.say(CLUB, None, "pending", "2026-03-05T00:00:00Z")
    files.say(CLUB, ANA, "lost", "2026-03-06T00:00:00Z")
    files.say(CLUB, ANA, "pending", None)
    files.say(None, ANA, "pending", "2026-03-07T00:00:00Z")
    files.say(CLUB, ANA, "pending", "2026-03-08T00:00:00Z", method="pigeon")
    assert files.read() == (1, 8)
    assert files.house.columns(bar) == ("pending", None)
    assert sorted(files.letters()) == sorted(
        f"ops.claims: {why}"
        for why in (
            f"{BAR} is asked for by user ana: verify or reject that claim first",
            f"{BAR} is asked for by user ana: there is no claim of user ben to verify",
            f"{CLUB} is unclaimed: submit a claim first",
            f"a claim of {CLUB} needs its user",
            "lost is no state of a claim: give pending, claimed, unclaimed, rejected, revoked or expired",
            "the claim has no time: give `at`",
            "nothing is no record: give source/table/record_id",
            "pigeon is no way to verify a claim: give instagram_dm, email or phone",
        )
    )
    payload = json.loads(files.house.one("select payload from raw.dead_letters where reason like '%%needs its user'"))
    assert payload["entity_ref"] == CLUB
    assert files.read() == (0, 0)


def test_a_letter_that_is_replayed_is_judged_anew(files: Files) -> None:
    files.house.entity(BAR)
    files.say(BAR, ANA, "pending", "2026-03-01T00:00:00Z")
    files.say(BAR, BEN, "pending", "2026-03-02T00:00:00Z")
    assert files.read() == (1, 1)
    replay = "update raw.dead_letters set replayed_at = now()"
    files.house.connection.execute(replay)
    assert files.read() == (0, 1)  # as before
    assert len(files.letters()) == 1
    files.house.write("reject", BAR, at="2026-03-01T12:00:00Z")
    files.house.connection.execute(replay)
    assert files.read() == (1, 0)
    assert files.events()[-1] == ("submit", BEN, "pending")


def test_what_comes_after_a_later_event_is_a_dead_letter(files: Files) -> None:
    files.house.entity(BAR)
    files.say(BAR, ANA, "pending", "2026-03-01T00:00:00Z")
    files.read()
    files.house.write("verify", BAR)
    files.say(BAR, ANA, "unclaimed", "2026-03-02T00:00:00Z")
    assert files.read() == (0, 1)
    assert "the log is not written backwards" in files.letters()[0]


def test_claims_of_records_that_nobody_knows_yet_are_kept(files: Files) -> None:
    files.say(BAR, ANA, "pending", "2026-03-01T00:00:00Z")
    files.say(CLUB, BEN, "claimed", "2026-03-01T00:00:00Z")
    assert files.read() == (2, 0)
    club = files.house.entity(CLUB)
    files.house.connection.execute("select ops.settle_claims()")
    assert files.house.columns(club) == ("claimed", files.house.person(BEN))


def test_a_large_file_takes_one_lock(files: Files) -> None:
    """A lock a claim would be more than a server has."""
    locks = "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
    files.house.connection.execute("""
        insert into raw_sonik.claims
            (record_id, payload, payload_hash, first_seen_at, changed_at, partition_date, run_id)
        select n::text, jsonb_build_object('entity_ref', 'directus/venues/' || n, 'user_id', 'ana', 'method', 'email',
            'status', 'pending', 'at', '2026-03-01T00:00:00Z'), '', now(), now(), current_date, 'test'
        from generate_series(1, 300) as n
    """)
    with files.house.connection.transaction():
        assert files.read() == (300, 0)
        assert files.house.one(locks) == 1
    with files.house.connection.transaction():
        assert claims.expire_old(files.house.connection) == 300
        assert files.house.one(locks) == 1


OLD = [
    (BAR, ANA, "pending", "2026-01-01Z"),
    (BAR, ANA, "claimed", "2026-01-02Z"),
    (BAR, BEN, "pending", "2026-01-03Z"),  # meanwhile
    (CLUB, BEN, "claimed", "2026-01-01Z"),
    (CLUB, BEN, "unclaimed", "2026-01-05Z"),
    ("directus/venues/x", ANA, "pending", "2026-01-01Z"),
    ("directus/venues/x", ANA, "rejected", "2026-01-02Z"),
    ("directus/venues/x", ANA, "expired", "2026-01-03Z"),
]


@pytest.fixture
def older(database: str, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A home from before the funnel, with claims in its log."""
    before = tmp_path_factory.mktemp("older")
    for path in migrations.FOLDER.glob("000[1-5]*.sql"):
        (before / path.name).write_bytes(path.read_bytes())
    with psycopg.connect(database, autocommit=True) as connection:
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "FOLDER", before)
            migrations.migrate(connection)
        for row in OLD:
            connection.execute(
                "insert into ops.claims (id, entity_ref, user_id, method, status, at)"
                " values (uuidv7(), %s, %s, 'phone', %s, %s)",
                row,
            )
        yield connection


def test_the_log_of_an_older_home_is_kept_and_understood(older: psycopg.Connection[Any]) -> None:
    ids = {row[0] for row in older.execute("select id from ops.claims")}
    house = Claimed(older)
    assert ids <= {row[0] for row in older.execute("select id from ops.claims")}
    bar, club = house.entity(BAR), house.entity(CLUB)
    older.execute("select ops.settle_claims()")
    assert house.columns(bar) == ("claimed", house.person(ANA))
    assert house.columns(club) == ("unclaimed", None)
    void = older.execute("select entity_ref, user_id, event from ops.claims where claim_id is null").fetchall()
    assert set(void) == {(BAR, BEN, "submit"), ("directus/venues/x", ANA, "expire")}
    assert house.one("select bool_and(reason like 'without effect: %%') from ops.claims where claim_id is null")
    house.write("revoke", BAR)
    house.write("submit", BAR, BEN)
