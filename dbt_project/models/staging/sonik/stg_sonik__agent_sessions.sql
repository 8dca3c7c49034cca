select
    record_id,
    {{ text('session') }} as session,
    {{ label(text("kind")) }} as kind,
    {{ text('text') }} as text,
    {{ text('graph') }} as graph,
    {{ text('label') }} as label,
    {{ text('id') }} as ref_id,
    {{ typed('at', 'timestamptz') }} as at
from {{ source('raw_sonik', 'agent_sessions') }}
where {{ live() }}
