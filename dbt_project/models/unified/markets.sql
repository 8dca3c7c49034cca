{{ config(unique_key="id") }}
select
    {{ row_id('directus', 'markets', 'record_id') }} as id,
    coalesce(name, record_id) as name,
    country,
    timezone,
    status
from {{ ref('stg_directus__markets') }}
