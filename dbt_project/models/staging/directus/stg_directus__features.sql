select
    record_id,
    {{ text('name') }} as name,
    {{ text('suite') }} as suite,
    {{ label(text("status")) }} as status,
    {{ typed('revenue_impact', 'float8') }} as revenue_impact,
    {{ texts('modules') }} as modules,
    source_updated_at as updated_at
from {{ source('raw_directus', 'features') }}
where {{ live() }}
