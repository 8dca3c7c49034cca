{{ config(materialized="view") }}
select
    e.id,
    e.name,
    e.canonical_id,
    e.claim_status,
    e.claimed_by,
    i.google_places_id,
    i.instagram_url,
    i.domain,
    e.metadata ->> 'city' as city,
    case when e.metadata ->> 'website' is null then 'promoter' else 'company' end as type
from {{ ref('entities') }} as e
left join {{ ref('entity_identifiers') }} as i on e.id = i.entity_id
where e.entity_type = 'organization'
