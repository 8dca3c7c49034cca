{{ config(
    unique_key="event_id",
    indexes=[
        {"columns": [folded("city"), "local_date", "starts_at"]},
        {"columns": ["local_date", "latitude", "longitude"]},
        {"columns": ["genres"], "type": "gin"},
        {"columns": ["organizer_id"]},
    ],
) }}
{# What is on, when and where (FR-6): one row an event that has a day. What only editors have drafted is not public. #}
with line_ups as (
    select ea.event_id, array_agg(a.name order by a.name) as artists
    from {{ ref('event_artists') }} as ea
    inner join {{ ref('entities') }} as a on ea.artist_id = a.id
    group by ea.event_id
)

select
    e.id as event_id,
    e.name as event_name,
    v.id as venue_id,
    v.name as venue_name,
    coalesce(v.metadata ->> 'city', e.city) as city,
    v.metadata ->> 'country' as country,
    {{ safe("v.metadata ->> 'latitude'", "float8") }} as latitude,
    {{ safe("v.metadata ->> 'longitude'", "float8") }} as longitude,
    e.starts_at,
    e.ends_at,
    e.local_date,
    e.status,
    coalesce(e.genres, '{}'::text[]) as genres,
    coalesce(l.artists, '{}'::text[]) as artists,
    e.price_min,
    e.price_max,
    e.currency,
    e.ticket_url,
    e.ticket_link,
    o.id as organizer_id,
    o.name as organizer_name
from {{ ref('events') }} as e
left join {{ ref('entities') }} as v on e.venue_id = v.id
left join {{ ref('entities') }} as o on e.organizer_id = o.id
left join line_ups as l on e.id = l.event_id
where e.local_date is not null and not e.is_draft
