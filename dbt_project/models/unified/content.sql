{{ config(unique_key="id") }}
select
    {{ row_id('directus', 'articles', 'record_id') }} as id,
    'article' as type,
    coalesce(title, record_id) as title,
    url,
    city,
    body,
    published_at
from {{ ref('stg_directus__articles') }}
