{{ config(materialized="view") }}
{#
    How sure it is that the records of an entity are one thing, where only their likeness says so: of each such record
    the best score of a judgement that joins it to another, and of those the least. Identifiers and people are sure.
#}
with scored as (
    select left_ref as ref, score
    from {{ source('identity', 'judgements') }}
    where judgement = 'same' and retired_at is null
    union all
    select right_ref, score
    from {{ source('identity', 'judgements') }}
    where judgement = 'same' and retired_at is null
),

best as (
    select ref, max(coalesce(score, 1.0)) as score
    from scored
    group by ref
)

select m.entity_id, min(b.score) as confidence
from {{ source('identity', 'entity_map') }} as m
inner join best as b on concat_ws('/', m.source, m.table_name, m.record_id) = b.ref
where m.linked_by = 'likeness'
group by m.entity_id
