{{ config(unique_key="event_id", indexes=[{"columns": ["organizer_id"]}]) }}
{#
    What Sonik did for each event: the counts that leads, promoters and content ideas are made of. Interactions that name
    neither person nor browser count as traffic, but are nobody's visit.
#}
with traffic as (
    select
        event_id,
        count(*) filter (where kind = 'page_view') as views,
        count(*) filter (where kind = 'ticket_click') as clicks,
        count(*) filter (where kind = 'share') as shares,
        count(*) filter (where kind = 'rsvp') as rsvps,
        count(*) filter (where kind = 'check_in') as check_ins,
        max(at) filter (where kind = 'ticket_click') as last_click_at
    from {{ ref('interactions') }}
    where event_id is not null
    group by event_id
),

visits as (  -- a hash of pairs: count(distinct) would sort every interaction
    select i.event_id, {{ visitor("i") }} as visitor_id
    from {{ ref('interactions') }} as i
    where i.event_id is not null
    group by i.event_id, visitor_id
),

visitors as (
    select event_id, count(visitor_id) as visitors
    from visits
    group by event_id
),

sales as (
    select event_id, count(*) as purchases
    from {{ ref('purchases') }}
    where {{ is_paid('status') }} and at >= {{ kept_since() }}  -- as far back as clicks are kept
    group by event_id
)

select
    e.id as event_id,
    e.organizer_id,
    coalesce(t.views, 0) as views,
    coalesce(t.clicks, 0) as clicks,
    coalesce(t.shares, 0) as shares,
    coalesce(t.rsvps, 0) as rsvps,
    coalesce(t.check_ins, 0) as check_ins,
    coalesce(v.visitors, 0) as visitors,
    coalesce(s.purchases, 0) as purchases,
    t.last_click_at
from {{ ref('events') }} as e
left join traffic as t on e.id = t.event_id
left join visitors as v on e.id = v.event_id
left join sales as s on e.id = s.event_id
