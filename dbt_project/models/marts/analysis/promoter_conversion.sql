{{ config(unique_key="organizer_id") }}
{# Every organizer by how well its traffic sells. `conversion_lower` is what to rank by: 1 of 1 does not lead. #}
with traffic as (
    select
        organizer_id,
        count(*) as events,
        sum(views)::bigint as views,
        sum(clicks)::bigint as clicks,
        sum(purchases)::bigint as purchases
    from {{ ref('event_traffic') }}
    where organizer_id is not null
    group by organizer_id
),

money as (
    select
        organizer_id,
        jsonb_object_agg(currency, amount) filter (where currency is not null and amount is not null) as revenue
    from (
        select e.organizer_id, p.currency, sum(p.amount) as amount
        from {{ ref('purchases') }} as p
        inner join {{ ref('events') }} as e on p.event_id = e.id
        where {{ is_paid('p.status') }} and e.organizer_id is not null
        group by e.organizer_id, p.currency
    ) as by_currency
    group by organizer_id
)

select
    o.id as organizer_id,
    o.name,
    o.claim_status,
    t.events,
    t.views,
    t.clicks,
    t.purchases,
    {{ rounded("t.clicks / nullif(t.views, 0)::float8", 6) }} as click_through,
    {{ rounded("t.purchases / nullif(t.clicks, 0)::float8", 6) }} as conversion_rate,
    {{ rounded(wilson_lower("t.purchases", "t.clicks"), 6) }} as conversion_lower,
    coalesce(m.revenue, '{}'::jsonb) as revenue
from {{ ref('entities') }} as o
inner join traffic as t on o.id = t.organizer_id
left join money as m on o.id = m.organizer_id
