{{ config(unique_key="id") }}
select
    {{ row_id('directus', 'concepts', 'record_id') }} as id,
    coalesce(name, record_id) as name,
    domain
from {{ ref('stg_directus__concepts') }}
