select
    record_id,
    {{ text('name') }} as name,
    {{ text('country') }} as country,
    {{ text('timezone') }} as timezone,
    {{ text('status') }} as status
from {{ source('raw_directus', 'markets') }}
where {{ live() }}
