{{ config(materialized="view") }}
{#
    What fans did. Weights say how often (macros/weights.sql) or, for INFLUENCED, how soon before the purchase:
    1 at once, falling to 0 at the end of the look-back.
#}
with shared as (
    select
        'Person' as from_label, person_id as from_id, 'SHARED' as type,
        case when event_id is null then 'Content' else 'Event' end as to_label,
        coalesce(event_id, content_id) as to_id, coalesce(channel, '') as discriminator,
        {{ frequency_weight('count(*)', 2) }} as weight, max(at) as at, 'engagement' as source,
        1.0::float8 as confidence,
        jsonb_build_object('channel', channel, 'times', count(*)) as properties
    from {{ ref('interactions') }}
    where kind = 'share' and person_id is not null and coalesce(event_id, content_id) is not null
    group by person_id, coalesce(event_id, content_id), event_id is null, channel
),

presence as (
    select person_id, event_id, at, null as tier, 'engagement' as source
    from {{ ref('interactions') }}
    where kind = 'check_in' and person_id is not null and event_id is not null
    union all
    select person_id, event_id, checked_in_at, tier, 'tickets'
    from {{ ref('tickets') }}
    where checked_in_at is not null and person_id is not null and event_id is not null
),

attended as (
    select
        'Person', person_id, 'ATTENDED', 'Event', event_id, '', 1.0::float8, max(at), min(source), 1.0::float8,
        jsonb_build_object('ticket_tier', max(tier))
    from presence
    group by person_id, event_id
),

purchased as (
    select
        'Person', t.person_id, 'PURCHASED', 'Ticket', t.id, '', 1.0::float8, p.at, 'transactions',
        1.0::float8,
        jsonb_build_object('amount', coalesce(t.price, p.amount), 'currency', p.currency, 'sale_source', 'sonik')
    from {{ ref('tickets') }} as t
    inner join {{ ref('purchases') }} as p on t.purchase_id = p.id
    where {{ is_paid('p.status') }}
),

referred as (
    select
        'Person', referrer.id, 'REFERRED', 'Person', i.person_id, '', {{ frequency_weight('count(*)', 1) }},
        max(i.at), 'engagement', 1.0::float8, jsonb_build_object('times', count(*))
    from {{ ref('interactions') }} as i
    inner join {{ ref('entities') }} as referrer on i.referrer_id = referrer.id
    where i.kind = 'referral' and i.person_id is not null and i.person_id <> referrer.id
    group by referrer.id, i.person_id
),

influenced as (
    select
        'Content', i.content_id, 'INFLUENCED', 'Purchase', p.id, '',
        1.0 - extract(epoch from p.at - max(i.at))::float8 / (86400 * {{ var("attribution_lookback_days") }}),
        max(i.at), 'engagement', 0.5::float8, jsonb_build_object('touches', count(*))
    from {{ ref('purchases') }} as p
    inner join {{ ref('interactions') }} as i
        on
            p.person_id = i.person_id and i.at <= p.at
            and i.at > p.at - interval '{{ var("attribution_lookback_days") }} days'
    where i.content_id is not null and i.kind in ('page_view', 'ticket_click') and {{ is_paid('p.status') }}
    group by i.content_id, p.id, p.at
),

converted as (
    select
        'Person', person_id, 'CONVERTED_VIA', 'Campaign', campaign_id, '', {{ frequency_weight('count(*)', 1) }},
        max(at), 'transactions', 1.0::float8, jsonb_build_object('purchases', count(*))
    from {{ ref('purchases') }}
    where person_id is not null and campaign_id is not null and {{ is_paid('status') }}
    group by person_id, campaign_id
)

select * from shared
union all
select * from attended
union all
select * from purchased
union all
select * from referred
union all
select * from influenced
union all
select * from converted
