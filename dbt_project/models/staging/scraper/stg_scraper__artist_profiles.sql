select
    record_id,
    {{ text('name') }} as name,
    {{ text('instagram') }} as instagram,
    {{ amount('followers') }} as followers,
    {{ texts('genres') }} as genres,
    {{ label(text("city")) }} as city,
    {{ label(text("country")) }} as country,
    {{ text('website') }} as website,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_scraper', 'artist_profiles') }}
where {{ live() }}
