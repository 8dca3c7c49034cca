"""Models of `unified` and `marts` write what changed and nothing else: on a real database, by real runs of dbt."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest

from sonik_assets.identity import decisions
from sonik_assets.unified import edits
from tests.support.built import NOW, Built

_FEED = """
select get_byte(data, 0) from pg_logical_slot_get_binary_changes(
    'feed', null, null, 'proto_version', '1', 'publication_names', 'sonik'
)
"""
# What must outlive a full refresh: tables, keys, policies, publication, indexes.
_CATALOG = """
select c.oid::regclass::text || c.oid from pg_class as c
where c.relnamespace in ('unified'::regnamespace, 'marts'::regnamespace) and c.relkind in ('r', 'p', 'i', 'I')
union all select conname || pg_get_constraintdef(oid) from pg_constraint
where connamespace in ('unified'::regnamespace, 'marts'::regnamespace)
union all select tablename || policyname || coalesce(qual, '') from pg_policies
union all select schemaname || tablename from pg_publication_tables where pubname = 'sonik'
union all select tgrelid::regclass || tgname from pg_trigger where not tgisinternal
order by 1
"""


def rewritten(built: Built, before: dict[str, list[str]]) -> dict[str, int]:
    """Return how many rows of which tables were written since, or are gone."""
    after = built.tuples()
    changed = {name: len(set(after[name]) ^ set(before[name])) for name in after}
    return {name: count for name, count in changed.items() if count}


def changes(built: Built) -> int:
    """Return how many inserts, updates, deletes and truncates the change feed carries since it was asked."""
    return sum(chr(kind) in "IUDT" for kind in built.column(_FEED))


def test_only_what_changed_is_written(built: Built) -> None:
    built.connection.execute("select pg_create_logical_replication_slot('feed', 'pgoutput')")
    before = built.tuples()
    assert all(before[name] for name in ("unified.entities", "unified.events", "unified.interactions"))
    assert all(before[name] for name in ("marts.whats_on", "marts.attribution", "marts.conflicts"))

    built.resolve()
    built.run()
    assert rewritten(built, before) == {}
    assert changes(built) == 0

    for seed in (7, 8):
        _change_at_random(built, random.Random(seed))  # noqa: S311 - the same changes in every run
        built.resolve()
        built.run()
        assert changes(built) > 0
    assert built.one("select count(*) from unified.entities where name = 'Sala Renombrada'") == 1
    # an event's city is its venue's
    assert {"Callao", "Chorrillos"} <= set(built.column("select city from unified.events"))

    _organizer_comes_later(built)
    before, catalog = built.tuples(), built.column(_CATALOG)
    built.run("--full-refresh")
    assert rewritten(built, before) == {}
    assert built.column(_CATALOG) == catalog
    assert _edit_shows(built)


def _change_at_random(built: Built, dice: random.Random) -> None:
    """Rename, delete, revive, relink, move, merge, split and edit."""
    later = NOW + timedelta(days=1)
    built.write("directus/venues/v1", later, name="Sala Renombrada", city="Callao")
    built.delete("directus/venues/v2")
    built.delete("directus/venues/v2")
    built.write("directus/venues/v2", later, name="Sala Viva")
    for number in dice.sample(range(3, 12), 2):
        built.delete(f"directus/venues/v{number}")
    for number in dice.sample(range(24), 3):
        built.delete(f"directus/events/e{number}")
    for number in dice.sample(range(24), 3):
        built.delete(f"scraper/event_listings/l{number}")
    for number in dice.sample(range(24), 4):
        moved = f"2026-1{dice.randrange(1, 3)}-{dice.randrange(21, 29)}T21:00:00"
        built.write(f"directus/events/e{number}", later, date_start=moved, venue=f"v{dice.randrange(12)}")
    for number in dice.sample(range(24), 3):
        built.write(f"scraper/event_listings/l{number}", later, artists=[], organizer_website=None, genres=["Techno"])
    built.delete("directus/events_artists/j3")
    built.write("directus/artists/a1", later, name="Los Otros")
    built.write("directus/campaigns/k1", later, organizer_instagram="promo2", channel="tiktok")
    built.delete("directus/articles/t1")
    built.write("directus/articles/t2", later, title="Sala Candela de la Luna", city="Bogotá")
    # visitors become people, later than what they did
    built.write("mongo/users/u3", later, anonymousIds=["browser1", "browser2"])
    built.write(
        "mongo/engagement/s1", kind="sign_in", anonymousId="browser5", userId="u4", at={"$date": NOW.isoformat()}
    )
    # one account that becomes another one's, one that is gone
    built.write("mongo/users/u5", later, email="u6@mail.example")
    built.delete("mongo/users/u7")
    for number in dice.sample(range(200), 20):
        built.write(f"mongo/engagement/g{number}", later, at={"$date": (NOW - timedelta(days=number)).isoformat()})
    for number in dice.sample(range(200), 10):
        built.delete(f"mongo/engagement/g{number}")
    built.write("mongo/transactions/x20", later, status="refunded")
    one, two = built.entity("directus/brands/plain0"), built.entity("directus/brands/plain1")
    if one != two:
        decisions.merge(built.connection, one, two, "test")
    else:
        decisions.split(built.connection, one, ["directus/brands/plain1"], "test")
    edits.edit(built.connection, built.entity("directus/venues/v0"), {"description": "La mejor"}, "u0", "claimant")
    edits.edit(built.connection, built.entity("directus/venues/v0"), {"city": "Chorrillos"}, "test")
    edits.edit(built.connection, built.entity("directus/artists/a2"), {"name": "Editada", "bio": "Corta"}, "test")
    edits.edit(built.connection, built.entity("directus/events/e5"), {"price_min": 1, "genres": ["Salsa"]}, "test")


def _organizer_comes_later(built: Built) -> None:
    """An event names its organizer by name only, who becomes known in the next run."""
    when = {"starts_at": "2026-11-27T22:00:00", "city": "Lima", "country": "PE"}
    place = {"venue_name": "Sala Candela de la Luna", "organizer_name": "Casa Tardía"}
    built.write("scraper/event_listings/l50", title="Noche Tardía", **when, **place)
    built.resolve()
    built.run()
    organizer = "select organizer_id is not null from unified.events where name = 'Noche Tardía'"
    assert built.one(organizer) is False
    built.write("twenty/companies/c50", name="Casa Tardía", domainName={"primaryLinkUrl": "tardia.example"})
    built.resolve()
    built.run()
    assert built.one(organizer) is True


def _edit_shows(built: Built) -> bool:
    row = (
        "select metadata ->> 'description' || (metadata #>> '{provenance, description, source}') from unified.entities"
    )
    return built.column(f"{row} where id = %s", built.entity("directus/venues/v0")) == ["La mejoredit"]


@pytest.mark.long
def test_an_empty_identity_stops_the_build(built: Built) -> None:
    before = built.tuples()
    kept = built.column("select to_jsonb(e) from identity.entities as e")
    built.connection.execute("delete from identity.entities")
    said = built.run("--select", "entities", fails=True)
    assert "would lose all its rows: its sources are empty" in " ".join(said.split())
    assert "allow_empty: true" in said
    assert rewritten(built, before) == {}
    built.run("--select", "entities", "--vars", json.dumps({"allow_empty": True}))
    assert built.one("select count(*) from unified.entities") == 0
    built.connection.execute(
        "insert into identity.entities select * from jsonb_populate_recordset(null::identity.entities, %s::jsonb)",
        [json.dumps(kept)],
    )
    built.run("--select", "entities")
    assert built.one("select count(*) from unified.entities") == len(kept)
    assert built.column("select id::text from unified.entities where claim_status = 'pending'")


def test_a_column_without_a_migration_fails_clearly(built: Built) -> None:
    built.connection.execute("alter table unified.campaigns drop column budget cascade")
    said = built.run("--select", "campaigns", fails=True)
    assert "source and target schemas on this incremental model are out of sync" in said
    assert "budget" in said


def test_months_are_made_and_go_as_a_whole(built: Built) -> None:
    clocks = {"new": datetime(2026, 12, 24, tzinfo=UTC), "far": datetime(2999, 1, 1, tzinfo=UTC)}
    for name, at in clocks.items():
        built.write(f"mongo/engagement/{name}", kind="share", at={"$date": at.isoformat()}, userId="u1")
    built.run("--select", "interactions")
    part = "select tableoid::regclass::text from unified.interactions where at = %s"
    assert built.column(part, clocks["new"]) == ["unified.interactions_2026_12"]
    assert built.column(part, clocks["far"]) == ["unified.interactions_other"]
    before = "select count(*) from unified.interactions where at < date_trunc('month', %s::timestamptz)"
    assert built.one(before, NOW) > 0
    # a month goes when all of it is older
    assert built.one("select ops.drop_months('unified.interactions', %s)", NOW - timedelta(days=1)) == 0
    assert built.one("select ops.drop_months('unified.interactions', %s)", NOW) == 1
    assert built.one(before, NOW) == 0


def test_claims_are_not_dbts_to_write(built: Built) -> None:
    bar = built.entity("directus/venues/v0")
    built.write("directus/venues/v0", NOW + timedelta(days=2), name="Otra Sala")
    built.run("--select", "source_records", "entities")
    found = "select claim_status || ' ' || name from unified.entities where id = %s"
    assert built.column(found, bar) == ["pending Otra Sala"]
