"""Each blocking invariant, broken by hand: exactly that one reports it, and what it reports says where."""

import pytest

from sonik_assets.identity.checks import INVARIANTS
from sonik_assets.identity.resolve import Options, resolve
from sonik_assets.identity.schemes import MOST_RECORDS
from tests.identity.conftest import World

ONE, OTHER = "directus/venues/1", "scraper/venue_info/ra:1"
OLD, OLDER = "00000000-0000-7000-8000-000000000001", "00000000-0000-7000-8000-000000000002"
VENUE = "(select entity_id from identity.entities where entity_type = 'venue' and canonical_id = 'P1')"

BROKEN = {
    "no_unacknowledged_upheaval": (
        """insert into identity.held (reasons, worst) values ('["too much"]', '[]')""",
        "too much",
    ),
    "no_shared_canonical_ids": (
        "alter table identity.entities drop constraint entities_entity_type_canonical_scheme_canonical_id_key;"
        " update identity.entities set canonical_id = 'P1' where canonical_id = 'P2'",
        "venue google_places_id P1",
    ),
    "every_record_in_one_entity": (
        "delete from identity.entity_map where source = 'scraper' and table_name = 'venue_info'",
        OTHER,
    ),
    "no_contradicting_identifiers": (
        "insert into identity.identifiers (source, table_name, record_id, entity_type, scheme, value)"
        " values ('scraper', 'venue_info', 'ra:1', 'venue', 'google_places_id', 'P9')",
        "google_places_id P1 / P9",
    ),
    "no_redirect_chains": (
        f"insert into unified.changes (kind, entity_id) values ('tombstoned', '{OLD}');"
        f" insert into identity.redirects values ('{OLDER}', '{OLD}', 'merged'), ('{OLD}', {VENUE}, 'merged')",
        f"{OLDER} -> {OLD}",
    ),
    "no_lost_redirect_targets": (
        f"insert into identity.redirects values ('{OLDER}', '{OLD}', 'merged')",
        f"{OLDER} -> {OLD}",
    ),
    "every_id_resolves": (f"insert into unified.changes (kind, entity_id) values ('created', '{OLD}')", OLD),
    "no_entity_over_the_cap": (
        "insert into identity.mentions (source, table_name, record_id, entity_type, embedded, key)"
        f" select 'directus', 'venues', 'x' || n, 'venue', false, n from generate_series(2, {MOST_RECORDS}) as n;"
        " insert into identity.entity_map (source, table_name, record_id, entity_id, entity_type, linked_by)"
        f" select 'directus', 'venues', 'x' || n, {VENUE}, 'venue', 'record'"
        f" from generate_series(2, {MOST_RECORDS}) as n",
        str(MOST_RECORDS + 1),
    ),
    "decisions_are_honoured": (
        "update identity.judgements set judgement = 'different', method = 'person', decided_by = 'ana'"
        f" where left_ref = '{ONE}' and right_ref = '{OTHER}' and retired_at is null",
        f"different {ONE} {OTHER}",
    ),
}
"""Check name -> what breaks its invariant, and what the check then says."""


@pytest.fixture
def whole(world: World) -> World:
    for ref in (ONE, OTHER):
        world.mention(ref, "venue", name="Nebula", city="Lima", country="PE", google_place_id="P1")
    world.mention("directus/venues/2", "venue", name="Roma", city="Lima", country="PE", google_place_id="P2")
    world.event("directus/events/1", name="Juanes", venue=ONE, starts_at_text="2026-03-06T21:00:00")
    resolve(world.connection, options=Options(matchers={}))
    return world


def reported(world: World) -> dict[str, list[str]]:
    return {name: [row[0] for row in found] for name, (query, _) in INVARIANTS.items() if (found := world.rows(query))}


def reported_once(world: World, statement: str) -> dict[str, list[str]]:
    """Return what is reported once the statement has broken something, and mend it."""
    with world.connection.transaction(force_rollback=True):
        world.connection.execute(statement)
        return reported(world)


def test_a_broken_invariant_is_reported_by_its_check_alone(whole: World) -> None:
    assert reported(whole) == {}
    found = {name: reported_once(whole, statement) for name, (statement, _) in BROKEN.items()}
    assert {name: list(reports) for name, reports in found.items()} == {name: [name] for name in INVARIANTS}
    for name, (_, said) in BROKEN.items():
        assert said in found[name][name][0]


def test_what_is_as_it_should_be_is_not_reported(whole: World) -> None:
    """An alias, a weak value, one that ended or is reused contradicts nothing; a retired decision binds nobody."""
    whole.connection.execute(
        "insert into identity.aliases (scheme, value, alias_of, reason)"
        " values ('google_places_id', 'P9', 'P1', 'refreshed place');"
        " insert into identity.identifiers"
        " (source, table_name, record_id, entity_type, scheme, value, weak, valid_to, reused_from) values"
        " ('scraper', 'venue_info', 'ra:1', 'venue', 'google_places_id', 'P9', false, null, null),"
        " ('scraper', 'venue_info', 'ra:1', 'venue', 'google_places_id', 'P6', false, now(), null),"
        " ('scraper', 'venue_info', 'ra:1', 'venue', 'google_places_id', 'P7', true, null, null),"
        " ('scraper', 'venue_info', 'ra:1', 'venue', 'google_places_id', 'P8', false, null, 'directus/venues/2');"
        f" insert into identity.judgements"
        " (entity_type, left_ref, right_ref, judgement, score, method, decided_by, retired_at)"
        f" values ('venue', '{ONE}', '{OTHER}', 'different', 1, 'person', 'ana', now());"
        " insert into identity.held (reasons, worst, closed_at) values ('[\"too much\"]', '[]', now());"
        f" insert into unified.changes (kind, entity_id) values ('created', '{OLD}'), ('tombstoned', '{OLD}');"
        f" insert into identity.redirects values ('{OLDER}', '{OLD}', 'merged')"
    )
    assert reported(whole) == {}
