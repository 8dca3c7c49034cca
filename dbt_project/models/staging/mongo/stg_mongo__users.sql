select
    record_id,
    {{ text('name') }} as name,
    {{ text('email') }} as email,
    {{ text('phone') }} as phone,
    {{ text('instagram') }} as instagram,
    {{ texts('anonymousIds') }} as anonymous_ids,
    {{ mongo_typed('createdAt', 'timestamptz') }} as created_at,
    source_updated_at as updated_at,
    first_seen_at,
    changed_at
from {{ source('raw_mongo', 'users') }}
where {{ live() }}
