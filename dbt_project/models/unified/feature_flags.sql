{{ config(unique_key="id") }}
select
    {{ row_id('directus', 'feature_flags', 'f.record_id') }} as id,
    coalesce(f.name, f.record_id) as name,
    f.enabled,
    f.rollout_percentage,
    feature.id as feature_id
from {{ ref('stg_directus__feature_flags') }} as f
left join {{ ref('features') }} as feature on feature.id = {{ row_id('directus', 'features', 'f.feature') }}
