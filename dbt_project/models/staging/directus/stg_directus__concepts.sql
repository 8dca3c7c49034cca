select
    record_id,
    {{ text('name') }} as name,
    {{ text('domain') }} as domain,
    {{ texts('related') }} as related,
    source_updated_at as updated_at
from {{ source('raw_directus', 'concepts') }}
where {{ live() }}
