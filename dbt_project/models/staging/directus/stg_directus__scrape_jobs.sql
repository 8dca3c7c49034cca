select
    record_id,
    {{ text('provider') }} as provider,
    {{ text('feed') }} as feed,
    {{ label(text("status")) }} as status,
    {{ typed('started_at', 'timestamptz') }} as started_at,
    {{ typed('finished_at', 'timestamptz') }} as finished_at,
    {{ typed('rows_found', 'bigint') }} as rows_found,
    {{ text('error') }} as error
from {{ source('raw_directus', 'scrape_jobs') }}
where {{ live() }}
