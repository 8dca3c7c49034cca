{{ config(unique_key="organization_id", indexes=[{"columns": ["score desc nulls last", "organization_id"]}]) }}
{#
    Unclaimed organizers by the traffic that Sonik sent them (FR-7).
    score = ln(1 + clicks) * (1 + 10 * conversions per click, at least): many clicks count, clicks that sold count more.
#}
with traffic as (
    select
        organizer_id,
        count(*) as events,
        sum(views)::bigint as views,
        sum(clicks)::bigint as clicks,
        sum(purchases)::bigint as conversions,
        max(last_click_at) as last_click_at
    from {{ ref('event_traffic') }}
    where organizer_id is not null
    group by organizer_id
),

identifiers as materialized (  -- once: it counts every identifier that any record has
    select entity_id, domain, instagram_url, email
    from {{ ref('entity_identifiers') }}
),

contacts as (
    select distinct on (r.to_id) r.to_id as organization_id, p.id as contact_id, p.name, i.email
    from {{ ref('relationships') }} as r
    inner join {{ ref('entities') }} as p on r.from_id = p.id
    left join identifiers as i on p.id = i.entity_id
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
    i.domain,
    i.instagram_url,
    o.claim_status,
    t.events,
    t.views,
    t.clicks,
    t.conversions,
    t.last_click_at,
    'We sent ' || t.clicks || ' click' || case when t.clicks = 1 then '' else 's' end || ' to your ticket page'
        as sentence,
    c.contact_id,
    c.name as contact_name,
    c.email as contact_email,
    d.stage as crm_stage,
    {{ rounded(
        "ln(1 + t.clicks::float8) * (1 + 10 * coalesce(" ~ wilson_lower("t.conversions", "t.clicks") ~ ", 0))", 4
    ) }} as score
from {{ ref('entities') }} as o
inner join traffic as t on o.id = t.organizer_id
left join identifiers as i on o.id = i.entity_id
left join contacts as c on o.id = c.organization_id
left join deals as d on o.id = d.organization_id
where o.entity_type = 'organization' and o.claim_status = 'unclaimed'
