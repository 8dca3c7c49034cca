select
    record_id,
    {{ text('title') }} as name,
    {{ text('description') }} as description,
    {{ text('venue_name') }} as venue_name,
    {{ text('venue_address') }} as venue_address,
    {{ text('city') }} as city,
    {{ text('country') }} as country,
    {{ text('starts_at') }} as starts_at,
    {{ text('ends_at') }} as ends_at,
    {{ text('timezone') }} as timezone,
    {{ texts('artists') }} as artists,
    {{ texts('artist_instagrams') }} as artist_instagrams,
    {{ text('organizer_name') }} as organizer_name,
    {{ text('organizer_instagram') }} as organizer_instagram,
    {{ text('ticket_url') }} as ticket_url,
    {{ amount('price') }} as price,
    {{ text('currency') }} as currency,
    {{ texts('genres') }} as genres,
    {{ text('url') }} as url,
    source_updated_at as updated_at,
    first_seen_at
from {{ source('raw_scraper', 'event_listings') }}
where {{ live() }}
