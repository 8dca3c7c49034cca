select
    record_id,
    {{ text('entity_ref') }} as entity_ref,
    {{ text('user_id') }} as user_id,
    {{ text('method') }} as method,
    {{ label(text("status")) }} as status,
    {{ typed('at', 'timestamptz') }} as at
from {{ source('raw_sonik', 'claims') }}
where {{ live() }}
