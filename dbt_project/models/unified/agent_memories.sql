{{ config(unique_key="id") }}
select
    {{ row_id('sonik', 'agent_memories', 'record_id') }} as id,
    {{ row_id('sonik', 'agent_sessions', 'session') }} as session_id,
    text,
    at
from {{ ref('stg_sonik__agent_sessions') }}
where kind = 'memory'
