-- Of every link that was ever seen: a link that is gone says so by `deleted_at`.
select
    record_id,
    {{ text('events_id') }} as event_record_id,
    {{ text('artists_id') }} as artist_record_id,
    {{ typed('sort', 'integer') }} as sort,
    deleted_at,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_directus', 'events_artists') }}
