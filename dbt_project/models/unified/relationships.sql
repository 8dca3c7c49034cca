{{ config(
    unique_key="id",
    indexes=[{"columns": ["type", "from_id"]}, {"columns": ["type", "to_id"]}],
    pre_hook="set local enable_mergejoin = off",
) }}
{#
    Every edge of the three graphs, one row each: repeated evidence is folded into its weight. The edge's id is made
    of its type, ends and discriminator, so an edge whose end changes is another edge.
#}
{%- set edge_id = "ops.name_uuid(concat_ws('/', e.type, e.from_id, e.to_id, e.discriminator))" %}
with edges as (
    select * from {{ ref('business_edges') }}
    union all
    select * from {{ ref('attribution_edges') }}
    union all
    select * from {{ ref('knowledge_edges') }}
    union all
    select * from {{ ref('memory_edges') }}
),

sure as materialized (
    select * from {{ ref('entity_confidence') }}
)

select
    {% if is_incremental() -%} coalesce(known.id, {{ edge_id }}) {%- else -%} {{ edge_id }} {%- endif %} as id,
    e.from_label,
    e.from_id,
    e.type,
    e.to_label,
    e.to_id,
    e.discriminator,
    e.weight,
    e.at,
    e.source,
    least(e.confidence, start_sure.confidence, end_sure.confidence) as confidence,
    jsonb_strip_nulls(e.properties) as properties
from edges as e
left join sure as start_sure on e.from_id = start_sure.entity_id
left join sure as end_sure on e.to_id = end_sure.entity_id
{% if is_incremental() -%}
-- To look an id up, in a hash of them all, is cheaper than to make it.
left join {{ this }} as known
    on e.type = known.type and e.from_id = known.from_id and e.to_id = known.to_id
        and e.discriminator = known.discriminator
{% endif -%}
where e.from_id is not null and e.to_id is not null
