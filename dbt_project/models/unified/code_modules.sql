{{ config(unique_key="id") }}
{# Importance: the share of the tree's modules that import this one directly. #}
with imports as (
    select m.path, i.imported
    from {{ ref('stg_sonik__code_modules') }} as m
    cross join lateral unnest(m.imports) as i (imported)
),

importers as (
    select imported, count(*) as importers
    from imports
    group by imported
)

select
    {{ row_id('sonik', 'code_modules', 'm.path') }} as id,
    m.path,
    coalesce(i.importers, 0)::float8 / greatest(count(*) over () - 1, 1) as importance,
    cardinality(m.imports) as dependencies_count
from {{ ref('stg_sonik__code_modules') }} as m
left join importers as i on m.path = i.imported
