{{ config(unique_key="id", indexes=[{"columns": ["event_id"]}]) }}
select
    {{ row_id('mongo', 'transactions', 't.record_id') }} as id,
    person.id as person_id,
    event.id as event_id,
    campaign.id as campaign_id,
    t.amount,
    t.currency,
    lower(t.status) as status,
    coalesce(t.at, '1970-01-01Z'::timestamptz) as at
from {{ ref('stg_mongo__transactions') }} as t
left join {{ source('identity', 'entity_map') }} as pm
    on pm.source = 'mongo' and pm.table_name = 'users' and t.user_id = pm.record_id
left join {{ ref('entities') }} as person on pm.entity_id = person.id
left join {{ source('identity', 'entity_map') }} as em
    on em.source = 'directus' and em.table_name = 'events' and t.event_record_id = em.record_id
left join {{ ref('entities') }} as event on em.entity_id = event.id
left join {{ ref('campaigns') }} as campaign
    on campaign.id = {{ row_id('directus', 'campaigns', 't.campaign_record_id') }}
