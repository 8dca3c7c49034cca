{{ config(unique_key="id") }}
with live as materialized (  -- once: the view behind it is large, and the planner cannot count it
    select * from {{ ref('live_map') }}
)

select
    {{ row_id('directus', 'campaigns', 'c.record_id') }} as id,
    coalesce(c.name, c.record_id) as name,
    lower(c.channel) as channel,
    c.budget,
    c.start_date,
    c.end_date,
    organizer.id as organizer_id
from {{ ref('stg_directus__campaigns') }} as c
left join live as m
    on m.source = 'directus' and m.table_name = 'campaigns.organizer' and c.record_id = m.record_id
left join {{ ref('entities') }} as organizer on m.entity_id = organizer.id
