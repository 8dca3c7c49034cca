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
    array(select g.value from jsonb_array_elements_text(coalesce(e.metadata -> 'genres', '[]')) as g) as genres,
    e.metadata ->> 'country' as country,
    e.metadata ->> 'bio' as bio
from {{ ref('entities') }} as e
left join {{ ref('entity_identifiers') }} as i on e.id = i.entity_id
where e.entity_type = 'artist'
