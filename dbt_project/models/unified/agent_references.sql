{{ config(unique_key="id") }}
{# Nodes of the other graphs that agents have touched. A reference to a source record points at its entity. #}
select distinct on (q.graph, q.label, q.ref_id)
    {{ row_id('sonik', 'agent_references', "q.graph || '/' || q.label || '/' || q.ref_id") }} as id,
    q.graph,
    q.label,
    coalesce(m.entity_id::text, q.ref_id) as ref_id,
    q.ref_id as ref
from {{ ref('agent_queries') }} as q
left join {{ source('identity', 'entity_map') }} as m
    on q.ref_id = m.source || '/' || m.table_name || '/' || m.record_id
where q.graph is not null and q.label is not null and q.ref_id is not null
order by q.graph asc, q.label asc, q.ref_id asc
