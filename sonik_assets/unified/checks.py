"""Invariants of the unified model, as blocking checks: where one fails, graph, vectors and cache stay as they are."""

import dagster as dg

from resources.dagster import Stores

_INVARIANTS = {
    ("entities", "no_duplicate_canonical_ids"): """
        select entity_type || ' ' || canonical_scheme || ' ' || canonical_id
        from unified.entities group by entity_type, canonical_scheme, canonical_id having count(*) > 1
    """,
    ("entities", "every_entity_has_a_source_record"): """
        select e.id::text from unified.entities as e
        where not exists (select from unified.live_map as m where m.entity_id = e.id)
            and not exists (select from identity.event_times as t where t.entity_id = e.id)
    """,
    ("events", "one_event_per_event_key"): """
        select event_key from unified.events
        where event_key is not null group by event_key having count(*) > 1
    """,
    ("events", "every_event_is_an_entity"): """
        select e.id::text from unified.entities as e full join unified.events as v on v.id = e.id
        where (e.entity_type = 'event' and v.id is null)
            or (v.id is not null and e.entity_type is distinct from 'event')
    """,
    ("relationships", "every_edge_has_both_ends"): """
        select r.id::text from unified.relationships as r
        where r.from_label in ('Person', 'Venue', 'Organization', 'Artist', 'Brand', 'Event')
            and not exists (select from unified.entities as e where e.id = r.from_id)
            or r.to_label in ('Person', 'Venue', 'Organization', 'Artist', 'Brand', 'Event')
            and not exists (select from unified.entities as e where e.id = r.to_id)
    """,
    ("relationships", "weights_are_between_0_and_1"): """
        select id::text from unified.relationships where weight is null or not weight between 0 and 1
    """,
}


def invariant(model: str, name: str, query: str) -> dg.AssetChecksDefinition:
    """Return a blocking check that the query, which selects the keys of offenders, finds none."""

    @dg.asset_check(asset=["unified", model], name=name, blocking=True)
    def check(stores: Stores) -> dg.AssetCheckResult:
        with stores.postgres() as connection:
            found = [row[0] for row in connection.execute(query)]
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={
                "expected": 0,
                "found": len(found),
                "sample": found[:20],
                "sql": dg.MetadataValue.md(query),
            },
        )

    return check


CHECKS = [invariant(model, name, query) for (model, name), query in _INVARIANTS.items()]
GATE = frozenset(dg.AssetKey(["unified", model]) for model, _ in _INVARIANTS)
"""What every asset that leaves PostgreSQL depends on, whether it reads it or not: a blocking check only holds back
what is downstream of its own asset."""
