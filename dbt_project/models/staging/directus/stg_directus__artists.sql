select
    record_id,
    {{ text('name') }} as name,
    {{ text('instagram') }} as instagram,
    {{ text('website') }} as website,
    {{ texts('genres') }} as genres,
    {{ label(text("country")) }} as country,
    {{ text('bio') }} as bio,
    {{ text('manager_email') }} as manager_email,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_directus', 'artists') }}
where {{ live() }}
