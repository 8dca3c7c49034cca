{{ config(unique_key="id") }}
{# A traversal is a query too: the one that touched a node. #}
select
    {{ row_id('sonik', 'agent_queries', 'record_id') }} as id,
    {{ row_id('sonik', 'agent_sessions', 'session') }} as session_id,
    coalesce(text, concat_ws('/', graph, label, ref_id)) as text,
    kind,
    graph,
    label,
    ref_id,
    at
from {{ ref('stg_sonik__agent_sessions') }}
where kind in ('query', 'traversal')
