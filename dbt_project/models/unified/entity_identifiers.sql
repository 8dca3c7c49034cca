{{ config(unique_key="entity_id") }}
{#
    The identifier of each scheme that most of an entity's records carry; ties go to the smaller value. A weak value
    (a chain's handle, an agency's domain) is nobody's own. A table, so that the change feed tells of an identifier that changed: the typed views show it.
#}
with counted as (
    select m.entity_id, i.scheme, i.value, count(*) as records
    from {{ source('identity', 'entity_map') }} as m
    inner join {{ source('identity', 'identifiers') }} as i
        on m.source = i.source and m.table_name = i.table_name and m.record_id = i.record_id
    where i.valid_to is null and not i.weak
    group by m.entity_id, i.scheme, i.value
),

best as (
    select distinct on (entity_id, scheme) entity_id, scheme, value
    from counted
    order by entity_id asc, scheme asc, records desc, value asc
)

select
    entity_id,
    max(value) filter (where scheme = 'google_places_id') as google_places_id,
    max(value) filter (where scheme = 'instagram_url') as instagram_url,
    max(value) filter (where scheme = 'domain') as domain,
    coalesce(
        max(value) filter (where scheme = 'email'), max(value) filter (where scheme = 'role_email')
    ) as email
from best
group by entity_id
