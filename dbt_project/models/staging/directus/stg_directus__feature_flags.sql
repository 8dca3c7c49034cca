select
    record_id,
    {{ text('name') }} as name,
    {{ typed('enabled', 'boolean') }} as enabled,
    {{ typed('rollout_percentage', 'float8') }} as rollout_percentage,
    {{ text('feature') }} as feature,
    source_updated_at as updated_at
from {{ source('raw_directus', 'feature_flags') }}
where {{ live() }}
