{{ config(
    unique_key="id",
    indexes=[{"columns": ["type", "from_id"]}, {"columns": ["type", "to_id"]}],
) }}
{#
    Every edge of the three graphs, one row each: repeated evidence is folded into its weight. The edge's id is made
    of its type, ends and discriminator, so an edge whose end changes is another edge.
#}
with edges as (
    select * from {{ ref('business_edges') }}
    union all
    select * from {{ ref('attribution_edges') }}
    union all
    select * from {{ ref('knowledge_edges') }}
    union all
    select * from {{ ref('memory_edges') }}
)

select
    ops.name_uuid(concat_ws('/', type, from_id, to_id, discriminator)) as id,
    from_label,
    from_id,
    type,
    to_label,
    to_id,
    discriminator,
    weight,
    at,
    source,
    confidence,
    jsonb_strip_nulls(properties) as properties
from edges
where from_id is not null and to_id is not null
