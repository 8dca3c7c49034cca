"""The blocking dedup invariants of identity. A check is named as what holds; its SQL returns what breaks it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from resources.dagster import Stores

SAMPLE = 20

_SHARED = """
select entity_type || ' ' || canonical_scheme || ' ' || canonical_id
from identity.entities
group by entity_type, canonical_scheme, canonical_id
having count(*) > 1
"""
# In one entity: the record is mapped, and the entity it is mapped to lives. The key allows no second row.
_RECORDS = """
select concat_ws('/', record.source, record.table_name, record.record_id)
from (
    select source, table_name, record_id from staging.mentions where not embedded
    union all
    select source, table_name, record_id from staging.event_mentions
) as record
left join identity.entity_map as map using (source, table_name, record_id)
left join identity.entities as entity using (entity_id)
group by record.source, record.table_name, record.record_id
having count(entity.entity_id) <> 1
"""
INVARIANTS = {
    "no_shared_canonical_ids": (_SHARED, "No two live entities of a type have one canonical id."),
    "every_record_in_one_entity": (_RECORDS, "Each live source record is in exactly one live entity."),
}
"""Check name -> (SQL returning one text a violation, what it says)."""

_KEY = dg.AssetKey(["identity", "entity_map"])


@dg.multi_asset_check(
    name="identity_invariants",
    specs=[
        dg.AssetCheckSpec(name, asset=_KEY, blocking=True, description=description)
        for name, (_, description) in INVARIANTS.items()
    ],
)
def identity_invariants(stores: Stores) -> Iterator[dg.AssetCheckResult]:
    """Run every invariant's SQL; any row it returns fails the check."""
    with stores.postgres() as connection:
        for name, (query, _) in INVARIANTS.items():
            cursor = connection.execute(query)
            broken = [row[0] for row in cursor.fetchmany(SAMPLE)]
            metadata: dict[str, Any] = {
                "violations": cursor.rowcount,
                "sample": broken,
                "sql": dg.MetadataValue.md(query),
            }
            yield dg.AssetCheckResult(
                check_name=name,
                asset_key=_KEY,
                passed=not broken,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata=metadata,
            )


CHECKS = [identity_invariants]
