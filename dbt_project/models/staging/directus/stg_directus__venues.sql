select
    record_id,
    {{ text('name') }} as name,
    {{ text('address') }} as address,
    {{ label(text("city")) }} as city,
    {{ label(text("country")) }} as country,
    {{ degrees(typed('latitude', 'float8'), 90) }} as latitude,
    {{ degrees(typed('longitude', 'float8'), 180) }} as longitude,
    {{ text('website') }} as website,
    {{ text('instagram') }} as instagram,
    {{ text('phone') }} as phone,
    {{ text('google_place_id') }} as google_place_id,
    {{ typed('capacity', 'int') }} as capacity,
    {{ label(text("category")) }} as category,
    {{ text('manager_email') }} as manager_email,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_directus', 'venues') }}
where {{ live() }}
