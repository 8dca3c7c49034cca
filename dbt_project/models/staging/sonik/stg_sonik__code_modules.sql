select
    record_id as path,
    {{ texts('imports') }} as imports,
    changed_at
from {{ source('raw_sonik', 'code_modules') }}
where {{ live() }}
