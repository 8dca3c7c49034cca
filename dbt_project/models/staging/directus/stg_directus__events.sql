select
    record_id,
    {{ text('name') }} as name,
    {{ text('description') }} as description,
    {{ text('date_start') }} as date_start,
    {{ text('date_end') }} as date_end,
    {{ text('venue') }} as venue_record_id,
    case jsonb_typeof(payload -> 'artists')
        when 'array' then array(
            select coalesce(a.value ->> 'artists_id', a.value #>> '{}')
            from jsonb_array_elements(payload -> 'artists') as a
        )
        else '{}'::text[]
    end as artist_record_ids,
    {{ text('organizer_name') }} as organizer_name,
    {{ text('organizer_instagram') }} as organizer_instagram,
    {{ text('organizer_website') }} as organizer_website,
    {{ texts('genres') }} as genres,
    {{ text('ticket_url') }} as ticket_url,
    {{ amount('price_min') }} as price_min,
    {{ amount('price_max') }} as price_max,
    {{ text('currency') }} as currency,
    {{ text('status') }} as status,
    {{ text('source_url') }} as url,
    source_updated_at as updated_at,
    first_seen_at
from {{ source('raw_directus', 'events') }}
where {{ live() }}
