{{ config(materialized="view") }}
{# Which entity each mention is, of mentions that records still make: the map itself also remembers those gone. #}
select m.source, m.table_name, m.record_id, m.entity_id, m.entity_type
from {{ source('identity', 'entity_map') }} as m
inner join {{ ref('source_records') }} as r
    on m.source = r.source and m.table_name = r.table_name and m.record_id = r.record_id
