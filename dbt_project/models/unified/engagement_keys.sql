{{ config(materialized="view") }}
{#
    What the keys in engagement records mean today: users and visitors are people, a visitor from and to when; events,
    articles and campaigns are those of the CMS. A key that means nothing that lives is not here.
#}
with people as (
    select m.record_id as key, m.entity_id as id
    from {{ source('identity', 'entity_map') }} as m
    inner join {{ ref('entities') }} as e on m.entity_id = e.id
    where m.source = 'mongo' and m.table_name = 'users'
)

select 'user' as kind, key, id, null::timestamptz as valid_from, null::timestamptz as valid_to from people
union all
select 'referrer', key, id, null, null from people
union all
select 'visitor', v.anonymous_id, v.entity_id, v.valid_from, v.valid_to
from {{ source('identity', 'visitors') }} as v
inner join {{ ref('entities') }} as e on v.entity_id = e.id
where v.status = 'linked'
union all
select 'event', m.record_id, m.entity_id, null, null
from {{ source('identity', 'entity_map') }} as m
inner join {{ ref('entities') }} as e on m.entity_id = e.id
where m.source = 'directus' and m.table_name = 'events'
union all
select 'content', a.record_id, c.id, null, null
from {{ ref('stg_directus__articles') }} as a
inner join {{ ref('content') }} as c on c.id = {{ row_id('directus', 'articles', 'a.record_id') }}
union all
select 'campaign', a.record_id, c.id, null, null
from {{ ref('stg_directus__campaigns') }} as a
inner join {{ ref('campaigns') }} as c on c.id = {{ row_id('directus', 'campaigns', 'a.record_id') }}
