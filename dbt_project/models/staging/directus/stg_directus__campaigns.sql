select
    record_id,
    {{ text('name') }} as name,
    {{ label(text("channel")) }} as channel,
    {{ typed('budget', 'numeric') }} as budget,
    {{ typed('start_date', 'date') }} as start_date,
    {{ typed('end_date', 'date') }} as end_date,
    {{ text('organizer_instagram') }} as organizer_instagram,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_directus', 'campaigns') }}
where {{ live() }}
