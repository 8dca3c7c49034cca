{{ config(
    unique_key="organization_id",
    post_hook=["{{ constrain('organizer_leads_pkey', 'primary key (organization_id)') }}"],
) }}
{#
    Unclaimed organizers by the traffic that Sonik sent them (FR-7).
    score = ln(1 + clicks) * (1 + 10 * conversions / clicks): many clicks count, clicks that sold count more.
#}
with traffic as (
    select
        e.organizer_id,
        count(distinct e.id) as events,
        count(*) filter (where i.kind = 'page_view') as views,
        count(*) filter (where i.kind = 'ticket_click') as clicks
    from {{ ref('events') }} as e
    left join {{ ref('interactions') }} as i on e.id = i.event_id
    where e.organizer_id is not null
    group by e.organizer_id
),

sales as (
    select e.organizer_id, count(*) as conversions
    from {{ ref('events') }} as e
    inner join {{ ref('purchases') }} as p on e.id = p.event_id
    where {{ is_paid('p.status') }}
    group by e.organizer_id
),

contacts as (
    select distinct on (r.to_id) r.to_id as organization_id, p.name, i.email
    from {{ ref('relationships') }} as r
    inner join {{ ref('entities') }} as p on r.from_id = p.id
    left join {{ ref('entity_identifiers') }} as i on p.id = i.entity_id
    where r.type = 'WORKS_FOR'
    order by r.to_id asc, i.email is null asc, r.at desc, r.from_id asc
),

deals as (
    select distinct on (organization_id) organization_id, stage
    from {{ ref('opportunities') }}
    where organization_id is not null
    order by organization_id asc, updated_at desc nulls last, id asc
)

select
    o.id as organization_id,
    o.name,
    o.domain,
    o.instagram_url,
    o.claim_status,
    t.events,
    t.views,
    t.clicks,
    coalesce(s.conversions, 0) as conversions,
    'We sent ' || t.clicks || ' click' || case when t.clicks = 1 then '' else 's' end || ' to your ticket page'
        as sentence,
    c.name as contact_name,
    c.email as contact_email,
    d.stage as crm_stage,
    ln(1 + t.clicks) * (1 + 10 * coalesce(s.conversions, 0) / greatest(t.clicks, 1)::float8) as score
from {{ ref('organizations') }} as o
inner join traffic as t on o.id = t.organizer_id
left join sales as s on o.id = s.organizer_id
left join contacts as c on o.id = c.organization_id
left join deals as d on o.id = d.organization_id
where o.claim_status = 'unclaimed'
