{{ config(materialized="view") }}
{# Where each claimed entity stands: its latest claim event. Rejected, revoked and expired return to unclaimed. #}
select distinct on (entity.entity_id)
    entity.entity_id,
    case c.status when 'claimed' then 'claimed' when 'pending' then 'pending' else 'unclaimed' end as claim_status,
    case when c.status = 'claimed' then claimant.entity_id end as claimed_by,
    c.method,
    c.at
from {{ source('ops', 'claims') }} as c
inner join {{ source('identity', 'entity_map') }} as entity
    on c.entity_ref = entity.source || '/' || entity.table_name || '/' || entity.record_id
left join {{ source('identity', 'entity_map') }} as claimant
    on claimant.source = 'mongo' and claimant.table_name = 'users' and c.user_id = claimant.record_id
order by entity.entity_id asc, c.at desc, c.id asc
