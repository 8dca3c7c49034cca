{{ config(materialized="view") }}
{# What agents remembered, asked and touched. #}
select
    'Session' as from_label, session_id as from_id, 'HAS_MEMORY' as type, 'Memory' as to_label, id as to_id,
    '' as discriminator, 1.0::float8 as weight, at, 'agents' as source, 1.0::float8 as confidence,
    '{}'::jsonb as properties
from {{ ref('agent_memories') }}
union all
select 'Session', session_id, 'ASKED', 'Query', id, '', 1.0::float8, at, 'agents', 1.0::float8, '{}'::jsonb
from {{ ref('agent_queries') }}
union all
select 'Query', q.id, 'TOUCHED', 'Reference', r.id, '', 1.0::float8, q.at, 'agents', 1.0::float8, '{}'::jsonb
from {{ ref('agent_queries') }} as q
inner join {{ ref('agent_references') }} as r on q.graph = r.graph and q.label = r.label and q.ref_id = r.ref
