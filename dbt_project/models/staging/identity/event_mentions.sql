{#
    Every record that describes an event, the mention of its venue, and its line-up (names, one a line).
    `changed_at` is the newest change of anything that a row is made of.
#}
with line_up as (
    select
        event.record_id,
        string_agg(a.payload ->> 'name', E'\n' order by link.position) filter (where a.deleted_at is null) as names,
        max(a.changed_at) as changed_at
    from {{ ref('stg_directus__events') }} as event
    cross join lateral unnest(event.artist_record_ids) with ordinality as link (record_id, position)
    inner join {{ source('raw_directus', 'artists') }} as a on link.record_id = a.record_id
    group by event.record_id
)

select
    'directus' as source,
    'events' as table_name,
    event.record_id,
    event.name,
    'directus' as venue_source,
    'venues' as venue_table,
    event.venue_record_id,
    event.date_start as starts_at_text,
    event.date_end as ends_at_text,
    null::text as timezone,
    null::text as city,
    null::text as country,
    null::text as venue_name,
    line_up.names as line_up,
    event.url,
    event.ticket_url,
    event.updated_at,
    event.first_seen_at,
    greatest(event.changed_at, line_up.changed_at) as changed_at
from {{ ref('stg_directus__events') }} as event
left join line_up on event.record_id = line_up.record_id
union all
select
    'scraper',
    'event_listings',
    record_id,
    name,
    'scraper',
    'event_listings.venue',
    record_id,
    starts_at,
    ends_at,
    timezone,
    city,
    country,
    venue_name,
    nullif(array_to_string(artists, E'\n'), ''),
    url,
    ticket_url,
    updated_at,
    first_seen_at,
    changed_at
from {{ ref('stg_scraper__event_listings') }}
