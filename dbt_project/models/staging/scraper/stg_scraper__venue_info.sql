select
    record_id,
    {{ text('name') }} as name,
    {{ text('address') }} as address,
    {{ label(text("city")) }} as city,
    {{ label(text("country")) }} as country,
    {{ degrees(typed('latitude', 'float8'), 90) }} as latitude,
    {{ degrees(typed('longitude', 'float8'), 180) }} as longitude,
    {{ text('website') }} as website,
    {{ text('phone') }} as phone,
    {{ text('instagram') }} as instagram,
    {{ text('google_place_id') }} as google_place_id,
    {{ label(text("category")) }} as category,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_scraper', 'venue_info') }}
where {{ live() }}
