select
    record_id,
    {{ text('name') }} as name,
    {{ text('instagram') }} as instagram,
    {{ text('website') }} as website,
    {{ text('owner_email') }} as owner_email,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_directus', 'brands') }}
where {{ live() }}
