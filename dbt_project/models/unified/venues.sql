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
    {{ safe("e.metadata ->> 'capacity'", "int") }} as capacity,
    {{ safe("e.metadata ->> 'latitude'", "float8") }} as latitude,
    {{ safe("e.metadata ->> 'longitude'", "float8") }} as longitude,
    e.metadata ->> 'address' as address,
    e.metadata ->> 'city' as city,
    e.metadata ->> 'country' as country,
    e.metadata ->> 'category' as category
from {{ ref('entities') }} as e
left join {{ ref('entity_identifiers') }} as i on e.id = i.entity_id
where e.entity_type = 'venue'
