{{ config(
    unique_key=["id", "at"],
    meta={"guard_empty": true},
    pre_hook="select ops.ensure_months('unified.interactions', min(at), max(at)) from {{ ref('stg_mongo__engagement') }}",
) }}
{# What visitors did. The table is partitioned by month: migration 0003 makes it, this model only fills it. #}
with visitors as (
    select anonymous_id, entity_id, valid_from, valid_to
    from {{ source('identity', 'visitors') }}
    where status = 'linked'
)

select
    {{ row_id('mongo', 'engagement', 'e.record_id') }} as id,
    person.id as person_id,
    e.anonymous_id,
    event.id as event_id,
    content.id as content_id,
    campaign.id as campaign_id,
    lower(e.channel) as channel,
    e.kind,
    e.at,
    null::numeric as amount,
    null::text as currency,
    e.properties
        || jsonb_strip_nulls(jsonb_build_object('referrer_id', referrer.entity_id)) as properties
from {{ ref('stg_mongo__engagement') }} as e
left join {{ source('identity', 'entity_map') }} as um
    on um.source = 'mongo' and um.table_name = 'users' and e.user_id = um.record_id
left join visitors as v
    on e.anonymous_id = v.anonymous_id
        and e.at >= coalesce(v.valid_from, '-infinity') and e.at < coalesce(v.valid_to, 'infinity')
left join {{ ref('entities') }} as person on person.id = coalesce(um.entity_id, v.entity_id)
left join {{ source('identity', 'entity_map') }} as referrer
    on referrer.source = 'mongo' and referrer.table_name = 'users' and e.referrer_user_id = referrer.record_id
left join {{ source('identity', 'entity_map') }} as em
    on em.source = 'directus' and em.table_name = 'events' and e.event_record_id = em.record_id
left join {{ ref('entities') }} as event on em.entity_id = event.id
left join {{ ref('content') }} as content
    on content.id = {{ row_id('directus', 'articles', 'e.content_record_id') }}
left join {{ ref('campaigns') }} as campaign
    on campaign.id = {{ row_id('directus', 'campaigns', 'e.campaign_record_id') }}
where e.at is not null
