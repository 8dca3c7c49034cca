"""Invariants of the unified model, as blocking checks: where one fails, graph, vectors and cache stay as they are.

What somebody should look at, but stops nothing, warns only. Checks of single models are dbt's tests, beside the models.
"""

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
    ("entities", "claims_are_as_the_log_says"): """
        select e.id::text
        from unified.entities as e left join ops.claim_states() as s on s.entity_id = e.id
        where (e.claim_status, e.claimed_by) is distinct from (coalesce(s.claim_status, 'unclaimed'), s.claimed_by)
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
_WARNINGS = {
    # Two claims met when their entities were merged: people decide (docs/claims.md).
    ("entities", "one_open_claim_an_entity"): """
        select entity_id::text from ops.claims_of() group by entity_id having count(*) > 1
    """,
}


def finds_none(model: str, name: str, query: str, *, blocking: bool) -> dg.AssetChecksDefinition:
    """Return a check that the query, which selects the keys of offenders, finds none; not blocking: a warning."""

    @dg.asset_check(asset=["unified", model], name=name, blocking=blocking)
    def check(stores: Stores) -> dg.AssetCheckResult:
        with stores.postgres() as connection:
            found = [row[0] for row in connection.execute(query)]
        return dg.AssetCheckResult(
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
            metadata={
                "expected": 0,
                "found": len(found),
                "sample": found[:20],
                "sql": dg.MetadataValue.md(query),
            },
        )

    return check


CHECKS = [
    finds_none(model, name, query, blocking=blocking)
    for queries, blocking in ((_INVARIANTS, True), (_WARNINGS, False))
    for (model, name), query in queries.items()
]
GATE = frozenset(dg.AssetKey(["unified", model]) for model, _ in _INVARIANTS)
"""What every asset that leaves PostgreSQL depends on, whether it reads it or not: a blocking check only holds back
what is downstream of its own asset."""
