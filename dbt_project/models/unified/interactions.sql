{{ config(
    unique_key=["id", "at"],
    on_schema_change="append_new_columns",
    meta={"scope": "interactions_scope", "not_ours": ["day"]},
    pre_hook=["{{ find_changed_engagement() }}", "{{ make_months() }}"],
    post_hook="{{ remember_engagement() }}",
) }}
{#
    What visitors did. The table is partitioned by month: migration 0003 makes it, this model only fills it, and reads
    only records that changed and rows whose keys mean something else now (macros/engagement.sql).
#}
with told as (
    select
        s.id, e.kind, e.at, lower(e.channel) as channel, e.properties, e.anonymous_id, e.user_id as user_key,
        e.event_record_id as event_key, e.content_record_id as content_key, e.campaign_record_id as campaign_key,
        e.referrer_user_id as referrer_key
    from interactions_scope as s
    inner join {{ ref('stg_mongo__engagement') }} as e on s.record_id = e.record_id
    where e.at >= {{ kept_since() }} and e.kind is not null
    union all
    select
        i.id, i.kind, i.at, i.channel, i.properties, i.anonymous_id, i.user_key, i.event_key, i.content_key,
        i.campaign_key, i.referrer_key
    from interactions_scope as s
    inner join {{ this }} as i on s.id = i.id
    where s.record_id is null
)

select
    t.id,
    coalesce(person.id, visitor.id) as person_id,
    t.anonymous_id,
    event.id as event_id,
    content.id as content_id,
    campaign.id as campaign_id,
    referrer.id as referrer_id,
    t.channel,
    t.kind,
    t.at,
    null::numeric as amount,
    null::text as currency,
    t.properties,
    t.user_key,
    t.event_key,
    t.content_key,
    t.campaign_key,
    t.referrer_key
from told as t
left join ops.seen_keys as person on person.kind = 'user' and t.user_key = person.key
left join ops.seen_keys as visitor
    on visitor.kind = 'visitor' and t.anonymous_id = visitor.key
        and t.at >= coalesce(visitor.valid_from, '-infinity') and t.at < coalesce(visitor.valid_to, 'infinity')
left join ops.seen_keys as event on event.kind = 'event' and t.event_key = event.key
left join ops.seen_keys as content on content.kind = 'content' and t.content_key = content.key
left join ops.seen_keys as campaign on campaign.kind = 'campaign' and t.campaign_key = campaign.key
left join ops.seen_keys as referrer on referrer.kind = 'referrer' and t.referrer_key = referrer.key
