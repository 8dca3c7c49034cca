select
    record_id,
    {{ text('name') }} as name,
    {{ text('address') }} as address,
    {{ text('city') }} as city,
    {{ text('country') }} as country,
    {{ typed('latitude', 'float8') }} as latitude,
    {{ typed('longitude', 'float8') }} as longitude,
    {{ text('website') }} as website,
    {{ text('phone') }} as phone,
    {{ text('instagram') }} as instagram,
    {{ text('google_place_id') }} as google_place_id,
    {{ text('category') }} as category,
    source_updated_at as updated_at,
    first_seen_at
from {{ source('raw_scraper', 'venue_info') }}
where {{ live() }}
