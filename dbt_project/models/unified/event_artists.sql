{{ config(
    unique_key=["event_id", "artist_id"],
    indexes=[{"columns": ["artist_id"]}],
) }}
{# The line-up: what the CMS links, and the artists that scraped listings name. #}
with live as materialized (  -- once: the view behind it is large, and the planner cannot count it
    select * from {{ ref('live_map') }}
),

named as (
    select t.entity_id as event_id, a.entity_id as artist_id
    from {{ ref('stg_directus__events') }} as e
    cross join lateral unnest(e.artist_record_ids) as link (record_id)
    inner join {{ source('identity', 'event_times') }} as t
        on t.source = 'directus' and t.table_name = 'events' and e.record_id = t.record_id
    inner join {{ source('identity', 'entity_map') }} as a
        on a.source = 'directus' and a.table_name = 'artists' and link.record_id = a.record_id
    union
    select t.entity_id, a.entity_id
    from live as a
    inner join {{ source('identity', 'event_times') }} as t
        on t.source = 'scraper' and t.table_name = 'event_listings'
            and regexp_replace(a.record_id, '#\d+$', '') = t.record_id
    where a.source = 'scraper' and a.table_name = 'event_listings.artists'
)

select n.event_id, n.artist_id
from named as n
inner join {{ ref('entities') }} as event on n.event_id = event.id
inner join {{ ref('entities') }} as artist on n.artist_id = artist.id
