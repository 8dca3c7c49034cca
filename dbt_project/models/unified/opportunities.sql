{{ config(unique_key="id") }}
select
    {{ row_id('twenty', 'opportunities', 'o.record_id') }} as id,
    coalesce(o.name, o.record_id) as name,
    o.amount,
    o.currency,
    o.stage,
    o.close_date,
    organization.id as organization_id,
    person.id as person_id,
    o.updated_at
from {{ ref('stg_twenty__opportunities') }} as o
left join {{ source('identity', 'entity_map') }} as om
    on om.source = 'twenty' and om.table_name = 'companies' and o.company_id = om.record_id
left join {{ ref('entities') }} as organization on om.entity_id = organization.id
left join {{ source('identity', 'entity_map') }} as pm
    on pm.source = 'twenty' and pm.table_name = 'people' and o.person_id = pm.record_id
left join {{ ref('entities') }} as person on pm.entity_id = person.id
