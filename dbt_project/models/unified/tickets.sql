{{ config(unique_key="id", indexes=[{"columns": ["event_id"]}]) }}
select
    {{ row_id('mongo', 'tickets', 't.record_id') }} as id,
    {{ row_id('mongo', 'transactions', 'sale.record_id') }} as purchase_id,  -- as unified.purchases makes it
    event.id as event_id,
    person.id as person_id,
    t.tier,
    t.price,
    t.checked_in_at
from {{ ref('stg_mongo__tickets') }} as t
left join {{ ref('stg_mongo__transactions') }} as sale on t.transaction_id = sale.record_id
left join {{ source('identity', 'entity_map') }} as pm
    on pm.source = 'mongo' and pm.table_name = 'users' and t.user_id = pm.record_id
left join {{ ref('entities') }} as person on pm.entity_id = person.id
left join {{ source('identity', 'entity_map') }} as em
    on em.source = 'directus' and em.table_name = 'events' and t.event_record_id = em.record_id
left join {{ ref('entities') }} as event on em.entity_id = event.id
