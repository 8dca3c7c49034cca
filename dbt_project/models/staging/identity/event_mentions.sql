{# Every record that describes an event, and the mention of its venue. #}
select
    'directus' as source,
    'events' as table_name,
    record_id,
    name,
    'directus' as venue_source,
    'venues' as venue_table,
    venue_record_id,
    date_start as starts_at_text,
    date_end as ends_at_text,
    null::text as timezone,
    null::text as city,
    null::text as country,
    null::text as venue_name,
    updated_at,
    first_seen_at
from {{ ref('stg_directus__events') }}
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
    updated_at,
    first_seen_at
from {{ ref('stg_scraper__event_listings') }}
