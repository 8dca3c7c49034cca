"""The blocking dedup invariants of identity. A check is named as what holds; its SQL returns what breaks it."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

from resources.dagster import Stores
from sonik_assets.identity.judgements import DISREGARDED
from sonik_assets.identity.memory import UNDISPUTED
from sonik_assets.identity.schemes import FORBIDDING, LINKING, MOST_RECORDS

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
# The strongest scheme that an entity holds any value of is the one that linked it: of that it has one value, where
# two contradict. A weaker one may differ: one place's two sites, one mailbox's two handles. A person may have joined
# two values knowingly, or before they differed.
_RANKED = ", ".join(
    f"('{kind}', '{scheme}', {rank}, {scheme in FORBIDDING[kind]})"
    for kind, schemes in LINKING.items()
    for rank, scheme in enumerate(schemes)
)
_CONTRADICTIONS = f"""
with linking (entity_type, scheme, rank, forbids) as (values {_RANKED}),
held as (
    select distinct m.entity_id, m.entity_type, i.scheme, f.rank, f.forbids, coalesce(a.alias_of, i.value) as value
    from identity.entity_map as m
    inner join identity.identifiers as i using (source, table_name, record_id)
    inner join linking as f on f.entity_type = m.entity_type and f.scheme = i.scheme
    left join identity.aliases as a on a.scheme = i.scheme and a.value = i.value
    where i.valid_to is null and not i.weak and {UNDISPUTED.as_string()} and not m.attached
)
select concat_ws(' ', entity_type, entity_id, scheme, string_agg(value, ' / ' order by value))
from held
where forbids and rank = (select min(o.rank) from held as o where o.entity_id = held.entity_id)
    and entity_id not in (
        select m.entity_id
        from identity.judgements as j
        inner join identity.mentions as r on r.ref in (j.left_ref, j.right_ref)
        inner join identity.entity_map as m using (source, table_name, record_id)
        where j.retired_at is null and j.method = 'person' and j.judgement = 'same'
    )
group by entity_type, entity_id, scheme
having count(*) > 1
"""
_CHAINS = """
select concat_ws(' -> ', r.old_id, r.new_id, n.new_id)
from identity.redirects as r
inner join identity.redirects as n on n.old_id = r.new_id
"""
_LOST = """
select concat_ws(' -> ', r.old_id, r.new_id)
from identity.redirects as r
left join identity.entities as e on e.entity_id = r.new_id
where e.entity_id is null and not exists (
    select from unified.changes as c where c.entity_id = r.new_id and c.kind = 'tombstoned'
)
"""
# The last word of history on each id that ever was, against where it is now.
_RESOLVING = """
with ever as (
    select entity_id from unified.changes where kind = 'created'
    union
    select new_id from unified.changes where kind = 'split'
)
select ever.entity_id::text
from ever
where not exists (select from identity.entities as e where e.entity_id = ever.entity_id)
    and not exists (select from identity.redirects as r where r.old_id = ever.entity_id)
    and not exists (select from unified.changes as c where c.entity_id = ever.entity_id and c.kind = 'tombstoned')
"""
_LARGE = f"""
select concat_ws(' ', m.entity_type, m.entity_id, count(*))
from identity.entity_map as m
inner join identity.mentions as r using (source, table_name, record_id)
where not r.embedded
group by m.entity_type, m.entity_id
having count(*) > {MOST_RECORDS} and m.entity_id not in (select entity_id from identity.large)
"""
_HELD = """
select reason || coalesce('; ' || (w ->> 'type') || ' ' || (w ->> 'entity') || ' ' || (w ->> 'count'), '')
from identity.held
cross join lateral jsonb_array_elements_text(reasons) as reason
left join lateral jsonb_array_elements(worst) as w
    on reason like concat('%', w ->> 'type', ' entities would be ', w ->> 'change')
        or (w ->> 'change' = 'grown' and reason like '%records')
where closed_at is null
"""
INVARIANTS = {
    "no_unacknowledged_upheaval": (
        _HELD,
        "No run is held that would merge, split or drop too much (`sonik identity held`, `acknowledge`).",
    ),
    "no_shared_canonical_ids": (_SHARED, "No two live entities of a type have one canonical id."),
    "every_record_in_one_entity": (_RECORDS, "Each live source record is in exactly one live entity."),
    "no_contradicting_identifiers": (_CONTRADICTIONS, "No entity holds two values of what names it, but aliases."),
    "no_redirect_chains": (_CHAINS, "No redirect leads to an id that is redirected itself."),
    "no_lost_redirect_targets": (_LOST, "What a redirect leads to lives, or history says that it was dropped."),
    "every_id_resolves": (_RESOLVING, "Each id ever given lives, is redirected, or was dropped with its records."),
    "no_entity_over_the_cap": (_LARGE, f"No entity has more than {MOST_RECORDS} records, unless acknowledged."),
    "decisions_are_honoured": (DISREGARDED, "What people judged the same is one entity, what different is two."),
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
