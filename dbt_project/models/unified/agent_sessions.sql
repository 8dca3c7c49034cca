{{ config(unique_key="id") }}
select
    {{ row_id('sonik', 'agent_sessions', 'session') }} as id,
    session as name,
    min(at) as started_at
from {{ ref('stg_sonik__agent_sessions') }}
group by session
