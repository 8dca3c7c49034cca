select
    record_id,
    {{ text('name') }} as name,
    {{ label(text("country")) }} as country,
    {{ text('timezone') }} as timezone,
    {{ label(text("status")) }} as status
from {{ source('raw_directus', 'markets') }}
where {{ live() }}
