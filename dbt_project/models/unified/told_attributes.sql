{{ config(materialized="view") }}
{# What every record says of each attribute of its entity, one row a record and attribute, edits included; which one
   survives is macros/survivorship.sql's. #}
with records as (
    select m.entity_id, m.entity_type, r.source, r.table_name, r.record_id, r.trust, r.updated_at, r.said
    from {{ source('identity', 'entity_map') }} as m
    inner join {{ ref('source_records') }} as r
        on m.source = r.source and m.table_name = r.table_name and m.record_id = r.record_id
    where m.entity_type <> 'event'
    union all
    select
        entity_id, 'event' as entity_type, source, table_name, record_id, trust, updated_at,
        said - '{genres, price_min, price_max, venue_record}'::text[] || jsonb_strip_nulls(jsonb_build_object(
            'event_key', event_key, 'starts_at', starts_at, 'local_date', local_date, 'ends_at', ends_at,
            'venue', venue_id, 'organizer', organizer_id
        ))
    from {{ ref('event_records') }}
)

select r.entity_id, r.entity_type, r.source, r.table_name, r.record_id, r.trust, r.updated_at, a.attribute, a.value
from records as r
cross join lateral jsonb_each(r.said) as a (attribute, value)
union all
select m.entity_id, m.entity_type, m.source, m.table_name, m.record_id, 0, e.at, e.attribute, e.value
from {{ source('ops', 'edits') }} as e
inner join {{ source('identity', 'entity_map') }} as m
    on
        split_part(e.entity_ref, '/', 1) = m.source and split_part(e.entity_ref, '/', 2) = m.table_name
        and regexp_replace(e.entity_ref, '^[^/]*/[^/]*/', '') = m.record_id
where
    e.value is not null
    and not exists (
        select from {{ source('ops', 'edits') }} as later
        where e.entity_ref = later.entity_ref and e.attribute = later.attribute and e.seq < later.seq
    )
