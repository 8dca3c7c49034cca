{{ config(unique_key="id") }}
select
    {{ row_id('directus', 'features', 'record_id') }} as id,
    coalesce(name, record_id) as name,
    suite,
    status,
    revenue_impact
from {{ ref('stg_directus__features') }}
