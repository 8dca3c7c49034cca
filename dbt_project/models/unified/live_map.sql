{{ config(materialized="view") }}
{# Which entity each mention is, of mentions that records still make: the map itself also remembers those gone. #}
select m.source, m.table_name, m.record_id, m.entity_id, m.entity_type
from {{ source('identity', 'entity_map') }} as m
inner join {{ ref('mentions') }} as s
    on m.source = s.source and m.table_name = s.table_name and m.record_id = s.record_id
