select
    record_id,
    {{ text('title') }} as title,
    {{ text('url') }} as url,
    {{ label(text("city")) }} as city,
    {{ text('body') }} as body,
    {{ typed('published_at', 'timestamptz') }} as published_at
from {{ source('raw_directus', 'articles') }}
where {{ live() }}
